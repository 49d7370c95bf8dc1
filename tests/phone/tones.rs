//! Keys as a phone without telephone events sends them: two tones at once (ITU-T Q.23).

use std::f64::consts::TAU;
use std::io;

use afterbeep::audio::g711::Law;

use super::Call;

const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
pub const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];

/// How a key is pressed.
#[derive(Debug, Clone, Copy)]
pub struct Press {
    pub ms: usize,
    /// Of each tone, in samples' steps.
    pub level: f64,
    /// How much louder the high tone is, in dB.
    pub twist: f64,
    /// How far both lie beside their frequencies.
    pub off: f64,
}

pub const USUAL: Press = Press { ms: 100, level: 5_000.0, twist: 0.0, off: 0.0 };

impl Press {
    /// The samples of a key, 8,000 a second.
    pub fn samples(self, key: char) -> Vec<i16> {
        let row = KEYS.iter().position(|it| it.contains(key)).expect("a key of the keypad");
        let column = KEYS[row].find(key).expect("it was found");
        let (low, high) = (LOW[row] * (1.0 + self.off), HIGH[column] * (1.0 + self.off));
        let gain = 10_f64.powf(self.twist / 40.0);
        (0..self.ms * 8)
            .map(|n| {
                let wave = |hertz: f64| (TAU * hertz * n as f64 / 8_000.0).sin() * self.level;
                (wave(low) / gain + wave(high) * gain) as i16
            })
            .collect()
    }
}

impl Call {
    /// Presses a key as a tone, and is quiet for as long.
    pub async fn sound(&mut self, key: char) -> io::Result<()> {
        let quiet = vec![0; USUAL.ms * 8];
        let samples = [USUAL.samples(key), quiet].concat();
        let law = if self.payload_type == 8 { Law::A } else { Law::Mu };
        let bytes: Vec<u8> = samples.into_iter().map(|it| law.encode(it)).collect();
        self.speak(&bytes).await
    }
}
