//! `[mail]`: who letters come from, and the server that takes them.

use std::{fmt, io, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::address;

/// `[mail]`: how messages are mailed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Who letters come from, with or without a name: `Voicemail <voicemail@example.org>`.
    pub from: String,
    /// Where this server's pages are reached from outside. With `https` (or on this machine) letters
    /// carry links to listen and to unsubscribe.
    pub base_url: Option<String>,
    /// How long the link to a recording works, from when the message was left.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub listen_for: Duration,
    /// A folder with sentences of one's own, `LANGUAGE/FILE` as in `assets/mail`; what it lacks is
    /// as built in.
    pub templates: Option<PathBuf>,
    /// Longest a whole conversation with the mail server may take, recording included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// How long a letter that was refused for now waits before it is tried again. The waits grow
    /// from there to 120 times that, or an hour if that is less.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub retry_first: Duration,
    /// Where letters are caught while no server is set; relative to the data folder.
    pub caught: PathBuf,
    /// The mail server; without one letters are caught.
    pub server: Option<Server>,
}

/// `[mail.server]`: where letters are handed in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its name, which its certificate must carry, or its address.
    pub host: String,
    /// Its port; what is usual for `security` if not given.
    pub port: Option<u16>,
    /// How the conversation is protected.
    #[serde(default)]
    pub security: Security,
    /// Who we are; without a name we do not log in.
    pub user: Option<String>,
    /// The password, here or in `password_file`.
    pub password: Option<Secret>,
    /// A file with nothing but the password in it.
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) trusted for this server besides those of the system.
    pub certificates: Option<PathBuf>,
}

/// How the conversation with the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Not at all: for a server on this machine.
    None,
    /// Begins in the open and must change over before anything is said (RFC 3207).
    #[default]
    StartTls,
    /// Protected from the first byte (RFC 8314).
    Tls,
}

/// A word that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Default for Settings {
    fn default() -> Self {
        Self {
            from: "Voicemail <voicemail@localhost>".into(),
            base_url: None,
            listen_for: Duration::from_secs(7 * 24 * 3_600),
            templates: None,
            timeout: Duration::from_secs(120),
            retry_first: Duration::from_secs(30),
            caught: "mail".into(),
            server: None,
        }
    }
}

impl Settings {
    const HASTE: Duration = Duration::from_millis(100);
    const SLOTH: Duration = Duration::from_secs(3_600);
    const YEAR: Duration = Duration::from_secs(366 * 24 * 3_600);

    /// What is wrong with these settings, as a sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if address::parse(&self.from).is_err() {
            return Err(format!("from: {:?} is not a mail address", self.from));
        }
        if self.timeout.is_zero() {
            return Err("timeout: no mail server answers in no time".into());
        }
        if !(Self::HASTE..=Self::SLOTH).contains(&self.retry_first) {
            return Err("retry_first: must be 100ms to 1h".into());
        }
        if self.listen_for.is_zero() || self.listen_for > Self::YEAR {
            return Err("listen_for: must be more than nothing and a year at most".into());
        }
        let http = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        match &self.base_url {
            Some(url) if !http(url) || url.contains(char::is_whitespace) => {
                Err(format!("base_url: {url:?} is not a web address"))
            }
            _ => self.server.as_ref().map_or(Ok(()), Server::check),
        }
    }
}

impl Server {
    /// The port to call: 25, 587 or 465 unless another is set.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::None => 25,
            Security::StartTls => 587,
            Security::Tls => 465,
        })
    }

    /// Reads the password from where it is kept; a line end after it does not count.
    pub(super) fn secret(&self) -> io::Result<Option<String>> {
        match (&self.password, &self.password_file) {
            (Some(Secret(password)), _) => Ok(Some(password.clone())),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file)?;
                Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
            (None, None) => Ok(None),
        }
    }

    fn check(&self) -> Result<(), String> {
        let password = self.password.is_some() || self.password_file.is_some();
        let wrong = if self.host.trim().is_empty() {
            "host is empty"
        } else if self.password.is_some() && self.password_file.is_some() {
            "password and password_file are both set; keep one"
        } else if self.user.is_some() != password {
            "user and password belong together; one is missing"
        } else {
            return Ok(());
        };
        Err(format!("server: {wrong}"))
    }
}

impl From<&str> for Secret {
    fn from(word: &str) -> Self {
        Self(word.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("(hidden)")
    }
}
