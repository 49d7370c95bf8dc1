//! Mailboxes and what lies in them: the words every other module speaks.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::{Uuid, Version};

pub mod copies;
pub mod greeting;
mod kept;
pub mod lamp;
mod notified;
pub mod numbers;
mod party;
pub mod password;
pub mod pin;
mod profile;
mod reason;
mod redirected;
pub mod retention;
pub mod room;
pub mod rules;
pub mod schedule;
pub mod settings;
mod translation;

pub use notified::{Told, in_good_hands};
pub use password::{Password, PasswordError};
pub use pin::{Guesses, Pin, PinError};
pub use profile::Profile;
pub use reason::Reason;
pub use redirected::Redirected;
pub use settings::{Preferences, Settings};
pub use translation::Translation;

/// Names a tenant everywhere: a UUIDv7 as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(pub String);

/// Names a mailbox everywhere; numbers are only unique within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MailboxId(pub String);

/// Names a person who owns mailboxes: a UUIDv7 as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub String);

/// Names a message, and before that the take it was filed from: a UUIDv7, given at the beep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub Uuid);

/// Milliseconds since 1970 in UTC, as stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// Where a message lies in its mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Folder {
    /// Not heard yet.
    New,
    /// Heard, and kept.
    Saved,
    /// Kept, and put to work by its owner.
    Work,
    /// Kept, and put to family.
    Family,
    /// Kept, and put to friends.
    Friends,
    /// Kept, in a folder of the owner's own.
    Fifth,
    /// Kept, in another one.
    Sixth,
    /// In the trash.
    Deleted,
}

/// Who called, as far as the call told. Already cleaned of control characters and clamped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The display name, at most [`Caller::LONGEST`] characters.
    pub name: Option<String>,
    /// The number or SIP user; `None` when withheld or anonymous.
    pub number: Option<String>,
}

/// One recording, made during a call and not yet filed anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    /// Given at the beep; becomes the message's id.
    pub id: MessageId,
    /// How long it is, after a closing silence or tone was cut off.
    pub length: Duration,
    /// How much of it was louder than the line's own noise.
    pub voiced: Duration,
}

/// Everything known about a message except its sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Who left it.
    pub caller: Caller,
    /// When the beep was.
    pub received: Timestamp,
    /// How long it is.
    pub length: Duration,
    /// The server or the call died while it was spoken; the last second may be missing.
    pub interrupted: bool,
    /// Why the call came to the mailbox.
    pub reason: Reason,
}

/// What its caller says of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// It is urgent.
    pub urgent: bool,
    /// It is for its owner alone.
    pub private: bool,
}

/// What the recogniser made of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// ISO 639-1, as given or as detected.
    pub language: String,
    /// In the order spoken; empty when nobody spoke.
    pub segments: Vec<Segment>,
    /// What made it, e.g. `whisper tiny.en`.
    pub engine: String,
}

/// One stretch of speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Milliseconds from the beginning of the message.
    pub start_ms: u32,
    /// Milliseconds from the beginning of the message.
    pub end_ms: u32,
    /// What was said.
    pub text: String,
    /// Mean probability of its tokens, 0 to 1.
    pub confidence: f32,
}

/// A mailbox with the settings that apply to it (its own, its tenant's, or the defaults).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// What names it everywhere.
    pub id: MailboxId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What is dialled.
    pub number: String,
    /// The owner's name, as mails address it.
    pub name: String,
    /// Where its owner logs in and gets mail, if it has one.
    pub owner_email: Option<String>,
    /// What applies to it.
    pub settings: Preferences,
}

/// Somebody who gets a mail for each message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// What they get.
    pub kind: Notice,
}

/// What a mail about a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    /// Everything, with the recording.
    Full,
    /// That it is there, without the recording.
    Short,
}

impl Caller {
    /// Longest name or number kept, in characters.
    pub const LONGEST: usize = 64;

    /// Cleans what a stranger's phone claimed: no control, bidi or line-separating characters,
    /// nothing longer than [`Self::LONGEST`]; an empty or anonymous claim is none.
    pub fn claimed(name: Option<&str>, number: Option<&str>) -> Self {
        Self { name: clean(name), number: clean(number) }
    }
}

fn clean(claim: Option<&str>) -> Option<String> {
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
                | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let text: String = claim?.chars().filter(harmless).take(Caller::LONGEST).collect();
    let text = text.trim();
    let nobody = ["", "anonymous", "unavailable", "unknown", "restricted"];
    (!nobody.contains(&text.to_ascii_lowercase().as_str())).then(|| text.to_owned())
}

impl fmt::Display for Caller {
    /// `Marie Dupont (+33 5 56 12 34 56)`, as much of it as is known, or `unknown caller`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.number) {
            (Some(name), Some(number)) if name != number => write!(f, "{name} ({number})"),
            (Some(known), _) | (_, Some(known)) => f.write_str(known),
            (None, None) => f.write_str("unknown caller"),
        }
    }
}

impl Mailbox {
    /// How many messages it holds.
    pub fn limit(&self) -> usize {
        usize::try_from(self.settings.limit).unwrap_or(usize::MAX)
    }

    /// Whether callers may leave messages, if there is room: neither is it off nor an announcement only.
    pub fn takes_messages(&self) -> bool {
        self.settings.takes_messages && self.settings.limit > 0
    }

    /// Who gets mail for a message, each address once: with "Use login email" exactly the owner,
    /// else those named, with the recording; and those who get a short one.
    pub fn recipients(&self) -> Vec<Recipient> {
        let Preferences { notify, use_login_email, notify_to, notify_short_to, .. } =
            &self.settings;
        if !notify {
            return Vec::new();
        }
        let full: Vec<&str> = match use_login_email {
            true => self.owner_email.as_deref().into_iter().collect(),
            false => notify_to.iter().collect(),
        };
        let short = notify_short_to
            .iter()
            .filter(|it| !full.iter().any(|other| other.eq_ignore_ascii_case(it)));
        let to = |kind| move |it: &str| Recipient { address: it.to_owned(), kind };
        full.iter().copied().map(to(Notice::Full)).chain(short.map(to(Notice::Short))).collect()
    }
}

impl Notice {
    /// The word used in SQL and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Notice::Full => "full",
            Notice::Short => "short",
        }
    }
}

impl FromStr for Notice {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "full" => Ok(Notice::Full),
            "short" => Ok(Notice::Short),
            _ => Err(()),
        }
    }
}

impl Transcript {
    /// All that was said, in one line.
    pub fn text(&self) -> String {
        let said: Vec<_> = self.segments.iter().map(|it| it.text.trim()).collect();
        said.join(" ")
    }
}

impl Folder {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::New,
        Self::Saved,
        Self::Work,
        Self::Family,
        Self::Friends,
        Self::Fifth,
        Self::Sixth,
        Self::Deleted,
    ];

    /// The word used in settings and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Folder::New => "new",
            Folder::Saved => "saved",
            Folder::Work => "work",
            Folder::Family => "family",
            Folder::Friends => "friends",
            Folder::Fifth => "fifth",
            Folder::Sixth => "sixth",
            Folder::Deleted => "deleted",
        }
    }

    /// What kind of folder it is to limits, rotation and lamps: `new`, `saved` or `deleted`.
    pub fn kind(self) -> Self {
        match self {
            Folder::New | Folder::Saved | Folder::Deleted => self,
            Folder::Work | Folder::Family | Folder::Friends | Folder::Fifth | Folder::Sixth => {
                Folder::Saved
            }
        }
    }
}

impl FromStr for Folder {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!("no folder is called {word:?}; there are {all}")
        })
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl MessageId {
    /// What names the copy of this message in another mailbox: the same however often it is asked, and
    /// in the order of time like every other (RFC 9562 §5.7).
    pub fn copy(&self, to: &MailboxId) -> Self {
        let digest = Sha256::new().chain_update(self.0).chain_update(&to.0).finalize();
        let mut bytes = self.0.into_bytes();
        bytes[6..].copy_from_slice(&digest[..10]);
        Self(uuid::Builder::from_bytes(bytes).with_version(Version::SortRand).into_uuid())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
