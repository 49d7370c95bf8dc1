//! Opus in Ogg: the demuxer is symphonia's, the decoder the one that calls are decoded with.

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::packet::Packet;

use super::{RATE, sound::Unfit};
use crate::audio::{opus, opus_packet::MOST_TICKS};

/// Decodes one stream, both channels heard together.
pub(super) struct Decoder {
    native: opus::Decoder,
    /// Samples of the encoder's own that come before the sound, still to be left out.
    ahead: usize,
    samples: Vec<i16>,
}

/// The clock of an Opus file counts three steps to a sample of ours (RFC 7845 §4).
const STEPS: u32 = 48_000 / RATE;

impl Decoder {
    /// `ahead` is the stream's pre-skip, in steps of its clock.
    pub(super) fn new(told: &AudioCodecParameters, ahead: u32) -> Result<Self, Unfit> {
        if told.channels.as_ref().is_some_and(|it| it.count() > 2) {
            return Err(Unfit::Coding);
        }
        let native = opus::Decoder::new(RATE).ok_or(Unfit::Coding)?;
        let samples = vec![0; MOST_TICKS * (RATE / 8_000) as usize];
        Ok(Self { native, ahead: (ahead / STEPS) as usize, samples })
    }

    /// The sound of a packet; `None` when it is broken.
    pub(super) fn decode(&mut self, packet: &Packet) -> Option<&[i16]> {
        let count = self.native.decode(&packet.data, &mut self.samples)?;
        let end = count.saturating_sub((packet.trim_end.get() / u64::from(STEPS)) as usize);
        let start = self.ahead.min(count);
        self.ahead -= start;
        Some(self.samples.get(start..end).unwrap_or_default())
    }
}
