//! The settings file: one section per module that has settings, checked before anything starts.
//!
//! Every setting has a default, so an empty file, or none, is a server that runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{blobs, flow, mail, music, rtp, sip, speech, store};

mod schema;

pub use schema::schema;

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where everything that must last is kept: database, recordings, spool, caught mail.
    pub data: PathBuf,
    /// A folder with a voice of one's own, laid out as `prompts/` is; without one the built-in
    /// voice speaks.
    pub prompts: Option<PathBuf>,
    /// How long stopping may take. Running calls may go on for most of it and are then ended,
    /// with what was said kept.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub stop_within: Duration,
    /// A message is mailed after this long, transcript or not.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub mail_within: Duration,
    /// What lies in the trash can be fetched back for this long, then it is gone for good.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keep_trash: Duration,
    /// No new message is taken when the disk has less room than this, in MiB.
    pub disk_reserve_mib: u64,
    /// `[sip]`: where we listen, and to whom.
    pub sip: sip::Settings,
    /// `[rtp]`: how sound is sent and received.
    pub rtp: rtp::Settings,
    /// `[deposit]`: how a message is left.
    pub deposit: flow::Policy,
    /// `[retrieval]`: how owners hear their messages by phone.
    pub retrieval: flow::retrieval::Settings,
    /// `[speech]`: how messages are transcribed.
    pub speech: speech::Settings,
    /// `[translation]`: how transcripts are translated. Mailboxes say whether they are, and into what.
    pub translation: speech::translate::Settings,
    /// `[synthesis]`: how greetings and names are made of text, and sentences that lack a clip.
    pub synthesis: speech::synthesis::Settings,
    /// `[mail]`: how messages are mailed.
    pub mail: mail::Settings,
    /// `[music]`: what callers on hold hear.
    pub music: music::Settings,
    /// `[http]`: where the web side is reached.
    pub http: Http,
    /// `[store]`: where mailboxes, messages and jobs are kept.
    pub store: store::Settings,
    /// `[blobs]`: where recordings and greetings are kept.
    pub blobs: blobs::Settings,
}

/// `[http]`: where the web side is reached.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port to listen on. Programs use the API there with a token and people the pages of
    /// hold music with a password, but what else is there asks for neither, so keep it on this machine.
    pub listen: SocketAddr,
    /// Address and port for the pages that links in letters open, and for nothing else: what a
    /// proxy or the open network may reach. Without one they are on `listen` only.
    pub public: Option<SocketAddr>,
    /// Address and port for the streams of hold music, and for nothing else: what phone systems on other
    /// machines read. Without one they are on `listen` only.
    pub music: Option<SocketAddr>,
    /// Names it is called by besides `localhost` and bare addresses, e.g. behind a proxy.
    pub names: Vec<String>,
}

impl Default for Http {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        Self { listen, public: None, music: None, names: Vec::new() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "data".into(),
            prompts: None,
            stop_within: Duration::from_secs(30),
            mail_within: Duration::from_secs(60),
            keep_trash: Duration::from_secs(30 * 24 * 3_600),
            disk_reserve_mib: 256,
            sip: Default::default(),
            rtp: Default::default(),
            deposit: Default::default(),
            retrieval: Default::default(),
            speech: Default::default(),
            translation: Default::default(),
            synthesis: Default::default(),
            mail: Default::default(),
            music: Default::default(),
            http: Default::default(),
            store: Default::default(),
            blobs: Default::default(),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or not readable.
    #[error("the settings file {path} cannot be read")]
    Read {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A line of it makes no sense.
    #[error("{place}{problem}")]
    Syntax {
        /// `line 3: `, where it is known.
        place: String,
        /// What is wrong, and what was perhaps meant.
        problem: String,
    },
    /// A section contradicts itself.
    #[error("[{section}] {problem}")]
    Section {
        /// Its name.
        section: &'static str,
        /// What contradicts what.
        problem: String,
    },
}

impl Config {
    /// Reads and checks a settings file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        Self::parse(&text)
    }

    /// Reads and checks the text of a settings file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| explained(text, &error))?;
        let section = |section| move |problem| ConfigError::Section { section, problem };
        config.rtp.check().map_err(section("rtp"))?;
        config.sip.codecs.clone_from(&config.rtp.codecs);
        config.sip.srtp = config.rtp.srtp;
        config.sip.srtp_without_tls = config.rtp.srtp_without_tls;
        config.sip.check().map_err(section("sip"))?;
        config.deposit.check().map_err(section("deposit"))?;
        config.retrieval.check().map_err(section("retrieval"))?;
        config.mail.check().map_err(section("mail"))?;
        config.speech.check().map_err(section("speech"))?;
        config.translation.check().map_err(section("translation"))?;
        config.synthesis.check().map_err(section("synthesis"))?;
        config.store.check().map_err(section("store"))?;
        config.blobs.check().map_err(section("blobs"))?;
        Ok(config)
    }

    /// The database's file, if it is one.
    pub fn database(&self) -> PathBuf {
        self.data.join("afterbeep.db")
    }

    /// The folder of recordings and greetings, and of those on their way to S3.
    pub fn blobs(&self) -> PathBuf {
        self.data.join("blobs")
    }

    /// The folder of what was spoken of texts; it may be emptied at any time.
    pub fn spoken(&self) -> PathBuf {
        self.data.join("spoken")
    }

    /// The folder of takes not yet filed.
    pub fn spooled(&self) -> PathBuf {
        self.data.join("spool")
    }
}

/// Where in the file the error is, and which setting was perhaps meant.
fn explained(text: &str, error: &toml::de::Error) -> ConfigError {
    let place = error.span().map_or_else(String::new, |span| {
        let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
        format!("line {line}: ")
    });
    let problem = nearest(error.message()).unwrap_or_else(|| error.message().to_owned());
    ConfigError::Syntax { place, problem }
}

/// Turns "unknown field `a`, expected one of `b`, `c`" into a question about the nearest name.
fn nearest(message: &str) -> Option<String> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let close = quoted.map(|it| (strsim::damerau_levenshtein(unknown, it), it)).min();
    Some(match close {
        Some((_, name)) => format!("there is no setting {unknown:?}; did you mean {name:?}?"),
        None => format!("there is no setting {unknown:?}"),
    })
}
