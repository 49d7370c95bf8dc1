//! The prompts: every clip of every language, read and checked at start, and encoded when the first
//! call in a codec hears it.
//!
//! They come from the program itself, and from a folder of the operator's, whose clips take the
//! place of ours. Where one of theirs is missing or cannot be read ours is heard; where there is
//! none, a voice speaks its text ([`Prompts::gaps`]), and where there is none for the language, it is
//! left out of its sentences: a prompt may be poorer for it, a call goes on. A sentence that a
//! language lacks is ours as well, and where there is none, heard in the next best language.

use std::{
    collections::HashMap,
    f32::consts::PI,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::{
    audio::{Clip, Codec},
    say::{NAME, Phrase, Phrases},
};

mod check;
mod embedded;

pub use check::{Finding, Problem, Report, check};

/// Spoken where a mailbox's own language is not at hand.
const FALLBACK: &str = "en";
/// Languages in a folder; more are passed over.
const MOST_LANGUAGES: usize = 64;
/// Clips of a language in a folder; more are passed over.
const MOST_CLIPS: usize = 2_000;
/// Bytes of a clip's file, about a minute and a half at 48 kHz; a larger one is left out.
const LARGEST_CLIP: u64 = 8 << 20;
/// Bytes of a `phrases.toml`; a larger one is an error.
const LARGEST_PHRASES: u64 = 1 << 20;

/// All that the server can say.
#[derive(Debug)]
pub struct Prompts {
    languages: HashMap<String, Language>,
    beep: Arc<Clip>,
    ringing: Arc<Clip>,
}

#[derive(Debug)]
struct Language {
    phrases: Phrases,
    clips: HashMap<String, Arc<Clip>>,
    /// What no clip says, by the name it would have.
    gaps: HashMap<String, Spoken>,
}

/// What a voice made of the text of a clip that is not there, once it has.
type Spoken = OnceLock<Arc<Clip>>;

/// A clip that is not there though it is known what it would say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The language's folder.
    pub language: String,
    /// The clip.
    pub name: String,
    /// What it would say.
    pub text: String,
}

/// Why the prompts could not be loaded. A clip alone is never a reason.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The folder, or one language of it, cannot be read.
    #[error("the prompts in {} cannot be read", path.display())]
    Folder {
        /// What was opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A language's sentences do not make sense.
    #[error("the phrases in {} are wrong", path.display())]
    Phrases {
        /// Which file.
        path: PathBuf,
        /// What is missing or unknown, and where.
        source: Box<toml::de::Error>,
    },
}

/// Why a clip is left out.
#[derive(Debug, thiserror::Error)]
enum ClipError {
    #[error("it is not a WAV file: {0}")]
    Wav(#[from] hound::Error),
    #[error("it is not 16-bit mono at 8 to 48 kHz")]
    Shape,
    #[error("it is larger than {LARGEST_CLIP} bytes")]
    Large,
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl Prompts {
    /// Our own languages, and those of a folder in their place.
    ///
    /// A folder holds a folder for each language, e.g. `fr/`, with WAV files (16-bit mono) and a
    /// `phrases.toml`; a language we have ourselves may do without the latter, and its clips stand
    /// in for those that are missing.
    ///
    /// # Errors
    /// When the folder cannot be read, or the phrases of a language are wrong.
    pub fn load(dir: Option<&Path>) -> Result<Self, PromptError> {
        let mut languages = HashMap::new();
        if let Some(dir) = dir {
            for (name, folder) in languages_in(dir)? {
                languages.insert(name.clone(), Language::of_folder(&name, &folder)?);
            }
        }
        for ours in embedded::LANGUAGES {
            if !languages.contains_key(ours.name) {
                languages.insert(ours.name.to_owned(), Language::of_ours(ours)?);
            }
        }
        Ok(Self { languages, beep: Arc::new(beep()), ringing: Arc::new(ringing()) })
    }

    /// The clips that are missing and can be spoken, in order of language and name.
    pub fn gaps(&self) -> Vec<Gap> {
        let of = |(language, it): (&String, &Language)| {
            let gap = |name: &String| {
                let text = it.phrases.text(name).unwrap_or_default().to_owned();
                Gap { language: language.clone(), name: name.clone(), text }
            };
            it.gaps.keys().map(gap).collect::<Vec<_>>()
        };
        let mut gaps: Vec<_> = self.languages.iter().flat_map(of).collect();
        gaps.sort_by(|a, b| (&a.language, &a.name).cmp(&(&b.language, &b.name)));
        gaps
    }

    /// Has calls from now on hear these samples where a clip is missing.
    pub fn fill(&self, gap: &Gap, samples: Vec<i16>, rate: u32) {
        let language = self.languages.get(&gap.language);
        if let Some(place) = language.and_then(|it| it.gaps.get(&gap.name)) {
            place.get_or_init(|| Arc::new(Clip::at(&gap.name, samples, rate)));
        }
    }

    /// Whether a phrase is spoken in this very language, region or not.
    pub fn speaks(&self, language: &str, phrase: &Phrase) -> bool {
        self.own(language).any(|it| it.phrases.has(phrase))
    }

    /// What to play for a phrase, in order. `fr-CA` is spoken as `fr` where there is no such
    /// folder or it lacks the sentence, an unknown language as English.
    pub fn clips(&self, language: &str, phrase: &Phrase) -> Vec<Arc<Clip>> {
        self.clips_with(language, phrase, None)
    }

    /// The same, with a recorded name where the phrase has one in it.
    pub fn clips_with(
        &self,
        language: &str,
        phrase: &Phrase,
        name: Option<&Arc<Clip>>,
    ) -> Vec<Arc<Clip>> {
        let mut spoken = self.own(language).chain(self.languages.get(FALLBACK));
        let Some(language) = spoken.find(|it| it.phrases.has(phrase)) else { return Vec::new() };
        let clip = |it: &str| if it == NAME { name } else { language.clip(it) };
        language.phrases.clips(phrase).into_iter().filter_map(|it| clip(it).cloned()).collect()
    }

    /// Played before recording begins: 1 kHz, 0.4 s.
    pub fn beep(&self) -> Arc<Clip> {
        Arc::clone(&self.beep)
    }

    /// One ring of somebody else's phone and the rest until the next, 6 s.
    pub fn ringing(&self) -> Arc<Clip> {
        Arc::clone(&self.ringing)
    }

    /// The languages that can be spoken, in no order.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.keys().map(String::as_str)
    }

    /// A language with its region, and without.
    fn own(&self, tag: &str) -> impl Iterator<Item = &Language> {
        let broader = tag.split(['-', '_']).next().unwrap_or_default();
        [tag, broader].into_iter().filter_map(move |it| self.languages.get(it))
    }
}

impl Language {
    fn of_ours(ours: &embedded::Language) -> Result<Self, PromptError> {
        let phrases = parse(ours.phrases, Path::new("the program itself"))?;
        let mut clips = HashMap::new();
        for &(name, wav) in ours.clips {
            insert(&mut clips, name, read(name, wav));
        }
        let mut language = Self { phrases, clips, gaps: HashMap::new() };
        language.complete(ours.name, &[]);
        Ok(language)
    }

    fn clip(&self, name: &str) -> Option<&Arc<Clip>> {
        self.clips.get(name).or_else(|| self.gaps.get(name)?.get())
    }

    fn of_folder(name: &str, folder: &Path) -> Result<Self, PromptError> {
        let mut phrases = phrases_of(name, folder)?;
        for missing in phrases.missing() {
            let heard = if ours(name).is_some() { "the built-in one" } else { "another language" };
            tracing::warn!("the sentence {name}/{missing} is missing; {heard} is heard");
        }
        complete(name, &mut phrases)?;
        let mut clips = HashMap::new();
        for (name, path) in clips_in(folder)? {
            insert(&mut clips, &name, open(&path).and_then(|wav| read(&name, &wav)));
        }
        let mut language = Self { phrases, clips, gaps: HashMap::new() };
        language.complete(name, ours(name).map_or(&[], |it| it.clips));
        Ok(language)
    }

    /// Fills gaps with our clips, and tells the operator once, at start, what callers will miss.
    fn complete(&mut self, language: &str, ours: &[(&str, &[u8])]) {
        let Self { phrases, clips, gaps } = self;
        let needed = phrases.names();
        for &(name, wav) in ours {
            if clips.contains_key(name) {
                continue;
            }
            insert(clips, name, read(name, wav));
            if needed.contains(name) {
                tracing::warn!(
                    "the prompt {language}/{name} is missing; the built-in one is heard"
                );
            }
        }
        for name in needed.into_iter().filter(|name| !clips.contains_key(*name)) {
            if phrases.text(name).is_some() {
                gaps.insert(name.to_owned(), Spoken::new());
                continue;
            }
            tracing::warn!(
                "the prompt {language}/{name} is missing, its text is not in [clips] either, and so \
                 it will be left out"
            );
        }
    }
}

/// The sentences of a folder, or ours where it has none.
fn phrases_of(name: &str, folder: &Path) -> Result<Phrases, PromptError> {
    let path = folder.join("phrases.toml");
    let phrases = match (fs_text(&path), ours(name)) {
        (Err(error), Some(ours)) if error.kind() == io::ErrorKind::NotFound => ours.phrases.into(),
        (text, _) => text.map_err(unreadable(&path))?,
    };
    parse(&phrases, &path)
}

/// Adds our sentences where a language of ours lacks some.
fn complete(name: &str, phrases: &mut Phrases) -> Result<(), PromptError> {
    if let Some(ours) = ours(name) {
        phrases.complete(parse(ours.phrases, Path::new("the program itself"))?);
    }
    Ok(())
}

fn ours(name: &str) -> Option<&'static embedded::Language> {
    embedded::LANGUAGES.iter().find(|it| it.name == name)
}

fn parse(text: &str, path: &Path) -> Result<Phrases, PromptError> {
    Phrases::parse(text)
        .map_err(|source| PromptError::Phrases { path: path.into(), source: Box::new(source) })
}

fn insert(clips: &mut HashMap<String, Arc<Clip>>, name: &str, clip: Result<Clip, ClipError>) {
    match clip {
        Ok(clip) => _ = clips.insert(name.to_owned(), Arc::new(clip)),
        Err(error) => tracing::warn!("the prompt {name} is left out: {error}"),
    }
}

/// A WAV file at any usual rate.
fn read(name: &str, wav: &[u8]) -> Result<Clip, ClipError> {
    let (rate, samples) = samples(wav)?;
    Ok(Clip::at(name, samples, rate))
}

/// A WAV file's rate and samples.
fn samples(wav: &[u8]) -> Result<(u32, Vec<i16>), ClipError> {
    let mut wav = hound::WavReader::new(wav)?;
    let spec = wav.spec();
    let shape = (spec.channels, spec.bits_per_sample, spec.sample_format);
    if shape != (1, 16, hound::SampleFormat::Int) || !(8_000..=48_000).contains(&spec.sample_rate) {
        return Err(ClipError::Shape);
    }
    Ok((spec.sample_rate, wav.samples().collect::<Result<_, _>>()?))
}

/// Sub-folders that are a language: ours by name, others by their phrases.
fn languages_in(dir: &Path) -> Result<Vec<(String, PathBuf)>, PromptError> {
    let mut found = entries(dir)?;
    found.retain(|(name, path)| {
        path.is_dir() && (ours(name).is_some() || path.join("phrases.toml").is_file())
    });
    Ok(at_most(MOST_LANGUAGES, found, dir))
}

/// WAV files by the name of their clip.
fn clips_in(folder: &Path) -> Result<Vec<(String, PathBuf)>, PromptError> {
    let clip = |(name, path): (String, PathBuf)| Some((name.strip_suffix(".wav")?.into(), path));
    let found = entries(folder)?.into_iter().filter_map(clip).collect();
    Ok(at_most(MOST_CLIPS, found, folder))
}

fn at_most<T>(limit: usize, mut found: Vec<T>, folder: &Path) -> Vec<T> {
    if found.len() > limit {
        tracing::warn!("{} holds more than {limit}; the rest is passed over", folder.display());
        found.truncate(limit);
    }
    found
}

/// A folder's entries in order of name.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, PromptError> {
    let entries = fs::read_dir(dir).and_then(|it| it.collect::<Result<Vec<_>, _>>());
    let entries = entries.map_err(unreadable(dir))?;
    let named = |it: fs::DirEntry| Some((it.file_name().into_string().ok()?, it.path()));
    let mut found: Vec<_> = entries.into_iter().filter_map(named).collect();
    found.sort();
    Ok(found)
}

fn open(path: &Path) -> Result<Vec<u8>, ClipError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_CLIP + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_CLIP { Err(ClipError::Large) } else { Ok(bytes) }
}

fn fs_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST_PHRASES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST_PHRASES {
        Err(io::ErrorKind::FileTooLarge.into())
    } else {
        Ok(text)
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> PromptError {
    move |source| PromptError::Folder { path: path.into(), source }
}

/// A sine, loud enough to be noticed and soft enough not to startle: -16 dBFS at its peaks.
fn beep() -> Clip {
    Clip::new("beep", &tone(1_000, Codec::RATE * 2 / 5, 0.158_5))
}

/// One of the ringing tones of ITU-T E.180, 425 Hz, with the pauses of North America: known everywhere.
fn ringing() -> Clip {
    let mut samples = tone(425, Codec::RATE * 2, 0.1);
    samples.resize(samples.len() * 3, 0);
    Clip::new("ringing", &samples)
}

/// So many samples of a sine, with raised-cosine flanks of 10 ms against clicks; 1 is full scale.
fn tone(hertz: u32, length: u32, peak: f32) -> Vec<i16> {
    const FLANK: u32 = Codec::RATE / 100;
    let sample = |at: u32| {
        let flank = at.min(length - 1 - at).min(FLANK) as f32 / FLANK as f32;
        let swell = 0.5 - 0.5 * (PI * flank).cos();
        let turns = (at * hertz % Codec::RATE) as f32 / Codec::RATE as f32;
        (32_768.0 * peak * swell * (2.0 * PI * turns).sin()) as i16
    };
    (0..length).map(sample).collect()
}
