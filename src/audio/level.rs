//! How loud a line is, and whether that is a voice or only the line's own noise.
//!
//! The noise floor is the quietest a line has been within the last few seconds: speech pauses at
//! least that often, noise does not. What stands out above the floor for long enough is a voice.
//! That holds for any steady noise; music in the background counts as voice.

/// Samples in a frame: 20 ms at 8,000 a second. The whole ear works in these.
pub const FRAME: usize = 160;

/// Tells voice from noise, a frame of 20 ms at a time.
#[derive(Debug, Clone)]
pub struct Level {
    smooth: f32,
    quietest: [f32; WINDOWS],
    frames: usize,
    standing_out: usize,
}

/// The floor is the minimum over so many windows ...
const WINDOWS: usize = 8;
/// ... of so many frames: 3.2 s together.
const WINDOW: usize = 20;
/// A click is not a voice: it takes 60 ms.
const ONSET: usize = 3;
/// A voice is 9 dB above the floor, in power.
const ABOVE: f32 = 8.0;
/// -60 dBFS: what a line is taken for until it was heard for a while.
const AT_FIRST: f32 = 1_074.0;
/// -52 dBFS: nothing below it is a voice, however quiet the line.
const NEVER: f32 = 6_775.0;
/// -33 dBFS: everything above it counts as one, however noisy the line: better a message too long.
const ALWAYS: f32 = 538_000.0;

impl Default for Level {
    fn default() -> Self {
        Self { smooth: AT_FIRST, quietest: [AT_FIRST; WINDOWS], frames: 0, standing_out: 0 }
    }
}

impl Level {
    /// Hears one frame. Answers how many frames up to and including this one have just turned out
    /// to be voice: 0 in noise, [`ONSET`] where a voice sets in, 1 while it goes on.
    pub fn hear(&mut self, frame: &[i16; FRAME]) -> usize {
        let power = power(frame);
        self.follow(power);
        if power < self.threshold() {
            self.standing_out = 0;
            return 0;
        }
        self.standing_out += 1;
        match self.standing_out {
            ..ONSET => 0,
            ONSET => ONSET,
            _ => 1,
        }
    }

    fn follow(&mut self, power: f32) {
        self.smooth += 0.3 * (power - self.smooth);
        let window = (self.frames / WINDOW) % WINDOWS;
        if self.frames > 0 && self.frames.is_multiple_of(WINDOW) {
            self.quietest[window] = self.smooth;
        }
        self.quietest[window] = self.quietest[window].min(self.smooth);
        self.frames += 1;
    }

    fn threshold(&self) -> f32 {
        let floor = self.quietest.iter().copied().fold(f32::MAX, f32::min);
        (floor * ABOVE).clamp(NEVER, ALWAYS)
    }
}

/// Mean square of the samples.
pub fn power(samples: &[i16]) -> f32 {
    let sum: f32 = samples.iter().map(|&it| f32::from(it) * f32::from(it)).sum();
    sum / samples.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// White noise of about this power; xorshift, so that it is the same everywhere.
    fn noise(dbfs: f32, frames: usize) -> Vec<[i16; FRAME]> {
        let peak = 32_768.0 * 10_f32.powf(dbfs / 20.0) * 3_f32.sqrt();
        let mut state = 88_172_645_463_325_252_u64;
        let mut sample = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / 8_388_608.0 - 1.0) * peak
        };
        (0..frames).map(|_| std::array::from_fn(|_| sample() as i16)).collect()
    }

    fn voiced(level: &mut Level, frames: &[[i16; FRAME]]) -> usize {
        frames.iter().map(|it| level.hear(it)).sum()
    }

    #[test]
    fn silence_and_line_noise_are_no_voice() {
        for dbfs in [-90.0, -70.0, -60.0, -50.0, -40.0] {
            let mut level = Level::default();
            voiced(&mut level, &noise(dbfs, 200));
            assert_eq!(voiced(&mut level, &noise(dbfs, 500)), 0, "{dbfs} dBFS");
        }
    }

    #[test]
    fn what_stands_out_of_the_noise_is_a_voice() {
        let mut level = Level::default();
        voiced(&mut level, &noise(-50.0, 300));
        assert_eq!(voiced(&mut level, &noise(-35.0, 50)), 50);
        assert_eq!(voiced(&mut level, &noise(-50.0, 50)), 0);
    }

    #[test]
    fn a_click_is_no_voice() {
        let mut level = Level::default();
        voiced(&mut level, &noise(-60.0, 100));
        assert_eq!(voiced(&mut level, &noise(-10.0, 2)), 0);
    }

    #[test]
    fn who_speaks_at_once_is_heard() {
        assert_eq!(voiced(&mut Level::default(), &noise(-30.0, 50)), 50);
    }
}
