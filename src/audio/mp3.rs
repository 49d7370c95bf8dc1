//! Sound as MP3, a fraction of the size (feature `mp3`: LAME, under the LGPL).

/// Samples a second of what is encoded: the lowest that every player of MPEG-2 Layer III knows.
pub const RATE: u32 = 16_000;

/// Why something was not encoded.
#[derive(Debug, thiserror::Error)]
pub enum Mp3Error {
    /// This program was built without the encoder.
    #[error("this program was built without MP3 (the feature `mp3`)")]
    Without,
    /// The encoder refused.
    #[error("the encoder refused: {0}")]
    Refused(String),
}

/// Encodes mono at [`RATE`], 32 kbit/s throughout. Takes some processor time.
#[cfg(feature = "mp3")]
pub struct Encoder(mp3lame_encoder::Encoder);

#[cfg(feature = "mp3")]
impl Encoder {
    /// One that has encoded nothing yet.
    pub fn new() -> Result<Self, Mp3Error> {
        use mp3lame_encoder::{Bitrate, Builder, Mode, Quality};

        let mut lame = Builder::new().ok_or_else(|| refused("there is no memory"))?;
        lame.set_num_channels(1).map_err(refused)?;
        lame.set_mode(Mode::Mono).map_err(refused)?;
        lame.set_sample_rate(RATE).map_err(refused)?;
        lame.set_brate(Bitrate::Kbps32).map_err(refused)?;
        lame.set_to_write_vbr_tag(false).map_err(refused)?;
        lame.set_quality(Quality::Good).map_err(refused)?;
        Ok(Self(lame.build().map_err(refused)?))
    }

    /// Adds what these samples make to `mp3`; some of it comes with the next ones.
    pub fn push(&mut self, samples: &[i16], mp3: &mut Vec<u8>) -> Result<(), Mp3Error> {
        mp3.reserve(mp3lame_encoder::max_required_buffer_size(samples.len()));
        let pushed = self.0.encode_to_vec(mp3lame_encoder::MonoPcm(samples), mp3);
        pushed.map(drop).map_err(refused)
    }

    /// Adds what is left.
    pub fn finish(mut self, mp3: &mut Vec<u8>) -> Result<(), Mp3Error> {
        mp3.reserve(mp3lame_encoder::max_required_buffer_size(0));
        self.0.flush_to_vec::<mp3lame_encoder::FlushNoGap>(mp3).map(drop).map_err(refused)
    }
}

#[cfg(feature = "mp3")]
fn refused(what: impl std::fmt::Display) -> Mp3Error {
    Mp3Error::Refused(what.to_string())
}

/// Without LAME there is none.
#[cfg(not(feature = "mp3"))]
pub struct Encoder(std::convert::Infallible);

#[cfg(not(feature = "mp3"))]
impl Encoder {
    /// Always [`Mp3Error::Without`].
    pub fn new() -> Result<Self, Mp3Error> {
        Err(Mp3Error::Without)
    }

    /// Never called.
    pub fn push(&mut self, _: &[i16], _: &mut Vec<u8>) -> Result<(), Mp3Error> {
        match self.0 {}
    }

    /// Never called.
    pub fn finish(self, _: &mut Vec<u8>) -> Result<(), Mp3Error> {
        match self.0 {}
    }
}
