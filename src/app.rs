//! What every driver can reach: the settings, and everything that was opened with them.

use std::{sync::Arc, time::Duration};

use crate::bell::Bell;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::Config;
use crate::mail::{Links, Mailer, Templates};
use crate::mailbox::Timestamp;
use crate::prompts::Prompts;
use crate::speech::{Readiness, Recogniser, Translator};
use crate::store::Db;

mod studio;

pub use studio::{RATE, Script, Studio, as_heard};

/// A cheap handle; clones reach the same things.
#[derive(Clone)]
pub struct App {
    /// The settings.
    pub config: Arc<Config>,
    /// The time, and new ids.
    pub clock: Clock,
    /// Mailboxes, messages and jobs.
    pub db: Db,
    /// Recordings and greetings.
    pub blobs: Blobs,
    /// Clips.
    pub prompts: Arc<Prompts>,
    /// Speech to text.
    pub speech: Recogniser,
    /// Text to text in another language.
    pub translator: Translator,
    /// Sound files and texts to recordings.
    pub studio: Studio,
    /// Where mail goes.
    pub mailer: Arc<Mailer>,
    /// What it says.
    pub templates: Arc<Templates>,
    /// Where its links lead, if they may lead anywhere.
    pub links: Option<Links>,
    /// What PINs and passwords are hashed with besides their own salt.
    pub pepper: Arc<[u8]>,
    /// Rung when a transaction left work for others.
    pub bell: Bell,
}

impl App {
    /// When the mail about a message that is filed now goes at the latest. Where no transcript is
    /// wanted, or without a model, there is nothing to wait for.
    pub fn mail_due(&self, transcribe: bool) -> Timestamp {
        let ready = matches!(self.speech.readiness(), Readiness::Ready { .. });
        let wait = if transcribe && ready { self.config.mail_within } else { Duration::ZERO };
        self.clock.now() + wait
    }
}
