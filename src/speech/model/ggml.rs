//! Writing a Whisper model as whisper.cpp reads it (ggml, one file).
//!
//! A header of twelve numbers, the mel filters, the words, then the tensors: matrices in f16, the
//! rest in f32. CTranslate2 keeps query, key and value in one tensor; here they are apart, and the
//! key's bias, which is always zero, is left out.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use half::f16;

use super::ctranslate::{Tensor, Weights, invalid, require};

/// Converts a CTranslate2 model and its vocabulary (one word a line), one tensor at a time.
pub fn convert(weights: &Path, vocabulary: &Path, to: &mut impl Write) -> io::Result<()> {
    let weights = Weights::open(weights)?;
    let words = words(&fs::read_to_string(vocabulary)?)?;
    let sizes = Sizes::of(&weights)?;
    require(words.all == sizes.words, "the vocabulary is of another model")?;
    sizes.write(to)?;
    write_mel(sizes.mels, to)?;
    write_words(&words.plain, to)?;
    write_ends(&weights, to)?;
    for layer in 0..sizes.encoder_layers {
        write_block(&weights, "encoder", layer, to)?;
    }
    for layer in 0..sizes.decoder_layers {
        write_block(&weights, "decoder", layer, to)?;
    }
    Ok(())
}

/// `ggml`, as a number.
const MAGIC: u32 = 0x6767_6d6c;
/// Matrices are f16.
const HALF: u32 = 1;
/// Whisper's heads are all this wide.
const HEAD: u32 = 64;

struct Sizes {
    words: u32,
    audio_positions: u32,
    state: u32,
    encoder_heads: u32,
    encoder_layers: u32,
    text_positions: u32,
    decoder_heads: u32,
    decoder_layers: u32,
    mels: u32,
}

impl Sizes {
    fn of(weights: &Weights) -> io::Result<Self> {
        let shape = |name: &str| weights.read(name).map(|it| it.shape);
        let [words, state] = shape("decoder/embeddings/weight")?[..] else {
            return Err(invalid("its words are no matrix"));
        };
        let [_, mels, _] = shape("encoder/conv1/weight")?[..] else {
            return Err(invalid("its first layer is no convolution"));
        };
        let rows = |name: &str| shape(name).map(|it| it.first().copied().unwrap_or(0));
        let heads = |side: &str| match weights.read(&format!("{side}/num_heads")) {
            Ok(Tensor { values, .. }) => values.first().map_or(0, |&it| it as u32),
            Err(_) => state / HEAD,
        };
        Ok(Self {
            words,
            audio_positions: rows("encoder/position_encodings/encodings")?,
            state,
            encoder_heads: heads("encoder"),
            encoder_layers: layers(weights, "encoder"),
            text_positions: rows("decoder/position_encodings/encodings")?,
            decoder_heads: heads("decoder"),
            decoder_layers: layers(weights, "decoder"),
            mels,
        })
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let audio = [self.audio_positions, self.state, self.encoder_heads, self.encoder_layers];
        let text = [self.text_positions, self.state, self.decoder_heads, self.decoder_layers];
        numbers(&[MAGIC, self.words], to)?;
        numbers(&audio, to)?;
        numbers(&text, to)?;
        numbers(&[self.mels, HALF], to)
    }
}

/// How many blocks one side has.
fn layers(weights: &Weights, side: &str) -> u32 {
    let number = |name: &str| -> Option<u32> {
        let layer = name.strip_prefix(side)?.strip_prefix("/layer_")?;
        layer.split_once('/')?.0.parse().ok()
    };
    weights.names().filter_map(number).max().map_or(0, |last| last.saturating_add(1))
}

struct Words {
    /// How many there are, marks included.
    all: u32,
    /// The bytes of those that are text; whisper.cpp makes up the marks itself.
    plain: Vec<Vec<u8>>,
}

fn words(vocabulary: &str) -> io::Result<Words> {
    let lines: Vec<&str> = vocabulary.trim_end_matches('\n').split('\n').collect();
    let end = lines.iter().position(|&it| it == "<|endoftext|>");
    let end = end.ok_or_else(|| invalid("the vocabulary has no end mark"))?;
    let letters = letters();
    let bytes = |word: &str| {
        let byte = |letter| letters.iter().position(|&it| it == letter).map(|it| it as u8);
        word.chars().map(byte).collect::<Option<Vec<u8>>>()
    };
    let plain: Option<_> = lines[..end].iter().map(|it| bytes(it)).collect();
    let plain = plain.ok_or_else(|| invalid("the vocabulary has a letter that is no byte"))?;
    Ok(Words { all: u32::try_from(lines.len()).map_err(io::Error::other)?, plain })
}

/// The letter GPT-2's vocabulary writes for each byte: printable Latin-1 stands for itself, the
/// rest is numbered from U+0100 on.
fn letters() -> [char; 256] {
    let mut spare = '\u{100}'..;
    std::array::from_fn(|byte| match byte as u8 {
        plain @ (33..=126 | 161..=172 | 174..=255) => char::from(plain),
        _ => spare.next().unwrap_or_default(),
    })
}

fn write_words(words: &[Vec<u8>], to: &mut impl Write) -> io::Result<()> {
    numbers(&[words.len() as u32], to)?;
    for word in words {
        numbers(&[word.len() as u32], to)?;
        to.write_all(word)?;
    }
    Ok(())
}

/// What comes before and after the blocks.
fn write_ends(weights: &Weights, to: &mut impl Write) -> io::Result<()> {
    for conv in ["conv1", "conv2"] {
        let weight = weights.read(&format!("encoder/{conv}/weight"))?;
        write(&format!("encoder.{conv}.weight"), &weight, to)?;
        let mut bias = weights.read(&format!("encoder/{conv}/bias"))?;
        bias.shape.push(1);
        write_exact(&format!("encoder.{conv}.bias"), &bias, to)?;
    }
    let positions = weights.read("encoder/position_encodings/encodings")?;
    write_exact("encoder.positional_embedding", &positions, to)?;
    write_norm(weights, "encoder/layer_norm", "encoder.ln_post", to)?;
    let positions = weights.read("decoder/position_encodings/encodings")?;
    write_exact("decoder.positional_embedding", &positions, to)?;
    let embedding = weights.read("decoder/embeddings/weight")?;
    write("decoder.token_embedding.weight", &embedding, to)?;
    write_norm(weights, "decoder/layer_norm", "decoder.ln", to)
}

fn write_block(weights: &Weights, side: &str, layer: u32, to: &mut impl Write) -> io::Result<()> {
    let (from, block) = (format!("{side}/layer_{layer}"), format!("{side}.blocks.{layer}"));
    write_self_attention(weights, &format!("{from}/self_attention"), &format!("{block}.attn"), to)?;
    if side == "decoder" {
        let (from, attention) = (format!("{from}/attention"), format!("{block}.cross_attn"));
        write_cross_attention(weights, &from, &attention, to)?;
    }
    write_linear(weights, &format!("{from}/ffn/linear_0"), &format!("{block}.mlp.0"), to)?;
    write_linear(weights, &format!("{from}/ffn/linear_1"), &format!("{block}.mlp.2"), to)?;
    write_norm(weights, &format!("{from}/ffn/layer_norm"), &format!("{block}.mlp_ln"), to)
}

/// Query, key and value in one; then the way out.
fn write_self_attention(
    weights: &Weights,
    from: &str,
    name: &str,
    to: &mut impl Write,
) -> io::Result<()> {
    let fused = |what: &str| weights.read(&format!("{from}/linear_0/{what}"));
    let [query, key, value] = fused("weight")?.split()?;
    let [query_bias, key_bias, value_bias] = fused("bias")?.split()?;
    require_zero(&key_bias)?;
    write(&format!("{name}.query.weight"), &query, to)?;
    write(&format!("{name}.query.bias"), &query_bias, to)?;
    write(&format!("{name}.key.weight"), &key, to)?;
    write(&format!("{name}.value.weight"), &value, to)?;
    write(&format!("{name}.value.bias"), &value_bias, to)?;
    write_linear(weights, &format!("{from}/linear_1"), &format!("{name}.out"), to)?;
    write_norm(weights, &format!("{from}/layer_norm"), &format!("{name}_ln"), to)
}

/// The query alone, key and value in one; then the way out.
fn write_cross_attention(
    weights: &Weights,
    from: &str,
    name: &str,
    to: &mut impl Write,
) -> io::Result<()> {
    write_linear(weights, &format!("{from}/linear_0"), &format!("{name}.query"), to)?;
    let fused = |what: &str| weights.read(&format!("{from}/linear_1/{what}"));
    let [key, value] = fused("weight")?.split()?;
    let [key_bias, value_bias] = fused("bias")?.split()?;
    require_zero(&key_bias)?;
    write(&format!("{name}.key.weight"), &key, to)?;
    write(&format!("{name}.value.weight"), &value, to)?;
    write(&format!("{name}.value.bias"), &value_bias, to)?;
    write_linear(weights, &format!("{from}/linear_2"), &format!("{name}.out"), to)?;
    write_norm(weights, &format!("{from}/layer_norm"), &format!("{name}_ln"), to)
}

fn write_linear(weights: &Weights, from: &str, name: &str, to: &mut impl Write) -> io::Result<()> {
    write(&format!("{name}.weight"), &weights.read(&format!("{from}/weight"))?, to)?;
    write(&format!("{name}.bias"), &weights.read(&format!("{from}/bias"))?, to)
}

fn write_norm(weights: &Weights, from: &str, name: &str, to: &mut impl Write) -> io::Result<()> {
    write(&format!("{name}.weight"), &weights.read(&format!("{from}/gamma"))?, to)?;
    write(&format!("{name}.bias"), &weights.read(&format!("{from}/beta"))?, to)
}

fn require_zero(bias: &Tensor) -> io::Result<()> {
    require(bias.values.iter().all(|&it| it == 0.0), "a key has a bias")
}

/// A tensor: matrices in half precision.
fn write(name: &str, tensor: &Tensor, to: &mut impl Write) -> io::Result<()> {
    if tensor.shape.len() < 2 {
        return write_exact(name, tensor, to);
    }
    let halves = tensor.values.iter().flat_map(|&it| f16::from_f32(it).to_le_bytes());
    write_tensor(name, &tensor.shape, HALF, &halves.collect::<Vec<u8>>(), to)
}

/// A tensor in full precision.
fn write_exact(name: &str, tensor: &Tensor, to: &mut impl Write) -> io::Result<()> {
    let exact = tensor.values.iter().flat_map(|it| it.to_le_bytes());
    write_tensor(name, &tensor.shape, 0, &exact.collect::<Vec<u8>>(), to)
}

fn write_tensor(
    name: &str,
    shape: &[u32],
    kind: u32,
    values: &[u8],
    to: &mut impl Write,
) -> io::Result<()> {
    numbers(&[shape.len() as u32, name.len() as u32, kind], to)?;
    let innermost_first: Vec<u32> = shape.iter().rev().copied().collect();
    numbers(&innermost_first, to)?;
    to.write_all(name.as_bytes())?;
    to.write_all(values)
}

fn numbers(numbers: &[u32], to: &mut impl Write) -> io::Result<()> {
    numbers.iter().try_for_each(|it| to.write_all(&it.to_le_bytes()))
}

/// Frequencies of a spectrum of 400 samples at 16,000 a second.
const BINS: usize = 201;
/// The highest of them, in Hz.
const HIGHEST: f64 = 8_000.0;
/// Slaney's scale: even up to here (in Hz), logarithmic above.
const BEND: f64 = 1_000.0;
/// Hz a mel below the bend.
const EVEN: f64 = 200.0 / 3.0;

/// The mel filters: triangles of equal area, evenly spaced on Slaney's scale.
fn write_mel(mels: u32, to: &mut impl Write) -> io::Result<()> {
    numbers(&[mels, BINS as u32], to)?;
    let (count, top) = (mels as usize, mel(HIGHEST));
    let step = top / (count + 1) as f64;
    let corner = |at: usize| hertz(if at == count + 1 { top } else { at as f64 * step });
    let corners: Vec<f64> = (0..count + 2).map(corner).collect();
    for corners in corners.windows(3) {
        let &[low, middle, high] = corners else { continue };
        for bin in 0..BINS {
            let here = bin as f64 * (HIGHEST / (BINS - 1) as f64);
            // Minus zero at the very first place, as other converters have it: sums compare.
            let (rise, fall) = (-(low - here) / (middle - low), (high - here) / (high - middle));
            let height = if rise.min(fall) < 0.0 { 0.0 } else { rise.min(fall) };
            let height = height * (2.0 / (high - low));
            to.write_all(&(height as f32).to_le_bytes())?;
        }
    }
    Ok(())
}

fn mel(hertz: f64) -> f64 {
    if hertz < BEND { hertz / EVEN } else { BEND / EVEN + (hertz / BEND).ln() / log_step() }
}

fn hertz(mel: f64) -> f64 {
    let bend = BEND / EVEN;
    if mel < bend { EVEN * mel } else { BEND * (log_step() * (mel - bend)).exp() }
}

/// Natural logarithm of the ratio from one mel to the next above the bend.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}
