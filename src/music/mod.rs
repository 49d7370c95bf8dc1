//! Hold music: the classes a tenant has, and what plays in them in which order.

mod programme;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use programme::{Item, Programme};

use crate::mailbox::TenantId;

/// `[music]`: what callers on hold hear.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where a tenant has no hold music, callers hear the music that comes with Afterbeep.
    pub house: bool,
    /// Places of a private network that live streams may come from, each as `HOST:PORT`. Places of the
    /// open network may be read without being named.
    pub streams: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { house: true, streams: Vec::new() }
    }
}

/// What a class is called that is meant where nobody names one.
pub const DEFAULT: &str = "default";
/// In front of the name of a class, the announcement that is its own greeting.
const OWN_INTRO: &str = "intro-";
/// Longest name of a class: its own greeting is called after it, and an announcement's name has 64
/// characters at most.
pub const LONGEST_NAME: usize = 64 - OWN_INTRO.len();
/// In front of the name of an announcement, the number where it is spoken.
pub const RECORDED_AT: &str = "record-";

/// Whether calls for this number are for music or an announcement, and never for a mailbox.
pub fn is_reserved(number: &str) -> bool {
    let number = number.to_ascii_lowercase();
    ["moh", "annc"].contains(&&*number)
        || ["moh-", "announce-", RECORDED_AT].iter().any(|it| number.starts_with(it))
}

/// Tracks a class may have.
pub const MOST_TRACKS: i64 = 200;
/// Classes a tenant may have.
pub const MOST_CLASSES: i64 = 100;
/// Names of queues a class may have.
pub const MOST_QUEUES: usize = 50;
/// Longest time between two announcements, in seconds.
pub const LONGEST_PAUSE: u32 = 3_600;

/// Names a class everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ClassId(pub String);

/// Names a track everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct TrackId(pub String);

/// Hold music of one kind, as a tenant's callers are played it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Class {
    /// What names it everywhere.
    pub id: ClassId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is called in addresses: `jazz` in `sip:moh-jazz@…`.
    pub name: String,
    /// How it is played.
    pub manner: Manner,
}

/// How a class is played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Manner {
    /// Callers hear it. While they do not, a call for it is refused, and the phone system does as it
    /// does without hold music.
    pub enabled: bool,
    /// Tracks follow each other by chance, each once a round.
    pub shuffle: bool,
    /// Everybody hears the same moment, as on the radio. Else each call begins at the beginning.
    pub shared: bool,
    /// A live stream that is played in place of the tracks, which stand in while it is silent.
    pub stream: Option<String>,
    /// The announcement that each caller hears first, by its name.
    pub intro: Option<String>,
    /// The announcement that is heard again and again, by its name.
    pub announcement: Option<String>,
    /// How often, in seconds.
    pub every: u32,
    /// Queues of the phone system that have this music: `sip:moh-QUEUE@…` is this class, too.
    pub queues: Vec<String>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            enabled: true,
            shuffle: false,
            shared: false,
            stream: None,
            intro: None,
            announcement: None,
            every: 60,
            queues: Vec::new(),
        }
    }
}

impl Class {
    /// What a greeting that it alone has is called among the tenant's announcements.
    pub fn own_intro(&self) -> String {
        own_intro(&self.name)
    }
}

/// What a greeting that only the class of this name has is called among the tenant's announcements.
pub fn own_intro(class: &str) -> String {
    format!("{OWN_INTRO}{class}")
}

impl Manner {
    /// How long music sounds between two announcements, if there are any.
    pub fn pause(&self) -> Option<Duration> {
        let every = self.announcement.as_ref().map(|_| self.every)?;
        Some(Duration::from_secs(every.max(1).into()))
    }

    /// Whether there is one bed for all who listen.
    pub fn is_shared(&self) -> bool {
        self.shared || self.stream.is_some()
    }

    /// Whether an announcement is heard here.
    pub fn says(&self, announcement: &str) -> bool {
        let is_it = |it: &Option<String>| it.as_deref() == Some(announcement);
        is_it(&self.intro) || is_it(&self.announcement)
    }
}

/// A piece of music in a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Track {
    /// What names it everywhere.
    pub id: TrackId,
    /// What people call it.
    pub name: String,
    /// What else there is to say about it.
    pub description: String,
    /// Under which terms it may be played, as far as somebody noted that.
    pub licence: String,
    /// Whether it can be heard.
    pub state: State,
}

/// How far a track has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// It is being read, levelled and encoded, or is about to be.
    Waiting,
    /// It is played.
    Ready {
        /// How long it is.
        #[serde(skip)]
        length: Duration,
        /// How loud it was, in hundredths of a LUFS.
        #[serde(skip)]
        loudness: i64,
        /// The loudest sample of each of many equal parts, of 255: what its picture is drawn from.
        #[serde(skip)]
        peaks: Vec<u8>,
        /// The key of what is played.
        #[serde(skip)]
        blob: String,
    },
    /// It will never be heard, and this says why. The sentence goes on where the name ends.
    Failed {
        /// What is wrong with the file, and what helps.
        problem: String,
    },
}

impl State {
    /// As it is stored and shown.
    pub fn as_str(&self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Ready { .. } => "ready",
            State::Failed { .. } => "failed",
        }
    }
}
