//! What was read back of a take: stretches, each in one codec, and the sound they make together.

use crate::audio::{
    Codec,
    decoder::{Decoder, Width},
    piece::Torn,
    resample::resample,
    wav::Sound,
};

/// A part of a take in one codec: of G.711 a byte a sample, of others pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) codec: Codec,
    pub(super) bytes: Vec<u8>,
}

/// Why a take that could be read makes no sound.
#[derive(Debug, thiserror::Error)]
pub(super) enum Mute {
    /// It is in a codec this program was built without.
    #[error("it is spoken in {0:?}, which this program was built without")]
    Codec(Codec),
    #[error(transparent)]
    Torn(#[from] Torn),
}

/// The sound of all stretches, of `ticks` in all. It has the highest rate among them: what was
/// spoken in wideband is kept so, and what was not is as long as it was.
pub(super) fn sound(stretches: &[Stretch], ticks: u64) -> Result<Sound, Mute> {
    let rate = stretches.iter().map(|it| it.codec.rate()).max().unwrap_or(Codec::RATE);
    let mut samples = Vec::new();
    for stretch in stretches {
        let own = decoded(stretch, Width::Full)?;
        match stretch.codec.rate() == rate {
            true if samples.is_empty() => samples = own,
            true => samples.extend(own),
            false => samples.extend(resample(&own, stretch.codec.rate(), rate)),
        }
    }
    let length = ticks.saturating_mul(u64::from(rate / Codec::RATE));
    samples.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    Ok(Sound { rate, samples })
}

/// The same as a telephone carries it, at 8,000 samples a second.
pub(super) fn narrow(stretches: &[Stretch]) -> Result<Vec<i16>, Mute> {
    let parts =
        stretches.iter().map(|it| decoded(it, Width::Narrow)).collect::<Result<Vec<_>, _>>();
    Ok(parts?.concat())
}

fn decoded(stretch: &Stretch, width: Width) -> Result<Vec<i16>, Mute> {
    let mut decoder = Decoder::new(stretch.codec, width).ok_or(Mute::Codec(stretch.codec))?;
    let mut samples = Vec::with_capacity(stretch.bytes.len());
    decoder.decode(&stretch.bytes, &mut samples)?;
    decoder.finish(&mut samples);
    Ok(samples)
}
