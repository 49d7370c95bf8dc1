//! The models: which there are, which lie here, and getting one.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

mod ctranslate;
mod download;
mod fetch;
mod firefox;
mod ggml;
mod packages;
pub(crate) mod pair;

pub use fetch::{FetchError, Progress, Sources, Stage, fetch, obtain};
pub use ggml::convert;
pub use packages::{Part, Remake};
pub use pair::{InstalledPair, fetch_pair, is_pair, list_pairs};

/// A model that can be fetched by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// E.g. `base`, or `tiny.en` for one that knows English only.
    pub name: &'static str,
    /// Bytes of its file.
    pub size: u64,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: &'static str,
    /// How to make it from packages where its source cannot be reached.
    pub remake: Option<Remake>,
}

/// Every model known by name, smallest first.
pub const CATALOGUE: [Model; 5] = [
    Model {
        name: "tiny.en",
        size: 77_704_715,
        sha256: "921e4cf8686fdd993dcd081a5da5b6c365bfde1162e72b08d75ac75289920b1f",
        remake: Some(packages::TINY_EN),
    },
    Model {
        name: "tiny",
        size: 77_691_713,
        sha256: "be07e048e1e599ad46341c8d2a135645097a538221678b7acdd1b1919c6e1b21",
        remake: None,
    },
    Model {
        name: "base.en",
        size: 147_964_211,
        sha256: "a03779c86df3323075f5e796cb2ce5029f00ec8869eee3fdfb897afe36c6d002",
        remake: None,
    },
    Model {
        name: "base",
        size: 147_951_465,
        sha256: "60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe",
        remake: Some(packages::BASE),
    },
    Model {
        name: "small",
        size: 487_601_967,
        sha256: "1be3a9b2063867b937e64e2ec7483364a79917e157fa98c5d94b5c1fffea987b",
        remake: None,
    },
];

/// A model's file found in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The name settings call it by.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Bytes of the file.
    pub size: u64,
    /// Whether it is what it should be.
    pub state: State,
}

/// What the checksum of a model's file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As published.
    Published,
    /// As made from packages.
    Remade,
    /// Of this name, but not what is known by it: damaged, or the operator's own.
    Different,
    /// Not in the catalogue: nothing to compare with.
    Unknown,
    /// It cannot be read.
    Unreadable,
}

/// The model of this name in the [`CATALOGUE`].
pub fn named(name: &str) -> Option<&'static Model> {
    CATALOGUE.iter().find(|it| it.name == name)
}

/// The name of a model's file.
pub fn file_name(name: &str) -> String {
    format!("ggml-{name}.bin")
}

/// The models in a folder, by name. Reads them whole to check them, which takes a second or so.
pub fn list(dir: &Path) -> Vec<Installed> {
    names(dir).into_iter().map(|name| look(dir, name)).collect()
}

/// The names of the models in a folder, sorted; none where there is no folder.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let name = |file: std::fs::DirEntry| {
        let file = file.file_name().into_string().ok()?;
        Some(file.strip_prefix("ggml-")?.strip_suffix(".bin")?.to_owned())
    };
    let mut names: Vec<String> = files.filter_map(name).collect();
    names.sort();
    names
}

/// One model of a folder, whether it is there or not. Reads it whole to check it.
pub fn look(dir: &Path, name: String) -> Installed {
    let path = dir.join(file_name(&name));
    let size = path.metadata().map_or(0, |it| it.len());
    let state = match (sha256(&path), named(&name)) {
        (Err(_), _) => State::Unreadable,
        (Ok(_), None) => State::Unknown,
        (Ok(sum), Some(known)) if sum == known.sha256 => State::Published,
        (Ok(sum), Some(Model { remake: Some(it), .. })) if sum == it.sha256 => State::Remade,
        (Ok(_), Some(_)) => State::Different,
    };
    Installed { name, path, size, state }
}

/// SHA-256 of a file in hexadecimal.
pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(digest)),
            length => digest.update(&buffer[..length]),
        }
    }
}

/// What a digest came to, in hexadecimal.
fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
