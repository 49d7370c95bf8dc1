//! What a notification says: the transcript first, then who called, when and how long.
//!
//! Pure: the same facts make the same letter on every try. Everything a stranger said is cleaned
//! of control characters here and escaped by the templates of `assets/mail/`; how a letter becomes
//! bytes is `mime`'s business.

use std::{fmt, time::Duration};

use bytes::Bytes;
use minijinja::{Value, context};
use uuid::Uuid;

use super::{
    links::Ways,
    templates::{Part, TemplateError, Templates},
    words::{code, cut, dialable, file_name, isolated, line, local, minutes, moment, paragraph},
};
use crate::mailbox::{
    Caller, Envelope, Mailbox, MessageId, Notice, Said, Segment, Timestamp, Transcript,
    room::MadeRoom, settings::Attach,
};

/// Everything a letter or a page can tell of a message.
#[derive(Debug, Clone, Copy)]
pub struct News<'a> {
    /// The message.
    pub id: MessageId,
    /// Where it lies; its language, time zone and clock are the letter's.
    pub mailbox: &'a Mailbox,
    /// Who left it, when and how long it is.
    pub envelope: &'a Envelope,
    /// When it came into the mailbox: what is passed on was left long before, maybe.
    pub filed: Timestamp,
    /// What was said.
    pub text: &'a Text,
    /// The same in another language.
    pub translated: &'a Translated,
    /// What its caller said of it.
    pub said: Said,
    /// The number of the mailbox whose owner passed it on.
    pub forwarded_by: Option<&'a str>,
    /// How full the mailbox was then, where that is worth telling, and what gave way.
    pub room: Option<&'a MadeRoom>,
    /// How long what lies in the trash can be fetched back.
    pub keep_trash: Duration,
    /// The mail server takes no letter with the recording in it.
    pub too_large: bool,
}

/// What became of a message's words.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// They were written down. Without any it counts as [`Text::NoSpeech`].
    Transcript(Transcript),
    /// Nobody spoke.
    NoSpeech,
    /// They could not be, or not in time: why, as a sentence for the owner.
    NotTranscribed(String),
    /// The owner does not want it.
    Off,
}

/// What became of a transcript's translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Translated {
    /// The owner does not want one, or there is nothing to translate.
    Off,
    /// A machine made it.
    Made {
        /// ISO 639-1.
        language: String,
        /// All of it.
        text: String,
        /// Numbers of the original that are not in it, in digits.
        missing: Vec<String>,
        /// Numbers in it that are not in the original, in digits.
        added: Vec<String>,
    },
    /// There is none, or none yet: why, as a sentence for the owner.
    NotMade(String),
}

/// A letter about one message to one recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message it is about; its Message-ID is made from it.
    pub id: MessageId,
    /// Whether it holds everything.
    pub kind: Notice,
    /// What the message's caller said of it.
    pub said: Said,
    /// Its date: when the message came into the mailbox.
    pub date: Timestamp,
    /// Caller and first words, in one line.
    pub subject: String,
    /// All of it for readers of plain text.
    pub text: String,
    /// All of it as HTML; a short letter has none.
    pub html: Option<String>,
    /// What was said, if it is in the letter.
    pub recording: Option<Recording>,
    /// Where this recipient can ask for no more of them.
    pub unsubscribe: Option<String>,
}

/// The sound that goes with a letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    /// A file name of letters, digits, `-` and `.` only.
    pub name: String,
    /// The sound.
    pub sound: Sound,
}

/// A file of sound.
#[derive(Clone, PartialEq, Eq)]
pub struct Sound {
    /// What kind of file it is.
    pub kind: Attach,
    /// All of it.
    pub bytes: Bytes,
}

/// Segments the recogniser believed in less than this are marked.
const UNSURE: f32 = 0.5;
/// Characters of the transcript told in the subject.
const FIRST_WORDS: usize = 60;
/// Characters of a short letter: those of one text message.
const TEXT_MESSAGE: usize = 160;
/// Characters a subject may have.
const SUBJECT: usize = 250;
/// Messages that gave way and are told one by one.
const ROTATED: usize = 20;
/// Numbers that differ and are told one by one.
const DIFFERENCES: usize = 10;

impl Letter {
    /// Writes the letter with everything in it. Without a sound it says that the recording is
    /// missing, or too large; that of a private message is not in it, nor a way there.
    ///
    /// # Errors
    /// Only if a template asks for something it is not told.
    pub fn full(
        templates: &Templates,
        news: &News<'_>,
        ways: &Ways,
        sound: Option<Sound>,
    ) -> Result<Self, TemplateError> {
        let name = |kind: Attach| format!("{}.{kind}", file_stem(news));
        let sound = sound.filter(|_| !news.said.private);
        let recording = sound.map(|sound| Recording { name: name(sound.kind), sound });
        let file = recording.as_ref().map(|it| it.name.as_str());
        let facts = facts(templates, news, ways, file)?;
        let write = |part| templates.write(language(news), part, &facts);
        Ok(Self {
            id: news.id,
            kind: Notice::Full,
            said: news.said,
            date: news.filed,
            subject: cut(&one_line(&write(Part::Subject)?), SUBJECT),
            text: write(Part::Text)?,
            html: Some(write(Part::Html)?),
            recording,
            unsubscribe: ways.unsubscribe.clone(),
        })
    }

    /// Writes the short letter: who, when, how long and the first words, in the space of a text
    /// message.
    ///
    /// # Errors
    /// Only if a template asks for something it is not told.
    pub fn short(
        templates: &Templates,
        news: &News<'_>,
        ways: &Ways,
    ) -> Result<Self, TemplateError> {
        let facts = facts(templates, news, ways, None)?;
        let write = |part| Ok(one_line(&templates.write(language(news), part, &facts)?));
        Ok(Self {
            id: news.id,
            kind: Notice::Short,
            said: news.said,
            date: news.filed,
            subject: cut(&write(Part::ShortSubject)?, SUBJECT),
            text: fitted(&write(Part::Short)?),
            html: None,
            recording: None,
            unsubscribe: ways.unsubscribe.clone(),
        })
    }
}

/// What is told to the owner of a mailbox that wrong PINs have locked.
#[derive(Debug, Clone, Copy)]
pub struct Lock<'a> {
    /// Which one; its language, time zone and clock are the letter's.
    pub mailbox: &'a Mailbox,
    /// When the last wrong PIN came.
    pub at: Timestamp,
    /// Until when no PIN opens it.
    pub until: Timestamp,
    /// Who called then, as far as the call told.
    pub source: Option<&'a str>,
}

impl Letter {
    /// Writes the letter about a lock: its subject is the first line of the template. One lock has one
    /// id, so a second copy is the same letter.
    ///
    /// # Errors
    /// Only if the template asks for something it is not told.
    pub fn locked(templates: &Templates, lock: &Lock<'_>) -> Result<Self, TemplateError> {
        let settings = &lock.mailbox.settings;
        let at = |time| {
            let moment = moment(&local(time, &settings.time_zone), settings.hours);
            templates.write(&settings.pages, Part::Date, &moment).map(|it| one_line(&it))
        };
        let facts = context! {
            mailbox => line(&lock.mailbox.number),
            owner => line(&lock.mailbox.name),
            at => at(lock.at)?,
            until => at(lock.until)?,
            source => lock.source.map(|it| isolated(&line(it))),
        };
        let written = templates.write(&settings.pages, Part::Locked, &facts)?;
        let (subject, text) = written.split_once('\n').unwrap_or((&written, ""));
        let time = u64::try_from(lock.until.0).unwrap_or(0);
        Ok(Self {
            id: MessageId(Uuid::from_u64_pair(time << 16, 0)).copy(&lock.mailbox.id),
            kind: Notice::Full,
            said: Said { urgent: true, private: false },
            date: lock.at,
            subject: cut(&one_line(subject), SUBJECT),
            text: text.trim_start().to_owned(),
            html: None,
            recording: None,
            unsubscribe: None,
        })
    }
}

/// The page that a letter's link to the recording opens. `audio` is where the sound is.
///
/// # Errors
/// Only if a template asks for something it is not told.
pub fn listen_page(
    templates: &Templates,
    news: &News<'_>,
    audio: &str,
) -> Result<String, TemplateError> {
    let file = format!("{}.wav", file_stem(news));
    let ways = Ways { listen: Some(audio.to_owned()), ..Ways::default() };
    let facts = facts(templates, news, &ways, Some(&file))?;
    templates.write(language(news), Part::Listen, &facts)
}

impl fmt::Debug for Letter {
    /// The id alone: what was said belongs in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("sound", &self.sound).finish_non_exhaustive()
    }
}

impl fmt::Debug for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.len();
        f.debug_struct("Sound").field("kind", &self.kind).field("bytes", &bytes).finish()
    }
}

fn language<'a>(news: &News<'a>) -> &'a str {
    &news.mailbox.settings.pages
}

fn claimed(news: &News<'_>) -> Caller {
    let Caller { name, number } = &news.envelope.caller;
    Caller::claimed(name.as_deref(), number.as_deref())
}

/// A caller in one line, if anything is known of them.
fn known(caller: &Caller) -> Option<String> {
    let known = caller.name.is_some() || caller.number.is_some();
    known.then(|| isolated(&line(&caller.to_string())))
}

fn file_stem(news: &News<'_>) -> String {
    let at = local(news.envelope.received, &news.mailbox.settings.time_zone);
    file_name(&claimed(news), &at)
}

/// Everything every template is told, whatever it makes of it.
pub(super) fn facts(
    templates: &Templates,
    news: &News<'_>,
    ways: &Ways,
    file: Option<&str>,
) -> Result<Value, TemplateError> {
    let News { mailbox, envelope, .. } = news;
    let settings = &mailbox.settings;
    let at = |part, time| {
        let moment = moment(&local(time, &settings.time_zone), settings.hours);
        Ok::<_, TemplateError>(one_line(&templates.write(language(news), part, &moment)?))
    };
    let caller = claimed(news);
    Ok(context! {
        caller => known(&caller),
        call_back => caller.number.as_deref().and_then(dialable),
        date => at(Part::Date, envelope.received)?,
        moment => at(Part::Moment, envelope.received)?,
        length => minutes(envelope.length),
        seconds => envelope.length.as_secs(),
        interrupted => envelope.interrupted,
        mailbox => line(&mailbox.number),
        owner => line(&mailbox.name),
        file,
        base_url => &ways.base_url,
        listen => ways.listen.as_ref().filter(|_| !news.said.private),
        urgent => news.said.urgent,
        private => news.said.private,
        too_large => news.too_large,
        forwarded_by => news.forwarded_by.map(line),
        unsubscribe => &ways.unsubscribe,
        translation => translation(news.translated),
        room => room(news, at)?,
        ..words(news.text)
    })
}

/// The facts of a letter that depend on what became of the words.
fn words(text: &Text) -> Value {
    let (kind, reason) = match text {
        Text::Transcript(transcript) if !transcript.text().trim().is_empty() => {
            return spoken(transcript);
        }
        Text::Transcript(_) | Text::NoSpeech => ("silence", None),
        Text::NotTranscribed(reason) => ("unwritten", Some(line(reason))),
        Text::Off => ("unwanted", None),
    };
    let nothing: Option<&str> = None;
    context! {
        kind,
        reason,
        first_words => nothing,
        opening => nothing,
        unsure => false,
        language => nothing,
        said => Vec::<Value>::new(),
    }
}

fn spoken(transcript: &Transcript) -> Value {
    let unsure = |it: &Segment| it.confidence < UNSURE;
    let said: Vec<_> = (transcript.segments.iter())
        .map(|it| context! { text => paragraph(&it.text), unsure => unsure(it) })
        .collect();
    let (all, reason) = (line(&transcript.text()), None::<&str>);
    context! {
        kind => "speech",
        reason,
        first_words => isolated(&cut(&all, FIRST_WORDS)),
        opening => isolated(&cut(&all, TEXT_MESSAGE)),
        unsure => transcript.segments.iter().any(unsure),
        language => code(&transcript.language),
        said,
    }
}

fn translation(translated: &Translated) -> Option<Value> {
    let some = |numbers: &[String]| -> Vec<String> {
        numbers.iter().take(DIFFERENCES).map(|it| line(it)).collect()
    };
    let nothing: Option<&str> = None;
    match translated {
        Translated::Off => None,
        Translated::Made { language, text, missing, added } => Some(context! {
            language => code(language),
            text => paragraph(text),
            missing => some(missing),
            added => some(added),
            reason => nothing,
        }),
        Translated::NotMade(reason) => Some(context! {
            language => nothing,
            text => nothing,
            missing => Vec::<String>::new(),
            added => Vec::<String>::new(),
            reason => line(reason),
        }),
    }
}

/// How full the mailbox is, what happens next, and what gave way until when.
fn room(
    news: &News<'_>,
    at: impl Fn(Part, Timestamp) -> Result<String, TemplateError>,
) -> Result<Option<Value>, TemplateError> {
    let Some(room) = news.room else { return Ok(None) };
    let mut rotated = Vec::with_capacity(room.rotated.len().min(ROTATED));
    for it in room.rotated.iter().take(ROTATED) {
        rotated.push(context! { caller => known(&it.caller), date => at(Part::Day, it.received)? });
    }
    Ok(Some(context! {
        used => room.used,
        limit => room.limit,
        full => room.is_full(),
        rotates => !news.mailbox.settings.disable_rotate,
        others => room.rotated.len() - rotated.len(),
        rotated,
        until => at(Part::Day, news.filed + news.keep_trash)?,
    }))
}

/// What a template wrote for a place with room for one line. Direction marks in it are ours.
fn one_line(written: &str) -> String {
    written.trim().replace(['\r', '\n'], " ")
}

/// What a text message holds of a line. The three dots are those every phone has.
fn fitted(line: &str) -> String {
    let line = line.replace('…', "...");
    if line.chars().count() <= TEXT_MESSAGE {
        return line;
    }
    cut(&line, TEXT_MESSAGE - 3).replace('…', "...")
}
