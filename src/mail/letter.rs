//! What a notification says: the transcript first, then who called, when and how long.
//!
//! Pure: the same facts make the same letter on every try. Everything a stranger said is cleaned
//! of control characters here and escaped by the templates of `assets/mail/`; how a letter becomes
//! bytes is `mime`'s business.

use std::{fmt, sync::LazyLock, time::Duration};

use bytes::Bytes;
use jiff::{Timestamp as Moment, Zoned, tz::TimeZone};
use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig};

use crate::mailbox::{Caller, Envelope, Mailbox, MessageId, Segment, Timestamp, Transcript};

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

/// A letter about one message, the same for all who get it.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message it is about; its Message-ID is made from it.
    pub id: MessageId,
    /// When the message was left, which is the letter's date.
    pub received: Timestamp,
    /// Caller and first words, in one line.
    pub subject: String,
    /// All of it for readers of plain text.
    pub text: String,
    /// All of it as HTML.
    pub html: String,
    /// What was said.
    pub recording: Recording,
}

/// The sound that goes with a letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    /// A file name of letters, digits, `-` and `.` only.
    pub name: String,
    /// A WAV file.
    pub wav: Bytes,
}

/// Segments the recogniser believed in less than this are marked.
const UNSURE: f32 = 0.5;
/// Characters of the transcript told in the subject.
const FIRST_WORDS: usize = 60;
/// Characters of the caller's number told in the file name.
const FILE_NUMBER: usize = 20;
/// The language whose templates exist for certain.
const FALLBACK: &str = "en";

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_syntax(blocks_leave_no_gaps());
    for (name, source) in [
        ("en/subject.txt", include_str!("../../assets/mail/en/subject.txt")),
        ("en/letter.txt", include_str!("../../assets/mail/en/letter.txt")),
        ("en/letter.html", include_str!("../../assets/mail/en/letter.html")),
    ] {
        templates.add_template(name, source).expect("a template of ours, read by a test");
    }
    templates
});

/// A line with nothing but a block on it leaves no line behind.
fn blocks_leave_no_gaps() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    syntax.build().expect("the usual delimiters, which do not clash")
}

impl Letter {
    /// Writes the letter about a message in the language and time zone of its mailbox. `base_url`
    /// is where this server's pages are reached, if it has any.
    ///
    /// # Errors
    /// Only if a template asks for something it is not told.
    pub fn about(
        id: MessageId,
        mailbox: &Mailbox,
        envelope: &Envelope,
        text: &Text,
        wav: Bytes,
        base_url: Option<&str>,
    ) -> Result<Self, minijinja::Error> {
        let local = local(envelope.received, &mailbox.settings.time_zone);
        let caller =
            Caller::claimed(envelope.caller.name.as_deref(), envelope.caller.number.as_deref());
        let known = caller.name.is_some() || caller.number.is_some();
        let recording = Recording { name: file_name(&caller, &local), wav };
        let facts = context! {
            caller => known.then(|| isolated(&line(&caller.to_string()))),
            call_back => caller.number.as_deref().and_then(dialable),
            date => local.strftime("%A, %-d %B %Y, %H:%M %Z").to_string(),
            length => minutes(envelope.length),
            seconds => envelope.length.as_secs(),
            interrupted => envelope.interrupted,
            mailbox => line(&mailbox.number),
            owner => line(&mailbox.name),
            file => recording.name.as_str(),
            base_url => base_url,
            ..words(text)
        };
        let write = |part: &str| {
            let of = |language: &str| TEMPLATES.get_template(&format!("{language}/{part}"));
            of(&mailbox.settings.pages).or_else(|_| of(FALLBACK))?.render(&facts)
        };
        Ok(Self {
            id,
            received: envelope.received,
            subject: write("subject.txt")?.trim().to_owned(),
            text: write("letter.txt")?,
            html: write("letter.html")?,
            recording,
        })
    }
}

impl fmt::Debug for Letter {
    /// The id alone: what was said belongs in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("bytes", &self.wav.len()).finish_non_exhaustive()
    }
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
    context! { kind, reason }
}

fn spoken(transcript: &Transcript) -> Value {
    let unsure = |it: &Segment| it.confidence < UNSURE;
    let said: Vec<_> = (transcript.segments.iter())
        .map(|it| context! { text => paragraph(&it.text), unsure => unsure(it) })
        .collect();
    let language = &transcript.language;
    let known =
        (2..=8).contains(&language.len()) && language.bytes().all(|c| c.is_ascii_alphabetic());
    context! {
        kind => "speech",
        first_words => isolated(&cut(&line(&transcript.text()), FIRST_WORDS)),
        unsure => transcript.segments.iter().any(unsure),
        language => known.then_some(language.as_str()),
        said,
    }
}

fn local(at: Timestamp, zone: &str) -> Zoned {
    let moment = Moment::from_millisecond(at.0).unwrap_or_default();
    moment.to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC))
}

/// `voicemail-2026-11-23-1432-from-5551234.wav`
fn file_name(caller: &Caller, local: &Zoned) -> String {
    let number = caller.number.as_deref().unwrap_or_default();
    let safe = number.chars().filter(char::is_ascii_alphanumeric).take(FILE_NUMBER);
    let number = safe.collect::<String>();
    let number = if number.is_empty() { "unknown" } else { &number };
    format!("voicemail-{}-from-{number}.wav", local.strftime("%Y-%m-%d-%H%M"))
}

/// The number as a `tel:` link may carry it, if it is one. A number with `*` or `#` in it is shown
/// but never linked: dialled on a mobile it can be an order to the phone rather than a call.
fn dialable(number: &str) -> Option<String> {
    let separator = |c: char| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')');
    let bare: String = number.chars().filter(|&c| !separator(c)).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    let good = digits.len() >= 2 && digits.bytes().all(|c| c.is_ascii_digit());
    good.then_some(bare)
}

/// `0:24`
fn minutes(length: Duration) -> String {
    let seconds = length.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// One line, however it came: no control or direction characters, single spaces.
fn line(text: &str) -> String {
    let text = paragraph(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text with its line breaks (as `\n`) but without anything else that steers a screen.
fn paragraph(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let kept = text.chars().filter_map(|c| match c {
        '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\n' => Some(c),
        c if c.is_control() => c.is_whitespace().then_some(' '),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' => None,
        '\u{2066}'..='\u{2069}' => None,
        c => Some(c),
    });
    kept.collect::<String>().trim().to_owned()
}

/// The first words of a line, with `…` where something was left out.
fn cut(line: &str, longest: usize) -> String {
    let Some((end, _)) = line.char_indices().nth(longest) else {
        return line.to_owned();
    };
    let begin = &line[..end];
    let whole = begin.rfind(' ').filter(|&space| space > end / 2);
    format!("{}…", begin[..whole.unwrap_or(end)].trim_end_matches([' ', ',', ';', ':', '.', '-']))
}

/// Keeps words written from right to left from turning round what stands beside them (UAX #9).
fn isolated(text: &str) -> String {
    let leftward = |c| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    if text.contains(leftward) { format!("\u{2068}{text}\u{2069}") } else { text.to_owned() }
}
