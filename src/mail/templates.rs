//! The sentences of letters and of the pages their links open: one folder per language, built in,
//! and replaced file by file by those of an operator's folder.
//!
//! All of them are read, parsed and tried on made-up messages when the server starts, so that a
//! slip is told then, with its file and line, and not when a message waits to be mailed.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use minijinja::{Environment, Error, UndefinedBehavior, Value, syntax::SyntaxConfig};

use super::sample;

/// All languages there are sentences for.
#[derive(Debug)]
pub struct Templates {
    ours: Environment<'static>,
    theirs: Option<Theirs>,
}

/// An operator's own.
#[derive(Debug)]
struct Theirs {
    templates: Environment<'static>,
    /// Name and file.
    files: BTreeMap<String, PathBuf>,
}

/// One file of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Of the letter.
    Subject,
    /// The letter as plain text.
    Text,
    /// The letter as HTML.
    Html,
    /// Of the short letter.
    ShortSubject,
    /// The short letter, which has no HTML.
    Short,
    /// When the message was left: date and time.
    Date,
    /// The same in a few characters.
    Moment,
    /// A day without a time.
    Day,
    /// The page to listen to one recording.
    Listen,
    /// The page to ask for no more mail.
    Unsubscribe,
    /// The page of links that lead nowhere.
    Gone,
    /// The letter about a mailbox that wrong PINs have locked: its subject, then its text.
    Locked,
}

/// Which sentence cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}{}: {problem}", .line.map(|it| format!(", line {it}")).unwrap_or_default())]
pub struct TemplateError {
    /// The file, or the name of one that is built in.
    pub file: String,
    /// Where in it, if that is known.
    pub line: Option<usize>,
    /// What is wrong there.
    pub problem: String,
}

/// The language whose files exist for certain.
const FALLBACK: &str = "en";
/// Steps one file may take to be written; ours take some hundreds.
const FUEL: u64 = 200_000;
/// Largest file of an operator, in bytes.
const LARGEST: u64 = 256 * 1024;
/// The frame of the pages; not among the files of a language.
const FRAME: &str = "page/guest.html";

macro_rules! built_in {
    ($($language:literal: [$($file:literal),+]),+) => {
        &[$($((
            concat!($language, "/", $file),
            include_str!(concat!("../../assets/mail/", $language, "/", $file)),
        )),+),+]
    };
}

const BUILT_IN: &[(&str, &str)] = built_in! {
    "en": ["subject.txt", "letter.txt", "letter.html", "short-subject.txt", "short.txt", "date.txt",
           "moment.txt", "day.txt", "listen.html", "unsubscribe.html", "gone.html", "locked.txt"],
    "fr": ["subject.txt", "letter.txt", "letter.html", "short-subject.txt", "short.txt", "date.txt",
           "moment.txt", "day.txt", "listen.html", "unsubscribe.html", "gone.html", "locked.txt"],
    "page": ["guest.html"]
};

impl Part {
    /// All of them.
    pub const ALL: [Part; 12] = [
        Part::Subject,
        Part::Text,
        Part::Html,
        Part::ShortSubject,
        Part::Short,
        Part::Date,
        Part::Moment,
        Part::Day,
        Part::Listen,
        Part::Unsubscribe,
        Part::Gone,
        Part::Locked,
    ];

    /// What the file is called in every language.
    pub fn file(self) -> &'static str {
        match self {
            Part::Subject => "subject.txt",
            Part::Text => "letter.txt",
            Part::Html => "letter.html",
            Part::ShortSubject => "short-subject.txt",
            Part::Short => "short.txt",
            Part::Date => "date.txt",
            Part::Moment => "moment.txt",
            Part::Day => "day.txt",
            Part::Listen => "listen.html",
            Part::Unsubscribe => "unsubscribe.html",
            Part::Gone => "gone.html",
            Part::Locked => "locked.txt",
        }
    }
}

impl Templates {
    /// Those that are built in.
    pub fn built_in() -> Self {
        let mut ours = bare();
        for (name, source) in BUILT_IN {
            ours.add_template(name, source).expect("a template of ours, read by a test");
        }
        Self { ours, theirs: None }
    }

    /// With those of a folder in their place, as far as it has them: `folder/LANGUAGE/FILE`.
    ///
    /// # Errors
    /// The first file that cannot be read, has a name nothing asks for, or cannot be written with
    /// the facts of a message.
    pub fn open(folder: Option<&Path>) -> Result<Self, TemplateError> {
        let mut templates = Self::built_in();
        let Some(folder) = folder else { return Ok(templates) };
        let files = files(folder)?;
        let mut theirs = Theirs { templates: bare(), files };
        // What a file of theirs extends or includes may be one of ours.
        for (name, source) in BUILT_IN {
            theirs.templates.add_template(name, source).map_err(|it| theirs.told(name, &it))?;
        }
        for (name, file) in &theirs.files {
            let source = read(file)?;
            let added = theirs.templates.add_template_owned(name.clone(), source);
            added.map_err(|it| told(&theirs.files, name, &it))?;
        }
        theirs.check_names()?;
        templates.theirs = Some(theirs);
        templates.try_all()?;
        Ok(templates)
    }

    /// Writes a part in a language; in what comes nearest to it if there is no such language.
    ///
    /// # Errors
    /// Only if the file asks for what it is not told. When an operator's does, ours is written.
    pub fn write(
        &self,
        language: &str,
        part: Part,
        facts: &Value,
    ) -> Result<String, TemplateError> {
        if let Some(theirs) = &self.theirs
            && let Some(name) = nearest(language, part, |it| theirs.files.contains_key(it))
            // Ours in the right language rather than theirs in another.
            && (!name.starts_with("en/") || self.ours(language, part).starts_with("en/"))
        {
            match rendered(&theirs.templates, &name, facts) {
                Ok(written) => return Ok(written),
                Err(error) => {
                    let error = theirs.told(&name, &error);
                    tracing::error!("{error}; the built-in one is used instead");
                }
            }
        }
        let name = self.ours(language, part);
        rendered(&self.ours, &name, facts).map_err(|it| told(&BTreeMap::new(), &name, &it))
    }

    /// The languages that have sentences of their own, built in or of the operator.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        let theirs = self.theirs.iter().flat_map(|it| it.files.keys().map(String::as_str));
        let ours = BUILT_IN.iter().map(|(name, _)| *name).filter(|it| *it != FRAME);
        let names: HashSet<&str> =
            theirs.chain(ours).filter_map(|it| Some(it.split_once('/')?.0)).collect();
        names.into_iter()
    }

    fn ours(&self, language: &str, part: Part) -> String {
        let there = |name: &str| BUILT_IN.iter().any(|(it, _)| *it == name);
        nearest(language, part, there).unwrap_or_else(|| format!("{FALLBACK}/{}", part.file()))
    }

    /// Writes every file of the operator on every kind of message.
    fn try_all(&self) -> Result<(), TemplateError> {
        let Some(theirs) = &self.theirs else { return Ok(()) };
        for name in theirs.files.keys() {
            let Some((language, file)) = name.split_once('/') else { continue };
            let Some(part) = Part::ALL.into_iter().find(|it| it.file() == file) else { continue };
            for facts in sample::facts(self, language, part)? {
                let written = rendered(&theirs.templates, name, &facts);
                written.map_err(|it| theirs.told(name, &it))?;
            }
        }
        Ok(())
    }
}

impl Theirs {
    /// That nothing is asked for which nobody tells, not even where no sample leads.
    fn check_names(&self) -> Result<(), TemplateError> {
        for (name, file) in &self.files {
            let Ok(template) = self.templates.get_template(name) else { continue };
            let part = Part::ALL.into_iter().find(|it| name.ends_with(it.file()));
            let known = sample::names(part.unwrap_or(Part::Text));
            let globals: HashSet<&str> = self.templates.globals().map(|(it, _)| it).collect();
            let asked = template.undeclared_variables(false);
            let unknown = asked.iter().filter(|it| !globals.contains(it.as_str()));
            let Some(unknown) = unknown.filter(|it| !known.contains(&it.as_str())).min() else {
                continue;
            };
            let line = template.source().lines().position(|it| it.contains(unknown.as_str()));
            let near = known.iter().min_by_key(|it| strsim::damerau_levenshtein(unknown, it));
            let near = near.map(|it| format!("; did you mean {it:?}?")).unwrap_or_default();
            return Err(TemplateError {
                file: file.display().to_string(),
                line: line.map(|it| it + 1),
                problem: format!("nothing is called {unknown:?} here{near}"),
            });
        }
        Ok(())
    }

    fn told(&self, name: &str, error: &Error) -> TemplateError {
        told(&self.files, name, error)
    }
}

/// What a template engine says, with the operator's own file in it.
fn told(files: &BTreeMap<String, PathBuf>, name: &str, error: &Error) -> TemplateError {
    let name = error.name().unwrap_or(name);
    let detail = error.detail().map(|it| format!(": {it}")).unwrap_or_default();
    TemplateError {
        file: files.get(name).map_or_else(|| name.to_owned(), |it| it.display().to_string()),
        line: error.line(),
        problem: format!("{}{detail}", error.kind()),
    }
}

fn bare() -> Environment<'static> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_syntax(blocks_leave_no_gaps());
    templates.set_fuel(Some(FUEL));
    templates
}

/// A line with nothing but a block on it leaves no line behind.
fn blocks_leave_no_gaps() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    syntax.build().expect("the usual delimiters, which do not clash")
}

fn rendered(templates: &Environment<'static>, name: &str, facts: &Value) -> Result<String, Error> {
    templates.get_template(name)?.render(facts)
}

/// The file of a language, else of the language without its region, else of the fallback.
fn nearest(language: &str, part: Part, there: impl Fn(&str) -> bool) -> Option<String> {
    let plain = language.split('-').next().unwrap_or(language);
    let mut names =
        [language, plain, FALLBACK].into_iter().map(|it| format!("{it}/{}", part.file()));
    names.find(|it| there(it))
}

/// The files of a folder, by the names templates have; those that begin with a dot or end with `~`
/// are somebody's editor's.
fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, TemplateError> {
    let mut files = BTreeMap::new();
    for language in listed(folder)?.into_iter().filter(|it| it.is_dir()) {
        for file in listed(&language)?.into_iter().filter(|it| it.is_file()) {
            let [code, name] =
                [&language, &file].map(|it| it.file_name().and_then(|it| it.to_str()));
            let (Some(code), Some(name)) = (code, name) else { continue };
            if !Part::ALL.iter().any(|it| it.file() == name) {
                let near = Part::ALL.map(Part::file);
                let near = near.iter().min_by_key(|it| strsim::damerau_levenshtein(name, it));
                let near = near.map(|it| format!("; did you mean {it}?")).unwrap_or_default();
                let problem = format!("no letter or page has a file of this name{near}");
                return Err(TemplateError {
                    file: file.display().to_string(),
                    line: None,
                    problem,
                });
            }
            files.insert(format!("{code}/{name}"), file);
        }
    }
    Ok(files)
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, TemplateError> {
    let unreadable = |cause| unreadable(folder, &cause);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && !name.ends_with('~') {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn read(file: &Path) -> Result<String, TemplateError> {
    let size = fs::metadata(file).map_err(|cause| unreadable(file, &cause))?.len();
    if size > LARGEST {
        let problem = format!("it has {size} bytes; {LARGEST} at most");
        return Err(TemplateError { file: file.display().to_string(), line: None, problem });
    }
    fs::read_to_string(file).map_err(|cause| unreadable(file, &cause))
}

fn unreadable(file: &Path, cause: &io::Error) -> TemplateError {
    let problem = format!("it cannot be read: {cause}");
    TemplateError { file: file.display().to_string(), line: None, problem }
}
