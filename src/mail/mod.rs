//! Mails that tell of messages: what they say ([`Letter`], in the sentences of [`Templates`]), where
//! their [`Links`] lead, and how they go ([`Mailer`]).
//!
//! One letter to one recipient at a time; when to try again is the caller's business, and
//! [`MailError::is_temporary`] says whether it may help. A letter carries the same Message-ID on
//! every try, so one that arrives twice can be told from two.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use lettre::{address::AddressError, message::Mailbox};

mod address;
pub mod folder;
mod letter;
mod links;
mod mime;
pub mod mp3;
pub mod sample;
mod settings;
mod smtp;
mod templates;
mod words;

pub use folder::Folder;
pub use letter::{Letter, Lock, News, Recording, Sound, Text, Translated, listen_page};
pub use links::{Links, Reader, Ways, key_as_text};
pub use settings::{Secret, Security, Server, Settings};
pub use smtp::Smtp;
pub use templates::{Part, TemplateError, Templates};

/// Where letters go.
pub enum Mailer {
    /// To a mail server.
    Smtp(Smtp),
    /// Into a folder on this machine.
    Folder(Folder),
    /// Nowhere: a test looks at them.
    Memory(Outbox),
}

/// Letters kept in memory, for tests.
#[derive(Clone)]
pub struct Outbox {
    from: Mailbox,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// A letter as it would have travelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The recipient.
    pub to: String,
    /// Headers and body.
    pub bytes: Vec<u8>,
}

/// A letter is out of our hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What the server said to it, for the log.
    pub reply: String,
}

/// Why a letter was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The recipient or the sender cannot be written to.
    #[error("{0:?} is not a mail address")]
    Address(String, #[source] AddressError),
    /// The server refuses this letter for good (5xx).
    #[error("the mail server refuses the letter: {reply}")]
    Refused {
        /// Code and text of its answer.
        reply: String,
    },
    /// The server does not take a letter of this size.
    #[error("the mail server refuses the letter for its size: {reply}")]
    TooLarge {
        /// Code and text of its answer.
        reply: String,
    },
    /// The server wants to be asked again later (4xx), or does not let us in.
    #[error("the mail server does not take the letter now: {reply}")]
    NotNow {
        /// Code and text of its answer.
        reply: String,
    },
    /// The server cannot be reached or understood, or hung up. It may have kept the letter.
    #[error("the conversation with the mail server failed")]
    Broken(#[source] lettre::transport::smtp::Error),
    /// The server did not finish in time. It may have kept the letter.
    #[error("the mail server did not finish within {0:?}")]
    TooSlow(Duration),
    /// The letter could not be put together.
    #[error("the letter could not be put together")]
    Unwritable(#[from] lettre::error::Error),
    /// The password file cannot be read.
    #[error("the password for the mail server cannot be read")]
    Password(#[source] io::Error),
    /// The file with trusted certificates is of no use.
    #[error("{0} holds no certificates")]
    Certificates(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// The folder does not take letters.
    #[error("the folder {0} does not take letters")]
    Folder(PathBuf, #[source] io::Error),
}

impl MailError {
    /// Whether the same letter may be taken on another try.
    pub fn is_temporary(&self) -> bool {
        match self {
            MailError::Address(..) | MailError::Unwritable(_) => false,
            MailError::Refused { .. } | MailError::TooLarge { .. } => false,
            MailError::NotNow { .. } | MailError::Broken(_) | MailError::TooSlow(_) => true,
            MailError::Password(_) | MailError::Certificates(..) | MailError::Folder(..) => true,
        }
    }
}

impl Mailer {
    /// Opens the way that is set: the server, or without one the folder `caught` inside `data`.
    /// Reads the password and certificate files; connects to nothing yet.
    pub fn open(settings: &Settings, data: &Path) -> Result<Self, MailError> {
        let from = sender(&settings.from)?;
        Ok(match &settings.server {
            Some(server) => Mailer::Smtp(Smtp::new(from, server, settings.timeout)?),
            None => Mailer::Folder(Folder { from, dir: data.join(&settings.caught) }),
        })
    }

    /// Keeps letters in memory, for tests.
    pub fn memory(from: &str) -> Result<(Self, Outbox), MailError> {
        let outbox = Outbox { from: sender(from)?, sent: Arc::default() };
        Ok((Mailer::Memory(outbox.clone()), outbox))
    }

    /// Sends a letter to one recipient: `name@domain`, or `Name <name@domain>`.
    ///
    /// # Errors
    /// See [`MailError`]. After [`MailError::Broken`] and [`MailError::TooSlow`] nobody knows
    /// whether the letter was kept; trying again may make a second copy with the same Message-ID.
    pub async fn send(&self, letter: &Letter, to: &str) -> Result<Accepted, MailError> {
        let message = mime::message(letter, self.from(), to)?;
        match self {
            Mailer::Smtp(server) => server.send(&message).await,
            Mailer::Folder(folder) => folder.catch(letter, to, &message).await,
            Mailer::Memory(outbox) => Ok(outbox.add(to, message.formatted())),
        }
    }

    /// Goes all the way but the last step: connects and logs in, or tries the folder.
    pub async fn check(&self) -> Result<(), MailError> {
        match self {
            Mailer::Smtp(server) => server.check().await,
            Mailer::Folder(folder) => folder.check().await,
            Mailer::Memory(_) => Ok(()),
        }
    }

    /// The folder letters are caught in, if they are.
    pub fn caught(&self) -> Option<&Path> {
        match self {
            Mailer::Folder(folder) => Some(&folder.dir),
            Mailer::Smtp(_) | Mailer::Memory(_) => None,
        }
    }

    fn from(&self) -> &Mailbox {
        match self {
            Mailer::Smtp(server) => &server.from,
            Mailer::Folder(folder) => &folder.from,
            Mailer::Memory(outbox) => &outbox.from,
        }
    }
}

impl Outbox {
    /// All letters so far, the oldest first.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("nothing panics while it is held").clone()
    }

    fn add(&self, to: &str, bytes: Vec<u8>) -> Accepted {
        let sent = Sent { to: to.to_owned(), bytes };
        self.sent.lock().expect("nothing panics while it is held").push(sent);
        Accepted { reply: "kept in memory".into() }
    }
}

fn sender(from: &str) -> Result<Mailbox, MailError> {
    address::parse(from).map_err(|cause| MailError::Address(from.to_owned(), cause))
}
