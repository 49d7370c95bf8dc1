//! A letter as the bytes that travel: headers and parts (RFC 5322, RFC 2045).
//!
//! The same letter from the same sender to the same address is the same bytes on every try, and
//! its Message-ID depends on its kind, not on the address: who gets it twice can tell.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    Message,
    message::{
        Attachment, Body, Mailbox, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};

use super::{Letter, MailError, Recording, address};
use crate::mailbox::{Notice, settings::Attach};

/// The last moment a mail's date can tell: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
/// Bytes of a subject in one encoded word, well below the 75 characters of RFC 2047 §2.
const WORD: usize = 15;

/// Puts a letter together for one recipient.
pub(super) fn message(letter: &Letter, from: &Mailbox, to: &str) -> Result<Message, MailError> {
    let to = address::parse(to).map_err(|cause| MailError::Address(to.to_owned(), cause))?;
    let mut message = Message::builder()
        .from(from.clone())
        .to(to.email.into())
        .raw_header(subject(&letter.subject))
        .date(UNIX_EPOCH + since_1970(letter))
        .message_id(Some(message_id(letter, from)))
        .raw_header(fixed("Auto-Submitted", "auto-generated"))
        .raw_header(fixed("X-Auto-Response-Suppress", "All"));
    // RFC 2156 §5.3.4 and §5.3.6; mail programs show both.
    if letter.said.urgent {
        message = message.raw_header(fixed("Importance", "high"));
    }
    if letter.said.private {
        message = message.raw_header(fixed("Sensitivity", "Private"));
    }
    if let Some(link) = &letter.unsubscribe {
        message = message
            .raw_header(verbatim("List-Unsubscribe", &format!("<{link}>")))
            .raw_header(verbatim("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
    }
    Ok(match body(letter) {
        Content::Plain(part) => message.singlepart(part)?,
        Content::Parts(parts) => message.multipart(parts)?,
    })
}

/// What a letter consists of.
enum Content {
    Plain(SinglePart),
    Parts(MultiPart),
}

fn body(letter: &Letter) -> Content {
    let boundary = |part: &str| format!("afterbeep-{part}-{}", letter.id.0.simple());
    let text = SinglePart::plain(letter.text.clone());
    let Some(html) = &letter.html else { return Content::Plain(text) };
    let alternatives = MultiPart::alternative()
        .boundary(boundary("text"))
        .singlepart(text)
        .singlepart(SinglePart::html(html.clone()));
    let Some(Recording { name, sound }) = &letter.recording else {
        return Content::Parts(alternatives);
    };
    let kind = match sound.kind {
        Attach::Wav => "audio/wav",
        Attach::Mp3 => "audio/mpeg",
    };
    let kind = ContentType::parse(kind).expect("a media type as RFC 2045 writes them");
    let recording = Attachment::new(name.clone()).body(Body::new(sound.bytes.to_vec()), kind);
    let all = MultiPart::mixed().boundary(boundary("all"));
    Content::Parts(all.multipart(alternatives).singlepart(recording))
}

/// The short letter is another one than the full one; who gets both must not lose one.
fn message_id(letter: &Letter, from: &Mailbox) -> String {
    let short = match letter.kind {
        Notice::Full => "",
        Notice::Short => ".short",
    };
    format!("<{}{short}@{}>", letter.id, address::id_domain(from))
}

/// A header that must not be broken into lines or encoded: RFC 8058 §4 wants the link whole. What
/// is written here is ours, and ASCII.
fn verbatim(name: &'static str, value: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned())
}

fn fixed(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn since_1970(letter: &Letter) -> Duration {
    let seconds = u64::try_from(letter.date.0 / 1000).unwrap_or(0);
    Duration::from_secs(seconds.min(LAST_SECOND))
}

/// The subject header. The library lets ASCII pass as it is, and with it an encoded word that a
/// caller gave as a name and that the reader would decode, line ends included; so wherever one
/// could begin, all of the subject is encoded.
fn subject(text: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Subject");
    if text.contains("=?") {
        HeaderValue::dangerous_new_pre_encoded(name, text.to_owned(), encoded_words(text))
    } else {
        HeaderValue::new(name, text.to_owned())
    }
}

/// RFC 2047 §4.2, every byte but letters and digits written as `=XX`.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    let mut room = WORD;
    for c in text.chars() {
        if c.len_utf8() > room {
            words.push(String::new());
            room = WORD;
        }
        room -= c.len_utf8();
        let word = words.last_mut().expect("there is one from the start");
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                word.push_str(&format!("={byte:02X}"));
            }
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?utf-8?q?{word}?=")).collect();
    words.join("\r\n ")
}
