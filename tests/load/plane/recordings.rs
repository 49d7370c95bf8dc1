//! Whether what was recorded is what was said.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::signal::{FRAME, from_law, samples, signal, to_law};

/// By how many samples a piece of what is said is found.
const MARK: usize = 8;
/// Why the first few are not what was said is told.
const TOLD: usize = 5;

/// What a look at recordings found.
#[derive(Debug, Default)]
pub struct Recordings {
    pub files: usize,
    pub samples: u64,
    /// Why the first few are not what was said.
    pub wrong: Vec<String>,
    pub wrongs: usize,
    /// Messages that were left and of which there is no recording.
    pub missing: u64,
    /// The longest silence before or after what was said, in samples.
    pub quiet: usize,
    seen: HashSet<PathBuf>,
}

/// What is said, and where in it a frame begins.
struct Said {
    samples: Vec<i16>,
    places: HashMap<[i16; MARK], usize>,
}

impl Recordings {
    /// Compares the recordings below a folder that were not seen before with what was said. Each must be
    /// one unbroken piece of it, at least so many samples long. Answers which they were.
    pub fn look(&mut self, folder: &Path, least: usize) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        list(folder, &mut files)?;
        files.retain(|it| !self.seen.contains(it));
        for file in &files {
            let samples = samples(&fs::read(file)?);
            self.files += 1;
            self.samples += samples.len() as u64;
            match judge(&samples, said(), least) {
                Ok(quiet) => self.quiet = self.quiet.max(quiet),
                Err(why) => {
                    self.wrongs += 1;
                    if self.wrong.len() < TOLD {
                        self.wrong.push(format!("{}: {why}", file.display()));
                    }
                }
            }
            self.seen.insert(file.clone());
        }
        Ok(files)
    }
}

fn said() -> &'static Said {
    static SAID: OnceLock<Said> = OnceLock::new();
    SAID.get_or_init(|| {
        let samples: Vec<i16> = signal().iter().map(|it| from_law(*it)).collect();
        let mark = |at: usize| <[i16; MARK]>::try_from(&samples[at..at + MARK]).ok();
        let starts = (0..samples.len()).step_by(FRAME);
        let places = starts.filter_map(|at| Some((mark(at)?, at))).collect();
        Said { samples, places }
    })
}

/// How much silence is around what was said, or why it is something else.
fn judge(samples: &[i16], said: &Said, least: usize) -> Result<usize, String> {
    if samples.len() < least {
        return Err(format!("{} samples of {least}", samples.len()));
    }
    // Before the first packet nothing is said; up to two frames may be what was said before the beep.
    let quiet = samples.iter().position(|it| *it != 0).unwrap_or(samples.len());
    let marks = samples[quiet..].windows(MARK).take(2 * FRAME).enumerate();
    let first = marks.filter_map(|(at, it)| Some((quiet + at, *said.places.get(it)?))).next();
    let Some((lead, place)) = first else { return Err("it begins with something else".into()) };
    let theirs = said.samples.iter().cycle().skip(place);
    // While a hang-up is on its way, nothing is said.
    let end = samples.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
    match samples[lead..end].iter().zip(theirs).position(|(one, other)| one != other) {
        Some(at) => Err(format!("from sample {} of {end} it is something else", lead + at)),
        None if end < least => Err(format!("{end} samples of {least}, and silence")),
        None => Ok(quiet.max(samples.len() - end)),
    }
}

/// Every file below a folder. What is being written has another name until it is all there.
fn list(folder: &Path, to: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, to)?;
        } else if path.extension().is_some_and(|it| it == "wav") {
            to.push(path);
        }
    }
    Ok(())
}

/// A message whose sound is known, as an owner hears it.
pub struct Known {
    sound: Vec<u8>,
    places: HashMap<[u8; MARK], usize>,
}

/// What an owner hears first of it is looked for in so many samples of it.
const BEGINNING: usize = 16_000;

impl Known {
    /// The message in a file.
    pub fn read(file: &Path) -> io::Result<Self> {
        let sound: Vec<u8> = samples(&fs::read(file)?).into_iter().map(to_law).collect();
        let marks = sound.windows(MARK).take(BEGINNING).enumerate();
        // Silence is in many places.
        let marks = marks.filter(|(_, it)| it.iter().any(|byte| *byte != it[0]));
        let places = marks.filter_map(|(at, it)| Some((it.try_into().ok()?, at))).collect();
        Ok(Self { sound, places })
    }

    /// Where a frame of it is, looked for near its beginning.
    pub fn place(&self, frame: &[u8]) -> Option<usize> {
        let at = *self.places.get(frame.get(..MARK)?)?;
        self.is_at(at, frame).then_some(at)
    }

    /// Whether a frame is what is there.
    pub fn is_at(&self, at: usize, frame: &[u8]) -> bool {
        self.sound.get(at..at + frame.len()).is_some_and(|it| it == frame)
    }
}
