//! Recordings as MP3, a fraction of the size (feature `mp3`: LAME, under the LGPL).

/// Samples a second of the file: the lowest that every player of MPEG-2 Layer III knows.
const RATE: u32 = 16_000;
/// Longest recording that is encoded, in seconds.
const LONGEST: u64 = 3_600;

/// Why a recording was not encoded.
#[derive(Debug, thiserror::Error)]
pub enum Mp3Error {
    /// This program was built without the encoder.
    #[error("this program was built without MP3 (the feature `mp3`)")]
    Without,
    /// What is to be encoded cannot be read.
    #[error("the recording cannot be read")]
    Unreadable(#[from] crate::audio::wav::WavError),
    /// The encoder refused.
    #[error("the encoder refused: {0}")]
    Refused(String),
}

/// A WAV recording as MP3: mono, 16 kHz, 32 kbit/s throughout. Takes some processor time: not for
/// threads that have calls to serve.
#[cfg(feature = "mp3")]
pub fn encode(wav: &[u8]) -> Result<Vec<u8>, Mp3Error> {
    use mp3lame_encoder::{Bitrate, Builder, FlushNoGap, Mode, MonoPcm, Quality};

    let refused = |what: &dyn std::fmt::Display| Mp3Error::Refused(what.to_string());
    let sound = crate::audio::wav::from_wav(wav, LONGEST)?;
    let samples = crate::audio::resample::resample(&sound.samples, sound.rate, RATE);
    let mut lame = Builder::new().ok_or_else(|| refused(&"there is no memory"))?;
    lame.set_num_channels(1).map_err(|it| refused(&it))?;
    lame.set_mode(Mode::Mono).map_err(|it| refused(&it))?;
    lame.set_sample_rate(RATE).map_err(|it| refused(&it))?;
    lame.set_brate(Bitrate::Kbps32).map_err(|it| refused(&it))?;
    lame.set_to_write_vbr_tag(false).map_err(|it| refused(&it))?;
    lame.set_quality(Quality::Good).map_err(|it| refused(&it))?;
    let mut lame = lame.build().map_err(|it| refused(&it))?;

    let mut mp3 = Vec::with_capacity(mp3lame_encoder::max_required_buffer_size(samples.len()));
    lame.encode_to_vec(MonoPcm(&samples), &mut mp3).map_err(|it| refused(&it))?;
    mp3.reserve(mp3lame_encoder::max_required_buffer_size(0));
    lame.flush_to_vec::<FlushNoGap>(&mut mp3).map_err(|it| refused(&it))?;
    Ok(mp3)
}

/// Without the encoder nothing is encoded.
///
/// # Errors
/// Always [`Mp3Error::Without`].
#[cfg(not(feature = "mp3"))]
pub fn encode(_wav: &[u8]) -> Result<Vec<u8>, Mp3Error> {
    let _ = (RATE, LONGEST);
    Err(Mp3Error::Without)
}
