//! Takes that are hard to file: each is dealt with for itself, and nothing that counts is lost.

use std::collections::HashSet;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use afterbeep::app::{App, Studio};
use afterbeep::audio::{Codec, listener::Rules};
use afterbeep::bell::Bell;
use afterbeep::blobs::{self, Blobs};
use afterbeep::call::Filer;
use afterbeep::call::spool::{self, Kept, Label, Spool, TakeEvent};
use afterbeep::clock::Clock;
use afterbeep::config::Config;
use afterbeep::mail::{Mailer, Templates};
use afterbeep::mailbox::{Caller, Envelope, MailboxId, MessageId, Reason, Settings, TenantId};
use afterbeep::prompts::Prompts;
use afterbeep::speech::{Recogniser, Translator};
use afterbeep::store::messages::{self, Filing};
use afterbeep::store::tenants::{self, Tenant};
use afterbeep::store::{Db, mailboxes};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::call::words;
use crate::house::PATIENCE;

#[tokio::test]
async fn a_take_that_cannot_be_read_keeps_no_other_from_being_filed() {
    let house = House::new().await;
    let (bad, good) = (house.record("m", 2).await, house.record("m", 3).await);
    house.damage(&words(2));
    let filer = house.filer();
    // Both are asked for before the filer has its first turn, so they are one group.
    filer.recover(bad.clone());
    filer.recover(good.clone());
    house.until("the good one is filed", async || house.has(good.take.id).await).await;
    let later = house.record("m", 4).await;
    filer.recover(later.clone());
    house.until("one that came later is filed", async || house.has(later.take.id).await).await;

    assert!(!house.has(bad.take.id).await);
    assert_eq!(house.spool.counters().kept, 1, "what cannot be read now stays for somebody to try");
}

#[tokio::test]
async fn a_take_whose_message_was_purged_leaves_nothing_behind() {
    let house = House::new().await;
    let (purged, mailbox) = (house.record("m", 2).await, MailboxId("m".into()));
    messages::file(&house.app.db, &[filing(&purged)], purged.label.received).await.unwrap();
    let id = purged.take.id;
    messages::purge(&house.app.db, &mailbox, &id, purged.label.received).await.unwrap().unwrap();
    house.filer().recover(purged);
    house.until("the take is gone", async || house.spool.counters().kept == 0).await;
    assert!(!house.has(id).await);
    assert_eq!(house.app.blobs.list().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn the_recording_for_a_mailbox_that_was_removed_is_kept() {
    let house = House::new().await;
    let orphan = house.record("gone", 2).await;
    house.filer().recover(orphan.clone());
    house.until("the take is gone", async || house.spool.counters().kept == 0).await;
    assert_eq!(house.app.blobs.list().await.unwrap(), [blobs::message(&orphan.take.id)]);
}

/// Everything a filer needs, in a folder of its own.
struct House {
    app: App,
    spool: Spool,
    dir: TempDir,
    stop: watch::Sender<bool>,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data: dir.path().into(), ..Config::default() };
        let clock = Clock::default();
        let db = Db::open(&config.database()).await.unwrap();
        let tenant = Tenant {
            id: TenantId("t".into()),
            name: "default".into(),
            sip_domain: None,
            settings: Settings { transcribe: Some(false), ..Settings::default() },
        };
        tenants::add(&db, &tenant, clock.now()).await.unwrap();
        let settings = mailboxes::Entry { name: "Ann".into(), ..Default::default() };
        let mailbox = MailboxId("m".into());
        mailboxes::add(&db, &tenant.id, &mailbox, "1000", &settings, clock.now()).await.unwrap();
        let directory = config.spooled();
        let takes = spool::Settings { directory, least_free: 0, ..Default::default() };
        let app = App {
            blobs: Blobs::open(&config.blobs()).unwrap(),
            prompts: Arc::new(Prompts::load(None).unwrap()),
            speech: Recogniser::new(config.speech.clone(), "/nonexistent".into()),
            translator: Translator::new(
                config.translation.clone(),
                config.speech.models.clone(),
                "/nonexistent".into(),
            ),
            studio: Studio::new(&config, "/nonexistent".into()),
            mailer: Arc::new(Mailer::memory("voicemail@localhost").unwrap().0),
            templates: Arc::new(Templates::built_in()),
            links: None,
            pepper: Arc::from(*b"pepper"),
            bell: Bell::default(),
            config: Arc::new(config),
            clock,
            db,
        };
        let spool = Spool::open(&takes).unwrap().0;
        Self { app, spool, dir, stop: watch::channel(false).0 }
    }

    fn filer(&self) -> Filer {
        Filer::start(self.app.clone(), self.spool.clone(), self.stop.subscribe()).0
    }

    /// A take of so many seconds of [`words`], sealed.
    async fn record(&self, mailbox: &str, seconds: usize) -> Kept {
        let label = Label {
            mailbox: MailboxId(mailbox.into()),
            tenant: TenantId("t".into()),
            caller: Caller::claimed(None, Some("5551234")),
            received: self.app.clock.now(),
            call: "a call".into(),
            reason: Reason::Unknown,
            dictated: false,
            said: Default::default(),
        };
        let id = self.app.clock.message_id();
        let begun = self.spool.begin(id, label, Codec::Pcmu, Rules::endless()).unwrap();
        let (mut producer, mut recording) = begun;
        producer.push(&words(seconds)).unwrap();
        drop(producer);
        loop {
            match recording.next().await {
                TakeEvent::Sealed(kept) => return kept,
                TakeEvent::Verdict(_) => {}
                TakeEvent::Failed { why, .. } => panic!("{why}"),
            }
        }
    }

    /// Changes a byte on disk of the first take that begins like this.
    fn damage(&self, sound: &[u8]) {
        let files = std::fs::read_dir(self.dir.path().join("spool")).unwrap();
        let paths: HashSet<_> =
            files.map(|it| it.unwrap().path()).filter(|it| it.is_file()).collect();
        let damaged = paths.into_iter().filter(|path| {
            let bytes = std::fs::read(path).unwrap();
            let Some(at) = bytes.windows(400).position(|it| it == &sound[..400]) else {
                return false;
            };
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.write_all_at(&[!bytes[at + 200]], at as u64 + 200).unwrap();
            true
        });
        assert_eq!(damaged.count(), 1);
    }

    async fn has(&self, id: MessageId) -> bool {
        messages::for_job(&self.app.db, &id).await.unwrap().is_some()
    }

    async fn until(&self, what: &str, mut reached: impl AsyncFnMut() -> bool) {
        let gives_up = Instant::now() + PATIENCE;
        while !reached().await {
            assert!(Instant::now() < gives_up, "never: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn filing(kept: &Kept) -> Filing {
    Filing {
        id: kept.take.id,
        mailbox: kept.label.mailbox.clone(),
        envelope: Envelope {
            caller: kept.label.caller.clone(),
            received: kept.label.received,
            length: kept.take.length,
            interrupted: false,
            reason: kept.label.reason,
        },
        blob: blobs::message(&kept.take.id),
        limit: 100,
        rotates: true,
        transcribe: false,
        notify_due: kept.label.received,
        recipients: vec![],
        marks: Default::default(),
        copies: false,
        origin: None,
    }
}
