//! Recordings as MP3, a fraction of the size.

use crate::audio::{
    mp3::{self, Encoder},
    resample::resample,
    wav,
};

/// Longest recording that is encoded, in seconds.
const LONGEST: u64 = 3_600;

/// Why a recording was not encoded.
#[derive(Debug, thiserror::Error)]
pub enum Mp3Error {
    /// What is to be encoded cannot be read.
    #[error("the recording cannot be read")]
    Unreadable(#[from] wav::WavError),
    /// There is no encoder, or it refused.
    #[error(transparent)]
    Encoder(#[from] mp3::Mp3Error),
}

/// A WAV recording as MP3. Takes some processor time: not for threads that have calls to serve.
pub fn encode(wav: &[u8]) -> Result<Vec<u8>, Mp3Error> {
    let sound = wav::from_wav(wav, LONGEST)?;
    let samples = resample(&sound.samples, sound.rate, mp3::RATE);
    let mut encoder = Encoder::new()?;
    let mut mp3 = Vec::new();
    encoder.push(&samples, &mut mp3)?;
    encoder.finish(&mut mp3)?;
    Ok(mp3)
}
