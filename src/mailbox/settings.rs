//! The settings of the Voicemail tab: each is set by a mailbox, else by its tenant, else it has a
//! default. The list below is the only place that names them all.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Profile,
    rules::Rules,
    schedule::{Holidays, Opening},
};

/// From one line per setting: what a level sets, what applies, and how both are read and shown.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $label:literal;)+) => {
        /// What one level sets, a mailbox or a tenant; `None` is as the level above has it.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $(
                $(#[doc = $doc])+
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )+
        }

        /// What applies to a mailbox.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        pub struct Preferences {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        impl Default for Preferences {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Preferences {
            /// A mailbox's own settings over its tenant's over the defaults.
            pub fn of(mailbox: Settings, tenant: Settings) -> Self {
                let default = Self::default();
                Self {
                    $($name: mailbox.$name.or(tenant.$name).unwrap_or(default.$name),)+
                }
            }
        }

        impl Settings {
            /// What the settings are called in JSON and on the command line.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// Sets one by its name, in the words of the command line; `inherit` takes it away.
            pub fn set(&mut self, name: &str, word: &str) -> Result<(), SettingError> {
                match name {
                    $(stringify!($name) => self.$name = own(name, word)?,)+
                    _ => return Err(SettingError::Unknown(name.to_owned())),
                }
                Ok(())
            }

            /// Every setting with its value and where that comes from, for people to read.
            pub fn lines(mailbox: &Self, tenant: &Self) -> Vec<Line> {
                let default = Preferences::default();
                vec![$(Line::of(
                    stringify!($name), $label,
                    mailbox.$name.as_ref(), tenant.$name.as_ref(), &default.$name,
                ),)+]
            }
        }
    };
}

settings! {
    /// Messages it holds, the trash not counted; 0 makes it an announcement.
    limit: u32 = 100, "Voicemail Limit";
    /// Owners hear who called before each message.
    play_cid: bool = true, "Play CID";
    /// Owners hear when each message was left.
    play_envelope: bool = true, "Play Envelope";
    /// Owners hear the latest message first.
    newest_first: bool = false, "Sort VM to show the latest message first";
    /// Whether one more key is asked for before an owner's message is deleted.
    confirm_delete: bool = false, "Confirm VM Deletion Message";
    /// What its owner is doing; rules may choose a greeting by it.
    presence: Profile = Profile::Available, "Presence Profile";
    /// When its owner is there.
    opening: Opening = Opening::default(), "Time Frames";
    /// Days on which its owner is not.
    holidays: Holidays = Holidays::default(), "Holidays";
    /// Which greeting callers hear.
    greetings: Rules = Rules::default(), "Greeting rules";
    /// At the limit new messages are refused, instead of the oldest one giving way.
    disable_rotate: bool = false, "Disable VM rotate";
    /// Callers can leave messages.
    takes_messages: bool = true, "Toggle Voicemail";
    /// What callers get while they cannot.
    when_off: WhenOff = WhenOff::Announcement, "When voicemail is off";
    /// Who is at 0 for callers: a number of the phone system, or a SIP address.
    operator: Operator = Operator::default(), "Voicemail Option 0 Destination";
    /// Who may press `*` during the greeting to log in with the PIN.
    log_in_by_star: LogIn = LogIn::Inside, "Log in with * during the greeting";
    /// New messages become saved ones after so many days; 0 never.
    new_days: u32 = 0, "Days until new messages are saved";
    /// Saved messages go into the trash after so many days; 0 never.
    saved_days: u32 = 0, "Days until saved messages are deleted";
    /// What lies in the trash is gone after so many days, or when `keep_trash` says; 0 is as that.
    trash_days: u32 = 0, "Days until deleted messages are gone";
    /// Other mailboxes get a copy of what callers leave, by their numbers.
    copy_to: Numbers = Numbers::default(), "Copy to Extension(s)";
    /// What callers leave goes to these mailboxes instead, or to all with [`Settings::ALL`].
    distribute: Numbers = Numbers::default(), "Distribution list";
    /// Messages are written down.
    transcribe: bool = true, "Enable Transcription";
    /// What was written down is translated.
    translate: bool = false, "Enable Translation";
    /// Messages are mailed.
    notify: bool = true, "Enable Notification";
    /// The mail goes to the owner's address, and not to those in `notify_to`.
    use_login_email: bool = true, "Use login email";
    /// Who gets the mail with the recording, if not the owner.
    notify_to: Addresses = Addresses::default(), "Send notification to";
    /// Who gets a short mail without the recording.
    notify_short_to: Addresses = Addresses::default(), "Send short notification to";
    /// A message whose mail was accepted everywhere goes into the trash.
    delete_after_notify: bool = false, "Delete voicemail after notification";
    /// What the recording is attached as.
    attach: Attach = Attach::Wav, "Attachment format";
    /// IANA name; dates and times are told in it.
    time_zone: String = "UTC".to_owned(), "Time Zone";
    /// How times are told.
    hours: Hours = Hours::TwentyFour, "12/24 h";
    /// Of pages and mails, e.g. `en`.
    pages: String = "en".to_owned(), "Language of pages and mails";
    /// Of what callers and owners hear.
    prompts: String = "en".to_owned(), "Language of prompts";
    /// Spoken in messages, or [`Settings::DETECTED`].
    spoken: String = Settings::DETECTED.to_owned(), "Language of transcription";
    /// What messages are translated to.
    translate_to: String = "fr".to_owned(), "Language of translation";
    /// The class of hold music that is played for this mailbox's owner.
    hold_music: String = crate::music::DEFAULT.to_owned(), "Music on Hold";
    /// Its owner may speak announcements by phone, with the PIN: greetings of hold music, too.
    speaks_announcements: bool = false, "Record announcements by phone";
}

impl Settings {
    /// The word for "detect the language of each message".
    pub const DETECTED: &'static str = "auto";

    /// The word for "every mailbox of the tenant" in a distribution list.
    pub const ALL: &'static str = "all";

    /// The most messages a mailbox can be set to hold.
    pub const MOST: u32 = 100_000;

    /// The word that takes a setting away, so that the one above it applies.
    pub const INHERIT: &'static str = "inherit";
}

impl Preferences {
    /// The language spoken in messages, if it is not to be detected.
    pub fn spoken(&self) -> Option<&str> {
        Some(self.spoken.as_str()).filter(|it| *it != Settings::DETECTED)
    }

    /// Whether the mailbox only passes on what callers leave, and keeps nothing.
    pub fn distributes(&self) -> bool {
        !self.distribute.is_empty()
    }

    /// Whether others get copies of what callers leave.
    pub fn copies(&self) -> bool {
        self.distributes() || !self.copy_to.is_empty()
    }
}

/// Why a setting is not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is none of that name.
    #[error("there is no setting called {0:?}")]
    Unknown(String),
    /// It cannot have that value.
    #[error("{name} cannot be {value:?}: {wanted}")]
    Value {
        /// Which setting.
        name: String,
        /// What was said.
        value: String,
        /// What may be said.
        wanted: &'static str,
    },
}

/// A setting as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is called in JSON and on the command line.
    pub name: &'static str,
    /// What the Voicemail tab calls it.
    pub label: &'static str,
    /// Its value.
    pub value: String,
    /// Which level sets it.
    pub from: Level,
}

/// Who sets a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The mailbox itself.
    Mailbox,
    /// Its tenant.
    Tenant,
    /// Nobody.
    Default,
}

impl Level {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Mailbox => "mailbox",
            Level::Tenant => "tenant",
            Level::Default => "default",
        }
    }
}

impl Line {
    fn of<T: Word>(
        name: &'static str,
        label: &'static str,
        mailbox: Option<&T>,
        tenant: Option<&T>,
        default: &T,
    ) -> Self {
        let (value, from) = match (mailbox, tenant) {
            (Some(own), _) => (own, Level::Mailbox),
            (None, Some(shared)) => (shared, Level::Tenant),
            (None, None) => (default, Level::Default),
        };
        Self { name, label, value: value.word(), from }
    }
}

/// A value that can be said and read in words.
trait Word: Sized {
    /// What may be said.
    const WANTED: &'static str;

    fn read(word: &str) -> Option<Self>;
    fn word(&self) -> String;
}

fn own<T: Word>(name: &str, word: &str) -> Result<Option<T>, SettingError> {
    if word == Settings::INHERIT {
        return Ok(None);
    }
    let refused =
        || SettingError::Value { name: name.into(), value: word.into(), wanted: T::WANTED };
    T::read(word).map(Some).ok_or_else(refused)
}

impl Word for u32 {
    const WANTED: &'static str = "say a number from 0 to 100000";

    fn read(word: &str) -> Option<Self> {
        word.parse().ok().filter(|it| *it <= Settings::MOST)
    }

    fn word(&self) -> String {
        self.to_string()
    }
}

impl Word for bool {
    const WANTED: &'static str = "say yes or no";

    fn read(word: &str) -> Option<Self> {
        match word {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    fn word(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Word for String {
    const WANTED: &'static str = "say one word";

    fn read(word: &str) -> Option<Self> {
        let fine = |it: char| !it.is_control() && !it.is_whitespace();
        (!word.is_empty() && word.len() <= 64 && word.chars().all(fine)).then(|| word.to_owned())
    }

    fn word(&self) -> String {
        self.clone()
    }
}

/// Gives a list of names its limit and its words: each once, in the order given.
macro_rules! names {
    ($(#[doc = $doc:literal])+ $type:ident, $most:literal, $wanted:literal) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "Vec<String>")]
        pub struct $type(Vec<String>);

        impl $type {
            /// The most in one list; what is beyond is refused where it is set.
            pub const MOST: usize = $most;

            /// All of them.
            pub fn iter(&self) -> impl Iterator<Item = &str> {
                self.0.iter().map(String::as_str)
            }

            /// Whether nobody is named.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// How many there are.
            pub fn len(&self) -> usize {
                self.0.len()
            }
        }

        impl From<Vec<String>> for $type {
            fn from(said: Vec<String>) -> Self {
                let mut names: Vec<String> = Vec::new();
                for name in said.iter().map(|it| it.trim()).filter(|it| !it.is_empty()) {
                    if !names.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                        names.push(name.to_owned());
                    }
                }
                Self(names)
            }
        }

        impl Word for $type {
            const WANTED: &'static str = $wanted;

            fn read(word: &str) -> Option<Self> {
                if word == "none" {
                    return Some(Self::default());
                }
                let names: Vec<String> = word.split(',').map(str::to_owned).collect();
                Some(Self::from(names)).filter(|it| !it.is_empty() && it.len() <= Self::MOST)
            }

            fn word(&self) -> String {
                if self.0.is_empty() { "none".to_owned() } else { self.0.join(", ") }
            }
        }
    };
}

names! {
    /// Who gets mail.
    Addresses, 50, "say addresses with commas between them, 50 at most, or none"
}

names! {
    /// Which mailboxes, by what is dialled.
    Numbers, 200, "say mailbox numbers with commas between them, 200 at most, or none"
}

/// Gives an enum of words its names.
macro_rules! words {
    ($type:ident, $wanted:literal, $($variant:ident = $word:literal),+) => {
        impl $type {
            /// As it is said and stored.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($type::$variant => $word,)+
                }
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                Self::read(word).ok_or_else(|| Self::WANTED.to_owned())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Word for $type {
            const WANTED: &'static str = $wanted;

            fn read(word: &str) -> Option<Self> {
                match word {
                    $($word => Some($type::$variant),)+
                    _ => None,
                }
            }

            fn word(&self) -> String {
                self.as_str().to_owned()
            }
        }
    };
}

/// Gives a type with a text its words.
macro_rules! texts {
    ($($type:ty = $wanted:literal),+) => {
        $(
            impl Word for $type {
                const WANTED: &'static str = $wanted;

                fn read(word: &str) -> Option<Self> {
                    word.parse().ok()
                }

                fn word(&self) -> String {
                    self.to_string()
                }
            }
        )+
    };
}

texts!(
    Profile = "say available, away, comfort, in-a-meeting, in-the-office, lunch, on-holiday, \
               on-the-road, out-of-the-office, working-from-home or working-remotely",
    Opening = "say always, or hours like \"mo-fr 09:00-17:30, sa 10:00-14:00\"",
    Holidays = "say none, or days like \"12-25, 2026-12-24..2027-01-02\"",
    Rules = "say default, or rules like \"temporary, reason:busy=busy, time:closed=closed, \
             presence:lunch=busy, unavailable\""
);

/// What the recording is attached to mails as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// 16-bit WAV: every sample as it was kept.
    Wav,
    /// MP3, an eighth of the size.
    Mp3,
}

words!(Attach, "say wav or mp3", Wav = "wav", Mp3 = "mp3");

/// How many hours a clock has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hours {
    /// `3:05 PM`
    #[serde(rename = "12")]
    Twelve,
    /// `15:05`
    #[serde(rename = "24")]
    TwentyFour,
}

words!(Hours, "say 12 or 24", Twelve = "12", TwentyFour = "24");

// Behind the macros, which it uses.
mod callers;

pub use callers::{LogIn, Operator, WhenOff};
