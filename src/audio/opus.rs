//! Opus, by libopus: one channel, 16,000 samples a second, in packets of 20 ms.

use ::opus::{Application, Bitrate, Channels, Decoder as Native, Encoder, Error, Signal};

use super::{
    Codec,
    opus_packet::{LARGEST, SILENCE},
};

/// Samples in a packet of ours.
const FRAME: usize = 320;
/// How hard the encoder tries, of 10: more is hardly heard and costs much more.
const COMPLEXITY: i32 = 5;
/// What our packets are to take, in bits a second: speech at 16 kHz is clean from here on, with room
/// for what each tells of the one before.
const BITS: i32 = 28_000;
/// The same for music, of which nothing is told twice.
const BITS_MUSIC: i32 = 40_000;
/// How many packets in a hundred we prepare for losing; below ten the encoder prepares for none.
const LOSS: i32 = 10;

/// Samples the encoder looks ahead at [`Codec::WIDE`], at the most: so much later all of a sound
/// comes out.
pub(super) const AHEAD: usize = 104;

/// One direction's sound, back from its packets.
#[derive(Debug)]
pub struct Decoder(Native);

impl Decoder {
    /// At 8,000 or 16,000 samples a second.
    pub fn new(rate: u32) -> Option<Self> {
        Native::new(rate, Channels::Mono).ok().map(Self)
    }

    /// A packet's samples, at the start of `samples`; how many. `None` when it is none.
    pub fn decode(&mut self, packet: &[u8], samples: &mut [i16]) -> Option<usize> {
        self.0.decode(packet, samples, false).ok()
    }

    /// Fills `samples`, a multiple of 2.5 ms, with what may have been said in a packet that is
    /// lost, from what was said before and what the next packet tells of it, if it is there.
    pub fn conceal(&mut self, next: Option<&[u8]>, samples: &mut [i16]) {
        let made = self.0.decode(next.unwrap_or_default(), samples, next.is_some()).unwrap_or(0);
        if let Some(rest) = samples.get_mut(made..) {
            rest.fill(0);
        }
    }
}

/// Samples at 16,000 a second as packets of 20 ms, and where each of them ends. The encoder looks
/// ahead: so much silence follows the sound that all of it comes out.
pub(super) fn encode(samples: &[i16]) -> (Vec<u8>, Vec<u32>) {
    match try_encode(samples) {
        Ok(encoded) => encoded,
        // libopus refuses no sound of this shape. Who hears nothing hears at least for how long.
        Err(_) => silence(samples.len().div_ceil(FRAME)),
    }
}

/// The same for music, as it is on hold: a packet for each 320 samples and none behind them, so that
/// the last [`AHEAD`] samples are to be silent.
pub(super) fn encode_music(samples: &[i16]) -> (Vec<u8>, Vec<u32>) {
    let encoded = music_encoder().and_then(|mut it| packets(&mut it, samples, samples.len()));
    encoded.unwrap_or_else(|_| silence(samples.len().div_ceil(FRAME)))
}

/// Encodes music that goes on.
pub(super) struct Streaming(Encoder);

impl Streaming {
    /// `None` if there is no memory for it.
    pub(super) fn new() -> Option<Self> {
        music_encoder().ok().map(Self)
    }

    /// The next packets, of 320 samples each, and where each of them ends.
    pub(super) fn push(&mut self, samples: &[i16]) -> (Vec<u8>, Vec<u32>) {
        let encoded = packets(&mut self.0, samples, samples.len());
        encoded.unwrap_or_else(|_| silence(samples.len().div_ceil(FRAME)))
    }
}

fn try_encode(samples: &[i16]) -> Result<(Vec<u8>, Vec<u32>), Error> {
    let mut encoder = Encoder::new(Codec::WIDE, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(BITS))?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(LOSS)?;
    let ahead = encoder.get_lookahead()?.unsigned_abs() as usize;
    packets(&mut encoder, samples, samples.len() + ahead)
}

fn music_encoder() -> Result<Encoder, Error> {
    let mut encoder = Encoder::new(Codec::WIDE, Channels::Mono, Application::Audio)?;
    encoder.set_signal(Signal::Music)?;
    encoder.set_bitrate(Bitrate::Bits(BITS_MUSIC))?;
    encoder.set_complexity(COMPLEXITY)?;
    Ok(encoder)
}

/// So many samples in packets, the last filled up with silence.
fn packets(
    encoder: &mut Encoder,
    samples: &[i16],
    length: usize,
) -> Result<(Vec<u8>, Vec<u32>), Error> {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    let mut packet = [0; LARGEST];
    for at in (0..length).step_by(FRAME) {
        let mut frame = [0; FRAME];
        let some = samples.get(at..).unwrap_or_default();
        let some = &some[..some.len().min(FRAME)];
        frame[..some.len()].copy_from_slice(some);
        let length = encoder.encode(&frame, &mut packet)?;
        bytes.extend_from_slice(&packet[..length]);
        ends.push(bytes.len() as u32);
    }
    Ok((bytes, ends))
}

fn silence(packets: usize) -> (Vec<u8>, Vec<u32>) {
    let ends = (1..=packets).map(|it| (it * SILENCE.len()) as u32).collect();
    (SILENCE.repeat(packets), ends)
}
