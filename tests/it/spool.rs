//! The spool on a real disk: what it was given is what it gives back, whatever happens in between.
#![expect(clippy::print_stdout, reason = "figures, seen with --nocapture")]

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use afterbeep::{
    audio::{
        Codec,
        listener::{Rules, Why},
        ring,
        wav::Sound,
    },
    call::spool::{
        Disk, Kept, Label, MOST_TAKES, Recording, Settings, Spool, SpoolError, TakeEvent, Trouble,
    },
    mailbox::{Caller, MailboxId, MessageId, Reason, Said, TenantId, Timestamp},
};
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

mod crash;
mod end;
mod pace;
mod sound;
mod trouble;
mod wide;

/// A spool in a folder of its own.
struct House {
    settings: Settings,
    spool: Spool,
    _folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(Disk::Real, change)
    }

    fn troubled() -> (Self, Arc<Trouble>) {
        let trouble = Arc::<Trouble>::default();
        (Self::on(Disk::Troubled(trouble.clone()), |_| {}), trouble)
    }

    fn on(disk: Disk, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        change(&mut settings);
        let (spool, found) = Spool::open_on(&settings, disk).unwrap();
        assert_eq!(found, []);
        Self { settings, spool, _folder: folder }
    }

    fn open(folder: TempDir) -> (Self, Vec<Kept>) {
        let settings = settings(folder.path());
        let (spool, found) = reopened(&settings);
        (Self { settings, spool, _folder: folder }, found)
    }

    /// What another process would find had this one been killed right now.
    fn crash(&self) -> (Self, Vec<Kept>) {
        Self::open(self.copy())
    }

    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        let mut names: Vec<_> = fs::read_dir(&self.settings.directory)
            .unwrap()
            .map(|it| it.unwrap().file_name())
            .collect();
        names.sort();
        for name in names {
            let from = self.settings.directory.join(&name);
            // A segment may go while others are copied.
            let _ = fs::copy(from, copy.path().join(&name));
        }
        copy
    }

    async fn restart(self) -> (Self, Vec<Kept>) {
        let Self { spool, _folder, .. } = self;
        spool.close().await;
        Self::open(_folder)
    }

    fn id(&self) -> MessageId {
        MessageId(Uuid::now_v7())
    }

    fn begin(&self, codec: Codec) -> (ring::Writer, Recording) {
        self.spool.begin(self.id(), label(), codec, rules()).unwrap()
    }

    async fn record(&self, codec: Codec, bytes: &[u8]) -> Kept {
        let (producer, mut recording) = self.begin(codec);
        feed(producer, bytes.to_vec()).await.unwrap();
        recording.ends();
        sealed(&mut recording).await
    }

    fn segments(&self) -> usize {
        let names = fs::read_dir(&self.settings.directory).unwrap();
        names.filter(|it| it.as_ref().unwrap().path().extension().is_some()).count()
    }
}

fn settings(directory: &Path) -> Settings {
    Settings { directory: directory.into(), least_free: 0, ..Settings::default() }
}

fn label() -> Label {
    Label {
        mailbox: MailboxId("0192-box".into()),
        tenant: TenantId("0192-tenant".into()),
        caller: Caller::claimed(Some("Zoë \"Z\" Ångström"), Some("+4912345")),
        received: Timestamp(1_765_432_100_123),
        call: "a84b4c76e66710@pc33.example.com".into(),
        reason: Reason::NoAnswer,
        dictated: false,
        said: Default::default(),
    }
}

fn rules() -> Rules {
    Rules {
        end_of_message_silence: Some(Duration::from_secs(8)),
        longest: Duration::from_secs(300),
        tones: true,
        keys: false,
    }
}

/// Loud nonsense, another one for each seed.
fn sound(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(byte).collect()
}

/// Writes as fast as the ring takes it, then lets go of it.
fn feed(mut producer: ring::Writer, bytes: Vec<u8>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut rest = &bytes[..];
        while !rest.is_empty() && !producer.is_abandoned() {
            rest = pour(&mut producer, rest);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

/// Writes what there is room for; the rest.
fn pour<'a>(producer: &mut ring::Writer, bytes: &'a [u8]) -> &'a [u8] {
    let mut frames = bytes.chunks(160);
    let refused = frames.position(|it| producer.push(it).is_err());
    refused.map_or(&[], |it| &bytes[it * 160..])
}

async fn next(recording: &mut Recording) -> TakeEvent {
    tokio::time::timeout(Duration::from_secs(20), recording.next()).await.expect("an event")
}

async fn sealed(recording: &mut Recording) -> Kept {
    match next(recording).await {
        TakeEvent::Sealed(kept) => kept,
        other => panic!("not sealed: {other:?}"),
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The spool in a folder that may have had one until now. What another test starts holds every open
/// file of ours, and so the lock, until it becomes a program of its own.
fn reopened(settings: &Settings) -> (Spool, Vec<Kept>) {
    let until = Instant::now() + crate::house::PATIENCE;
    loop {
        match Spool::open(settings) {
            Err(SpoolError::InUse(_)) if Instant::now() < until => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}
