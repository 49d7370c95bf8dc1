//! What a phone does in wideband. The codecs are the program's own: that they are right is tested where
//! others' bytes are decoded, what is sent and heard is still the phone's.

use std::io;
use std::time::Duration;

use afterbeep::audio::Codec;
use afterbeep::audio::decoder::{Decoder, Width};
use afterbeep::audio::piece::{HEADER, LONGEST, Piece};
use tokio::time::sleep_until;

use super::Call;

/// Makes sound of packets, one after the other.
pub struct Ear(Decoder);

impl Ear {
    /// For 9, G.722, or 111, Opus.
    pub fn new(payload_type: u8) -> Self {
        let codec = if payload_type == 111 { Codec::Opus } else { Codec::G722 };
        Self(Decoder::new(codec, Width::Full).expect("a program with this codec"))
    }

    /// What a packet of 20 ms sounds like, at 16,000 samples a second; `None` is one that is lost.
    pub fn hear(&mut self, packet: Option<&[u8]>) -> Vec<i16> {
        let mut bytes = [0; HEADER + LONGEST];
        let piece = packet.map_or(Piece::Lost(160), |it| Piece::Sound(160, it));
        let length = piece.write(&mut bytes);
        let mut heard = Vec::new();
        self.0.decode(&bytes[..length], &mut heard).expect("a whole piece");
        heard
    }
}

impl Call {
    /// Says these packets, one every 20 ms; `None` is lost on its way.
    pub async fn say(&mut self, packets: &[Option<Vec<u8>>]) -> io::Result<()> {
        let mut due = self.resume();
        for packet in packets {
            sleep_until(due).await;
            match packet {
                Some(packet) => self.frame(packet).await?,
                None => {
                    self.seq = self.seq.wrapping_add(1);
                    self.timestamp = self.timestamp.wrapping_add(self.steps(20));
                }
            }
            due += Duration::from_millis(20);
        }
        sleep_until(due).await;
        Ok(())
    }

    /// The same with the packets of each pair in the wrong order.
    pub async fn say_in_disorder(&mut self, packets: &[Vec<u8>]) -> io::Result<()> {
        let mut due = self.resume();
        for pair in packets.chunks(2) {
            let (seq, timestamp) = (self.seq, self.timestamp);
            for (at, packet) in pair.iter().enumerate().rev() {
                sleep_until(due).await;
                self.seq = seq.wrapping_add(at as u16);
                self.timestamp = timestamp.wrapping_add(self.steps(20) * at as u32);
                self.frame(packet).await?;
                due += Duration::from_millis(20);
            }
            self.seq = seq.wrapping_add(pair.len() as u16);
            self.timestamp = timestamp.wrapping_add(self.steps(20) * pair.len() as u32);
        }
        sleep_until(due).await;
        Ok(())
    }

    /// Speaks another codec from now on, as the server is told by a new offer.
    pub async fn change_codec(&mut self, payload_type: u8) -> io::Result<()> {
        let before = std::mem::replace(&mut self.payload_type, payload_type);
        let changed = self.renegotiate("sendrecv").await;
        if changed.is_err() {
            self.payload_type = before;
        } else {
            self.ear = Default::default();
        }
        changed
    }

    /// Steps of the RTP clock in so many milliseconds.
    pub(super) fn steps(&self, ms: u32) -> u32 {
        ms * if self.payload_type == 111 { 48 } else { 8 }
    }

    /// What is spoken, as it stands in an offer.
    pub(super) fn format(&self) -> &'static str {
        match self.payload_type {
            8 => "PCMA/8000",
            9 => "G722/8000",
            111 => "opus/48000/2",
            _ => "PCMU/8000",
        }
    }

    pub(super) fn is_wide_beep(&mut self, frame: &[u8]) -> bool {
        let payload_type = self.payload_type;
        let ear = self.ear.get_mut().expect("nobody else listens");
        let samples = ear.get_or_insert_with(|| Ear::new(payload_type)).hear(Some(frame));
        let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
        for (n, &sample) in samples.iter().enumerate() {
            let (value, angle) = (f64::from(sample), std::f64::consts::FRAC_PI_8 * n as f64);
            re += value * angle.cos();
            im += value * angle.sin();
            all += value * value;
        }
        all > 0.0 && 2.0 * (re * re + im * im) / (all * samples.len() as f64) > 0.9
    }
}
