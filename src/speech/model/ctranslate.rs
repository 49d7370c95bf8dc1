//! Reading a Whisper model in CTranslate2's format (version 6, `WhisperSpec`).
//!
//! The file is a version, a name, a revision, then variables (name, rank, dimensions, type, bytes)
//! and aliases. Only where each variable lies is kept; the weights stay on disk until asked for.
//! Types read are f32 and f16, and whole numbers for the few scalars.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use half::f16;

/// A model file, opened.
pub(super) struct Weights {
    file: File,
    variables: HashMap<String, Variable>,
}

/// Where a variable lies.
#[derive(Debug, Clone)]
struct Variable {
    shape: Vec<u32>,
    kind: u8,
    start: u64,
    bytes: u32,
}

/// One variable's values, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    /// Outermost dimension first; empty for a scalar.
    pub(super) shape: Vec<u32>,
    /// As many as the dimensions multiply to.
    pub(super) values: Vec<f32>,
}

const VERSION: u32 = 6;
/// More variables than any Whisper has.
const VARIABLES: u32 = 10_000;
/// More dimensions than any tensor has.
const RANK: u8 = 4;

impl Weights {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut from = BufReader::new(&file);
        require(number(&mut from)? == VERSION, "its version is not understood")?;
        require(text(&mut from)? == "WhisperSpec", "it is no Whisper model")?;
        let _revision = number(&mut from)?;
        let mut variables = read_variables(&mut from)?;
        read_aliases(&mut from, &mut variables)?;
        require(from.stream_position()? == length, "bytes are left over: are its parts in order?")?;
        Ok(Self { file, variables })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// Reads one variable.
    pub(super) fn read(&self, name: &str) -> io::Result<Tensor> {
        let missing = || invalid(&format!("it has no {name}"));
        let it = self.variables.get(name).ok_or_else(missing)?;
        let mut bytes = vec![0; it.bytes as usize];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(it.start))?;
        file.read_exact(&mut bytes)?;
        let values = values(&bytes, it.kind)?;
        let length = it.shape.iter().try_fold(1_u64, |all, &one| all.checked_mul(one.into()));
        require(length == Some(values.len() as u64), "a variable is not as long as its shape")?;
        Ok(Tensor { shape: it.shape.clone(), values })
    }
}

impl Tensor {
    /// Cuts the outermost dimension into equal parts.
    pub(super) fn split<const N: usize>(self) -> io::Result<[Tensor; N]> {
        let rows = self.shape.first().copied().unwrap_or(0);
        let parts = u32::try_from(N).map_err(io::Error::other)?;
        require(rows != 0 && rows % parts == 0, "a fused tensor cannot be divided")?;
        let mut shape = self.shape;
        shape[0] = rows / parts;
        let mut pieces = self.values.chunks_exact(self.values.len() / N);
        Ok(std::array::from_fn(|_| Tensor {
            shape: shape.clone(),
            values: pieces.next().unwrap_or_default().to_vec(),
        }))
    }
}

fn read_variables(from: &mut (impl Read + Seek)) -> io::Result<HashMap<String, Variable>> {
    let count = number(from)?;
    require(count <= VARIABLES, "it has too many variables")?;
    let mut variables = HashMap::new();
    for _ in 0..count {
        let name = text(from)?;
        let rank = byte(from)?;
        require(rank <= RANK, "a variable has too many dimensions")?;
        let shape = (0..rank).map(|_| number(from)).collect::<io::Result<_>>()?;
        let (kind, bytes) = (byte(from)?, number(from)?);
        let start = from.stream_position()?;
        from.seek_relative(i64::from(bytes))?;
        variables.insert(name, Variable { shape, kind, start, bytes });
    }
    Ok(variables)
}

fn read_aliases(from: &mut impl Read, variables: &mut HashMap<String, Variable>) -> io::Result<()> {
    let count = number(from)?;
    require(count <= VARIABLES, "it has too many aliases")?;
    for _ in 0..count {
        let (alias, name) = (text(from)?, text(from)?);
        if let Some(variable) = variables.get(&name).cloned() {
            variables.insert(alias, variable);
        }
    }
    Ok(())
}

fn values(bytes: &[u8], kind: u8) -> io::Result<Vec<f32>> {
    Ok(match kind {
        0 => bytes.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it)).collect(),
        1 => bytes.iter().map(|it| f32::from(it.cast_signed())).collect(),
        2 => bytes.as_chunks().0.iter().map(|it| f32::from(i16::from_le_bytes(*it))).collect(),
        3 => bytes.as_chunks().0.iter().map(|it| i32::from_le_bytes(*it) as f32).collect(),
        4 => bytes.as_chunks().0.iter().map(|it| f16::from_le_bytes(*it).to_f32()).collect(),
        _ => return Err(invalid("its weights are of a type that is not understood")),
    })
}

fn number(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn byte(from: &mut impl Read) -> io::Result<u8> {
    let mut bytes = [0];
    from.read_exact(&mut bytes)?;
    Ok(bytes[0])
}

/// A length of 16 bits that counts the closing NUL, then the text with it.
fn text(from: &mut impl Read) -> io::Result<String> {
    let mut length = [0; 2];
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; usize::from(u16::from_le_bytes(length))];
    from.read_exact(&mut bytes)?;
    bytes.pop();
    String::from_utf8(bytes).map_err(|_| invalid("a name in it is no text"))
}

pub(super) fn require(holds: bool, otherwise: &str) -> io::Result<()> {
    if holds { Ok(()) } else { Err(invalid(otherwise)) }
}

pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
