//! A database as many calls leave it, in a fraction of the time.
//!
//! A message of each kind is filed, heard, mailed and moved by the store's own functions; the rows
//! that makes are copied under other ids and times, the way `afterbeep restore` puts rows in.

use std::path::Path;
use std::time::Duration;

use afterbeep::blobs;
use afterbeep::clock::Clock;
use afterbeep::mailbox::{
    Caller, Envelope, Folder, Mailbox, MailboxId, MessageId, Notice, Reason, Recipient, Segment,
    TenantId, Timestamp, Transcript,
};
use afterbeep::store::mailboxes::{self, Entry};
use afterbeep::store::messages::{self, Filing};
use afterbeep::store::rows::Table;
use afterbeep::store::{Db, deliveries, jobs, transcripts};
use tokio::sync::mpsc;

/// Messages of an ordinary mailbox.
const EACH: usize = 450;
/// One in so many lies in the first mailbox.
const SHARE: usize = 10;
/// Rows of so many messages are put in at once.
const BATCH: usize = 2_000;
/// When everything about the originals happened.
const THEN: Timestamp = Timestamp(1_111_111_111_111);
/// When a mail is due that is not to be sent meanwhile.
const FAR: Timestamp = Timestamp(4_000_000_000_000);
/// Over so long the messages came; none has been in the trash for long enough to be purged.
const SPAN: Duration = Duration::from_secs(28 * 24 * 3_600);

/// How a message fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    New,
    Saved,
    Trashed,
    /// Neither written down nor mailed yet.
    Waiting,
}

/// An original, and the rows it has.
struct Original {
    filing: Filing,
    rows: Vec<(Table, String)>,
}

/// Puts in so many messages, and a recording of each, if a small one. Answers the mailboxes; the
/// first is the large one.
pub async fn fill(db: &Db, blobs: &Path, tenant: &TenantId, count: usize) -> Vec<Mailbox> {
    let mailboxes = mailboxes(db, tenant, count).await;
    let mut originals = Vec::new();
    for fate in [Fate::New, Fate::Saved, Fate::Trashed, Fate::Waiting] {
        originals.push(original(db, &mailboxes[0].id, fate).await);
    }
    let step = SPAN / count as u32;
    let mut time = Clock::Real.now() - SPAN;
    for begin in (0..count).step_by(BATCH) {
        let mut filling = db.fill().await.unwrap();
        for nth in begin..count.min(begin + BATCH) {
            let mailbox = match nth % SHARE {
                0 => &mailboxes[0],
                _ => &mailboxes[1 + nth % (mailboxes.len() - 1)],
            };
            let original = match nth / SHARE % 100 {
                0 => &originals[3],
                1..4 => &originals[2],
                4..34 => &originals[1],
                _ => &originals[0],
            };
            let id = Clock::Real.message_id();
            for (table, row) in &original.rows {
                filling.insert(table, &copy(row, original, mailbox, id, time)).await.unwrap();
            }
            std::fs::write(blobs.join(blobs::message(&id)), b"RIFF").unwrap();
            time = time + step;
        }
        filling.commit().await.unwrap();
    }
    mailboxes
}

/// The recipients, limits and words of every message.
pub fn filing(mailbox: &MailboxId, received: Timestamp) -> Filing {
    let id = Clock::Real.message_id();
    let to = |address: &str, kind| Recipient { address: address.into(), kind };
    Filing {
        id,
        mailbox: mailbox.clone(),
        envelope: Envelope {
            caller: Caller::claimed(Some("Marie Dupont"), Some("+33556123456")),
            received,
            length: Duration::from_secs(17),
            interrupted: false,
            reason: Reason::Unknown,
        },
        blob: blobs::message(&id),
        limit: 100_000,
        rotates: true,
        transcribe: true,
        notify_due: FAR,
        recipients: vec![to("ann@localhost", Notice::Full), to("bob@localhost", Notice::Short)],
        marks: Default::default(),
        copies: false,
        origin: None,
    }
}

async fn mailboxes(db: &Db, tenant: &TenantId, count: usize) -> Vec<Mailbox> {
    for number in 2_000..2_000 + (count / EACH).max(1) {
        let id = MailboxId(Clock::Real.message_id().to_string());
        let entry = Entry::default();
        mailboxes::add(db, tenant, &id, &number.to_string(), &entry, THEN).await.unwrap();
    }
    mailboxes::list(db, tenant).await.unwrap()
}

async fn original(db: &Db, mailbox: &MailboxId, fate: Fate) -> Original {
    let filing = filing(mailbox, THEN);
    let id = filing.id;
    messages::file(db, std::slice::from_ref(&filing), THEN).await.unwrap();
    if fate != Fate::Waiting {
        transcripts::save(db, &id, &transcript(), THEN).await.unwrap();
        for to in &filing.recipients {
            let full = to.kind == Notice::Full;
            deliveries::accepted(db, &id, &to.address, "250 2.0.0 kept", full).await.unwrap();
        }
        for kind in [jobs::Kind::Transcribe, jobs::Kind::Notify] {
            let lease = Duration::from_secs(60);
            let job = jobs::claim(db, kind, FAR, lease).await.unwrap().unwrap();
            assert!(job.subject == id && jobs::finish(db, &job).await.unwrap());
        }
    }
    let folder = match fate {
        Fate::Saved => Folder::Saved,
        Fate::Trashed => Folder::Deleted,
        Fate::New | Fate::Waiting => Folder::New,
    };
    messages::move_to(db, mailbox, &id, folder, "owner", THEN).await.unwrap();
    let rows = rows(db, id).await;
    Original { filing, rows }
}

fn transcript() -> Transcript {
    let words = "this is somebody who calls about the thing we spoke of on tuesday please call me \
        back as soon as you can my number is the same as ever thank you goodbye";
    let segment = |n: u32, text: &[&str]| Segment {
        start_ms: n * 4_000,
        end_ms: n * 4_000 + 3_900,
        text: text.join(" "),
        confidence: 0.87,
    };
    let words: Vec<_> = words.split(' ').take(30).collect();
    let segments = words.chunks(8).zip(0..).map(|(text, n)| segment(n, text)).collect();
    Transcript { language: "en".into(), segments, engine: "whisper tiny.en".into() }
}

/// Every row that names the message.
async fn rows(db: &Db, id: MessageId) -> Vec<(Table, String)> {
    let mut snapshot = db.snapshot().await.unwrap();
    let mut found = Vec::new();
    for table in snapshot.tables() {
        let (lines, mut arriving) = mpsc::channel::<String>(64);
        let collecting = async {
            let mut mine = Vec::new();
            while let Some(line) = arriving.recv().await {
                mine.extend(Some(line).filter(|it| it.contains(&id.to_string())));
            }
            mine
        };
        let (read, mine) = tokio::join!(snapshot.read(&table, lines), collecting);
        read.unwrap();
        found.extend(mine.into_iter().map(|line| (table.clone(), line)));
    }
    found
}

fn copy(row: &str, of: &Original, to: &Mailbox, id: MessageId, time: Timestamp) -> String {
    row.replace(&of.filing.blob, &blobs::message(&id))
        .replace(&of.filing.id.to_string(), &id.to_string())
        .replace(&of.filing.mailbox.0, &to.id.0)
        .replace(&THEN.0.to_string(), &time.0.to_string())
}
