//! Voicemail PINs, and how many wrong ones came: to a mailbox, and from somebody. Kept here and not
//! in memory, so that neither a restart nor a second server gives anybody new tries. Tries of passwords
//! are counted in the same way.

use super::{Db, StoreError, Tx};
use crate::mailbox::{Caller, Guesses, MailboxId, TenantId, Timestamp};

/// Longest email address that is told from others, in characters (RFC 5321 §4.5.3.1).
const LONGEST_ADDRESS: usize = 254;

/// Whose tries are counted.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// Those for one mailbox, whoever makes them.
    Mailbox(&'a MailboxId),
    /// Those of one caller, whatever they are for.
    Caller(&'a str),
    /// Those for numbers that no mailbox of the tenant has, so that they take as long as others.
    Nobody(&'a TenantId),
    /// Those to log in at a tenant with this email address, whether somebody has it or not.
    Login(&'a TenantId, &'a str),
    /// Those that come from one machine, for whomever they are.
    Machine(&'a str),
}

impl Subject<'_> {
    fn key(self) -> String {
        match self {
            Self::Mailbox(id) => format!("mailbox {id}"),
            Self::Caller(who) => format!("caller {who}"),
            Self::Nobody(tenant) => format!("nobody {tenant}"),
            Self::Login(tenant, email) => {
                let email = super::clipped(&email.to_lowercase(), LONGEST_ADDRESS);
                format!("login {tenant} {email}")
            }
            Self::Machine(address) => format!("machine {address}"),
        }
    }

    fn most(self) -> u32 {
        match self {
            Self::Mailbox(_) | Self::Login(..) => Guesses::MOST,
            Self::Caller(_) | Self::Machine(_) => Guesses::MOST_OF_ONE,
            Self::Nobody(_) => u32::MAX,
        }
    }
}

/// Gives a mailbox a PIN that its owner is to replace, and forgets what wrong ones came to it; `false`
/// if there is no such mailbox.
pub async fn set(
    db: &Db,
    mailbox: &MailboxId,
    hash: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    put(db, mailbox, hash, true, now).await
}

/// The same with a PIN of the owner's own choice.
pub async fn change(
    db: &Db,
    mailbox: &MailboxId,
    hash: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    put(db, mailbox, hash, false, now).await
}

/// Whether the mailbox has a PIN that is not its owner's own choice.
pub async fn is_given(db: &Db, mailbox: &MailboxId) -> Result<bool, StoreError> {
    let given: Option<bool> = on!(&db.reader, pool => sqlx::query_scalar(
        "select given from pin where mailbox = $1",
    )
    .bind(&mailbox.0)
    .fetch_optional(pool)
    .await?);
    Ok(given.unwrap_or(false))
}

async fn put(
    db: &Db,
    mailbox: &MailboxId,
    hash: &str,
    given: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let set = on!(&mut tx, tx => sqlx::query(
        "insert into pin (mailbox, hash, given, changed)
         select id, $2, $3, $4 from mailbox where id = $1
         on conflict (mailbox) do update
            set hash = excluded.hash, given = excluded.given, changed = excluded.changed",
    )
    .bind(&mailbox.0)
    .bind(hash)
    .bind(given)
    .bind(now.0)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    forget(&mut tx, Subject::Mailbox(mailbox)).await?;
    tx.commit().await?;
    Ok(set == 1)
}

/// Takes a mailbox's PIN away; `false` if it had none.
pub async fn remove(db: &Db, mailbox: &MailboxId) -> Result<bool, StoreError> {
    let gone = on!(&db.writer, pool => sqlx::query("delete from pin where mailbox = $1")
        .bind(&mailbox.0)
        .execute(pool)
        .await?
        .rows_affected());
    Ok(gone == 1)
}

/// What is kept of a mailbox's PIN, if it has one.
pub async fn of(db: &Db, mailbox: &MailboxId) -> Result<Option<String>, StoreError> {
    Ok(on!(&db.reader, pool => sqlx::query_scalar("select hash from pin where mailbox = $1")
        .bind(&mailbox.0)
        .fetch_optional(pool)
        .await?))
}

/// Counts a try before its answer is known; `None` if it is one too many and gets no answer.
pub async fn tried(
    db: &Db,
    subject: Subject<'_>,
    now: Timestamp,
) -> Result<Option<Guesses>, StoreError> {
    let mut tx = db.begin().await?;
    let key = subject.key();
    // Written before it is read: this is the lock.
    on!(&mut tx, tx => sqlx::query(
        "insert into guess (subject, wrong, since, locks, locked_until) values ($1, 0, 0, 0, 0)
         on conflict (subject) do update set wrong = guess.wrong",
    )
    .bind(&key)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    let (wrong, since, locks, until): (i64, i64, i64, i64) = on!(&mut tx, tx => sqlx::query_as(
        "select wrong, since, locks, locked_until from guess where subject = $1",
    )
    .bind(&key)
    .fetch_one(&mut **tx)
    .await?);
    let count = |it: i64| u32::try_from(it).unwrap_or(u32::MAX);
    let before = Guesses {
        wrong: count(wrong),
        since: Timestamp(since),
        locks: count(locks),
        locked_until: Timestamp(until),
    };
    let after = before.tried(subject.most(), now);
    if let Some(after) = after {
        on!(&mut tx, tx => sqlx::query(
            "update guess set wrong = $2, since = $3, locks = $4, locked_until = $5
              where subject = $1",
        )
        .bind(&key)
        .bind(i64::from(after.wrong))
        .bind(after.since.0)
        .bind(i64::from(after.locks))
        .bind(after.locked_until.0)
        .execute(&mut **tx)
        .await?
        .rows_affected());
    }
    tx.commit().await?;
    Ok(after)
}

/// A lock whose mailbox's owner does not know of it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Which mailbox is locked.
    pub mailbox: MailboxId,
    /// When the lock ends.
    pub until: Timestamp,
    /// How long it is, told by how many there were.
    pub locks: u32,
    /// Who made the try that brought it about.
    pub source: Option<String>,
}

/// Notes who made the try that has just locked a mailbox, to be told to its owner.
pub async fn note_source(
    db: &Db,
    mailbox: &MailboxId,
    source: Option<&str>,
) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query("update guess set source = $2 where subject = $1")
        .bind(Subject::Mailbox(mailbox).key())
        .bind(source.map(|it| super::clipped(it, Caller::LONGEST)))
        .execute(pool)
        .await?
        .rows_affected());
    Ok(())
}

/// Locks nobody was told of, the oldest first, `most` at most.
pub async fn untold(db: &Db, most: u32) -> Result<Vec<Lock>, StoreError> {
    let rows: Vec<(String, i64, i64, Option<String>)> = on!(&db.reader, pool => sqlx::query_as(
        "select subject, locked_until, locks, source from guess
          where subject like 'mailbox %' and locked_until > told
          order by locked_until, subject limit $1",
    )
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?);
    let lock = |(subject, until, locks, source): (String, i64, i64, Option<String>)| Lock {
        mailbox: MailboxId(subject.trim_start_matches("mailbox ").to_owned()),
        until: Timestamp(until),
        locks: u32::try_from(locks).unwrap_or(u32::MAX),
        source,
    };
    Ok(rows.into_iter().map(lock).collect())
}

/// The owner knows of this lock now, or nobody can tell them. A later one is told again.
pub async fn told(db: &Db, lock: &Lock) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "update guess set told = $2 where subject = $1 and told < $2",
    )
    .bind(Subject::Mailbox(&lock.mailbox).key())
    .bind(lock.until.0)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(())
}

/// Until when a mailbox is locked to strangers; `None` if it is not.
pub async fn locked_until(
    db: &Db,
    mailbox: &MailboxId,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let until: Option<i64> = on!(&db.reader, pool => sqlx::query_scalar(
        "select locked_until from guess where subject = $1 and locked_until > $2",
    )
    .bind(Subject::Mailbox(mailbox).key())
    .bind(now.0)
    .fetch_optional(pool)
    .await?);
    Ok(until.map(Timestamp))
}

/// Ends a mailbox's lock and forgets what wrong PINs came to it; `false` if none did.
pub async fn unlock(db: &Db, mailbox: &MailboxId) -> Result<bool, StoreError> {
    let gone = on!(&db.writer, pool => sqlx::query("delete from guess where subject = $1")
        .bind(Subject::Mailbox(mailbox).key())
        .execute(pool)
        .await?
        .rows_affected());
    Ok(gone == 1)
}

/// The right secret came: everything wrong before it is forgotten. Who said it only gets this try
/// back, else an owner could try others' PINs for ever by calling their own in between.
pub async fn right(db: &Db, of: Subject<'_>, by: Option<Subject<'_>>) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    forget(&mut tx, of).await?;
    if let Some(by) = by {
        on!(&mut tx, tx => sqlx::query(
            "update guess set wrong = wrong - 1 where subject = $1 and wrong > 0",
        )
        .bind(by.key())
        .execute(&mut **tx)
        .await?
        .rows_affected());
    }
    tx.commit().await
}

/// Forgets tries that no longer count for anything.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    let before = now - Guesses::WINDOW * 24;
    Ok(on!(&db.writer, pool => sqlx::query(
        "delete from guess where since < $1 and locked_until < $1",
    )
    .bind(before.0)
    .execute(pool)
    .await?
    .rows_affected()))
}

pub(super) async fn forget(tx: &mut Tx, subject: Subject<'_>) -> Result<(), StoreError> {
    on!(tx, tx => sqlx::query("delete from guess where subject = $1")
        .bind(subject.key())
        .execute(&mut **tx)
        .await?
        .rows_affected());
    Ok(())
}
