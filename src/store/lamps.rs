//! Lamps: who is told how many messages lie in a mailbox, and what they were told last.
//!
//! A lamp is to be told when its mailbox has another version than it was told of, when its time is
//! over, when its mailbox is gone, or when nobody said in time how telling it went. That is looked up,
//! so it does not matter which process changed what. Whoever tells writes down first what is said, with
//! the number it is said under.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::FromRow;

use super::{Db, StoreError, Tx};
use crate::mailbox::{
    MailboxId, TenantId, Timestamp,
    lamp::{APART, Counts, Fate, Kind},
};

/// A subscription as it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// What names it everywhere: a UUIDv7 as text.
    pub id: String,
    /// What is told of.
    pub mailbox: MailboxId,
    /// What is renewed.
    pub change: Renewed,
}

/// What every SUBSCRIBE says anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The dialog's name.
    pub name: String,
    /// What a NOTIFY needs, for whoever sends it.
    pub dialog: String,
    /// Where it is told, for people.
    pub place: String,
    /// Our address it came to.
    pub node: String,
    /// When its time is over.
    pub expires: Timestamp,
}

/// How many subscriptions there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub most: u32,
    /// Of one mailbox.
    pub most_each: u32,
}

/// A lamp that is to be told now, by whoever claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What names it everywhere.
    pub id: String,
    /// Who is told.
    pub kind: Kind,
    /// Where.
    pub place: String,
    /// What a NOTIFY needs; of a subscription only.
    pub dialog: Option<String>,
    /// When its time is over, if it ever is.
    pub expires: Option<Timestamp>,
    /// The number under which it is told.
    pub sequence: u32,
    /// Times in a row that it could not be told.
    pub failures: u32,
    /// What it is told of; `None` if that is gone, and the lamp with it.
    pub mailbox: Option<Shown>,
}

/// A mailbox as lamps show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What names it everywhere.
    pub id: MailboxId,
    /// What is dialled.
    pub number: String,
    /// Its tenant's domain.
    pub domain: Option<String>,
    /// What lies in it.
    pub counts: Counts,
}

/// How telling a lamp went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which one.
    pub id: String,
    /// The number under which it was told.
    pub sequence: u32,
    /// What becomes of it.
    pub fate: Fate,
    /// Why it was not told.
    pub problem: Option<String>,
}

/// A lamp as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The mailbox's number.
    pub number: String,
    /// Who is told.
    pub kind: Kind,
    /// Where.
    pub place: String,
    /// What it was told last, and when.
    pub told: Option<(Counts, Timestamp)>,
    /// It does not show the mailbox as it is now.
    pub is_behind: bool,
    /// When its time is over, if it ever is.
    pub expires: Option<Timestamp>,
    /// Why it was not told the last time.
    pub problem: Option<String>,
}

/// What is kept of a subscription, for whoever renews it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which one.
    pub id: String,
    /// What a NOTIFY needs.
    pub dialog: String,
}

/// Longest problem that is kept, in characters.
const PROBLEM: usize = 200;

/// Begins a subscription; `false` if there are too many, unless one of them is of the same phone,
/// which then gives way. It is told once it is [`ready`], and at
/// the latest after `lease`.
pub async fn subscribe(
    db: &Db,
    new: &Subscribed,
    limits: Limits,
    now: Timestamp,
    lease: Duration,
) -> Result<bool, StoreError> {
    let Renewed { name, dialog, place, node, expires } = &new.change;
    let mut tx = db.begin().await?;
    let (all, each): (i64, i64) = on!(&mut tx, tx => {
        sqlx::query(
            "insert into lamp (id, mailbox, kind, name, place, dialog, node, expires, due, created)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&new.id)
        .bind(&new.mailbox.0)
        .bind(Kind::Subscription.as_str())
        .bind(name)
        .bind(place)
        .bind(dialog)
        .bind(node)
        .bind(expires.0)
        .bind((now + lease).0)
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
        sqlx::query_as(
            "select (select count(*) from lamp where kind = $2),
                    (select count(*) from lamp where mailbox = $1 and kind = $2)",
        )
        .bind(&new.mailbox.0)
        .bind(Kind::Subscription.as_str())
        .fetch_one(&mut **tx)
        .await?
    });
    if all > i64::from(limits.most) || each > i64::from(limits.most_each) {
        // A phone that is started again and again has left its own behind.
        let gone = on!(&mut tx, tx => sqlx::query(
            "delete from lamp
              where id = (select id from lamp where mailbox = $1 and place = $2 and id <> $3
                           order by created, id limit 1)",
        )
        .bind(&new.mailbox.0)
        .bind(place)
        .bind(&new.id)
        .execute(&mut **tx)
        .await?
        .rows_affected());
        if gone == 0 {
            return Ok(false);
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// The subscription was answered: from now on it may be told.
pub async fn ready(db: &Db, id: &str, now: Timestamp) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query("update lamp set due = $2 where id = $1 and sequence = 0")
        .bind(id)
        .bind(now.0)
        .execute(pool)
        .await?
        .rows_affected());
    Ok(())
}

/// The subscription of this name, if its time is not over.
pub async fn kept(db: &Db, name: &str, now: Timestamp) -> Result<Option<Kept>, StoreError> {
    let row: Option<(String, String)> = on!(&db.reader, pool => sqlx::query_as(
        "select id, dialog from lamp
          where name = $1 and mailbox is not null and dialog is not null and expires > $2",
    )
    .bind(name)
    .bind(now.0)
    .fetch_optional(pool)
    .await?);
    Ok(row.map(|(id, dialog)| Kept { id, dialog }))
}

/// Renews a subscription, which is told anew at once; `false` if there is none (any more).
pub async fn renew(db: &Db, change: &Renewed, now: Timestamp) -> Result<bool, StoreError> {
    let apart = super::ms(APART);
    let renewed = on!(&db.writer, pool => sqlx::query(
        "update lamp set dialog = $2, place = $3, node = $4, expires = $5, version = -1,
                sequence = sequence + 1, under_way = false, failures = 0, problem = null,
                due = case when told + $7 > $6 then told + $7 else $6 end
          where name = $1 and mailbox is not null",
    )
    .bind(&change.name)
    .bind(&change.dialog)
    .bind(&change.place)
    .bind(&change.node)
    .bind(change.expires.0)
    .bind(now.0)
    .bind(apart)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(renewed == 1)
}

/// Has this address told of a mailbox from now on. [`StoreError::Taken`] if it is already.
pub async fn add_target(
    db: &Db,
    id: &str,
    mailbox: &MailboxId,
    address: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "insert into lamp (id, mailbox, kind, name, place, due, created)
         values ($1, $2, $3, $4, $4, $5, $5)",
    )
    .bind(id)
    .bind(&mailbox.0)
    .bind(Kind::Target.as_str())
    .bind(address)
    .bind(now.0)
    .execute(pool)
    .await
    .map_err(|error| StoreError::taken(error, "lamp", address))?
    .rows_affected());
    Ok(())
}

/// Has an address not told any more; `false` if it was not.
pub async fn remove_target(
    db: &Db,
    mailbox: &MailboxId,
    address: &str,
) -> Result<bool, StoreError> {
    let gone = on!(&db.writer, pool => sqlx::query(
        "delete from lamp where mailbox = $1 and name = $2 and kind = $3",
    )
    .bind(&mailbox.0)
    .bind(address)
    .bind(Kind::Target.as_str())
    .execute(pool)
    .await?
    .rows_affected());
    Ok(gone == 1)
}

/// Takes up where an earlier run of the server ended: what it was telling at that moment may be told
/// again, everybody is told anew, and those whose time is over are forgotten.
pub async fn resume(db: &Db, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    on!(&mut tx, tx => {
        sqlx::query("delete from lamp where expires <= $1").bind(now.0).execute(&mut **tx).await?;
        sqlx::query("update lamp set version = -1, due = $1, under_way = false, failures = 0")
            .bind(now.0)
            .execute(&mut **tx)
            .await?;
    });
    tx.commit().await
}

/// Forgets what the lamps of a mailbox were told, so that they are told anew; how many those are.
pub async fn resync(db: &Db, mailbox: &MailboxId) -> Result<u64, StoreError> {
    Ok(on!(&db.writer, pool => sqlx::query("update lamp set version = -1 where mailbox = $1")
        .bind(&mailbox.0)
        .execute(pool)
        .await?
        .rows_affected()))
}

/// Takes those that are to be told, `most` at most, for as long as `lease`, and writes down what they
/// are told. Those whose time is over, or whose mailbox is gone, are told a last time: they are not
/// there any more. What changed comes before who is new, and those before who is told again.
pub async fn claim(
    db: &Db,
    now: Timestamp,
    most: u32,
    lease: Duration,
) -> Result<Vec<Due>, StoreError> {
    let ids: Vec<String> = on!(&db.reader, pool => sqlx::query_scalar(
        "select lamp.id from lamp left join mailbox on mailbox.id = lamp.mailbox
          where lamp.due <= $1
            and (mailbox.id is null or mailbox.version <> lamp.version or lamp.under_way
                 or lamp.expires <= $1)
          order by case when lamp.version >= 0 then 0 when lamp.told = 0 then 1 else 2 end,
                   lamp.due, lamp.id
          limit $2",
    )
    .bind(now.0)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = db.begin().await?;
    let mut shown = HashMap::new();
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        all.extend(claim_one(&mut tx, id, &mut shown, now, lease).await?);
    }
    tx.commit().await?;
    Ok(all)
}

/// Notes how telling went. What was renewed or told again since is not touched.
pub async fn settle(db: &Db, all: &[Settled], now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    for Settled { id, sequence, fate, problem } in all {
        let problem = problem.as_deref().map(|it| super::clipped(it, PROBLEM));
        on!(&mut tx, tx => {
            let query = match fate {
                Fate::Told => sqlx::query(
                    "update lamp set due = told + $3, under_way = false, failures = 0, problem = null
                      where id = $1 and sequence = $2",
                )
                .bind(id)
                .bind(i64::from(*sequence))
                .bind(super::ms(APART)),
                Fate::Again(after) => sqlx::query(
                    "update lamp set due = $3, version = -1, under_way = false, failures = failures + 1,
                            problem = $4
                      where id = $1 and sequence = $2",
                )
                .bind(id)
                .bind(i64::from(*sequence))
                .bind((now + *after).0)
                .bind(problem),
                Fate::Gone => sqlx::query("delete from lamp where id = $1 and sequence = $2")
                    .bind(id)
                    .bind(i64::from(*sequence)),
            };
            query.execute(&mut **tx).await?;
        });
    }
    tx.commit().await
}

/// Finds those that were told something else than what lies in their mailbox, though nothing is said
/// to have changed since, and has them told anew; how many those are.
pub async fn mend(db: &Db) -> Result<u64, StoreError> {
    let wrong: Vec<String> = on!(&db.reader, pool => sqlx::query_scalar(
        "select lamp.id
           from lamp
           join mailbox on mailbox.id = lamp.mailbox and mailbox.version = lamp.version
           left join (select mailbox,
                             count(case when folder = 'new' then 1 end) as new,
                             count(case when folder = 'saved' then 1 end) as saved,
                             count(case when folder = 'new' and urgent then 1 end) as new_urgent,
                             count(case when folder = 'saved' and urgent then 1 end) as saved_urgent
                        from message where folder in ('new', 'saved') group by mailbox) lying
             on lying.mailbox = lamp.mailbox
          where told_new <> coalesce(lying.new, 0)
             or told_saved <> coalesce(lying.saved, 0)
             or told_new_urgent <> coalesce(lying.new_urgent, 0)
             or told_saved_urgent <> coalesce(lying.saved_urgent, 0)",
    )
    .fetch_all(pool)
    .await?);
    for id in &wrong {
        on!(&db.writer, pool => sqlx::query("update lamp set version = -1 where id = $1")
            .bind(id)
            .execute(pool)
            .await?
            .rows_affected());
    }
    Ok(wrong.len() as u64)
}

/// How many there are: subscriptions, and targets.
pub async fn count(db: &Db) -> Result<(u64, u64), StoreError> {
    let (subscriptions, targets): (i64, i64) = on!(&db.reader, pool => sqlx::query_as(
        "select count(case when kind = 'subscription' then 1 end),
                count(case when kind = 'target' then 1 end) from lamp",
    )
    .fetch_one(pool)
    .await?);
    Ok((u64::try_from(subscriptions).unwrap_or(0), u64::try_from(targets).unwrap_or(0)))
}

/// Those of a tenant's mailboxes, by number.
pub async fn list(db: &Db, tenant: &TenantId) -> Result<Vec<Listed>, StoreError> {
    let rows: Vec<ListedRow> = on!(&db.reader, pool => sqlx::query_as(
        "select mailbox.number, kind, place, told, told_new, told_saved, told_new_urgent,
                told_saved_urgent, lamp.version <> mailbox.version as is_behind, expires, problem
           from lamp join mailbox on mailbox.id = lamp.mailbox
          where mailbox.tenant = $1
          order by mailbox.number, kind, place, lamp.id",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Listed::try_from).collect()
}

async fn claim_one(
    tx: &mut Tx,
    id: String,
    shown: &mut HashMap<String, Option<(i64, Shown)>>,
    now: Timestamp,
    lease: Duration,
) -> Result<Option<Due>, StoreError> {
    let row: Option<ClaimedRow> = on!(&mut *tx, tx => sqlx::query_as(
        "update lamp set sequence = sequence + 1, due = $3, under_way = true
          where id = $1 and due <= $2
         returning mailbox, kind, place, dialog, expires, sequence, failures",
    )
    .bind(&id)
    .bind(now.0)
    .bind((now + lease).0)
    .fetch_optional(&mut **tx)
    .await?);
    let Some(row) = row else { return Ok(None) };
    let found = match &row.mailbox {
        None => None,
        Some(mailbox) => {
            if !shown.contains_key(mailbox) {
                shown.insert(mailbox.clone(), look(tx, mailbox).await?);
            }
            shown.get(mailbox).cloned().flatten()
        }
    };
    let over = row.expires.is_some_and(|it| it <= now.0);
    match &found {
        Some((version, it)) if !over => note(tx, &id, *version, it.counts, now).await?,
        _ => on!(tx, tx => {
            sqlx::query("delete from lamp where id = $1").bind(&id).execute(&mut **tx).await?;
        }),
    }
    Ok(Some(row.of(id, found.map(|it| it.1))?))
}

/// What lies in a mailbox, and the version of it that this is.
async fn look(tx: &mut Tx, mailbox: &str) -> Result<Option<(i64, Shown)>, StoreError> {
    let row: Option<ShownRow> = on!(tx, tx => sqlx::query_as(
        "select mailbox.version, mailbox.number, tenant.sip_domain,
                count(case when folder = 'new' then 1 end) as new,
                count(case when folder = 'saved' then 1 end) as saved,
                count(case when folder = 'new' and urgent then 1 end) as new_urgent,
                count(case when folder = 'saved' and urgent then 1 end) as saved_urgent
           from mailbox
           join tenant on tenant.id = mailbox.tenant
           left join message on message.mailbox = mailbox.id and folder in ('new', 'saved')
          where mailbox.id = $1
          group by mailbox.version, mailbox.number, tenant.sip_domain",
    )
    .bind(mailbox)
    .fetch_optional(&mut **tx)
    .await?);
    Ok(row.map(|it| {
        let counts = counts(it.new, it.saved, it.new_urgent, it.saved_urgent);
        let id = MailboxId(mailbox.to_owned());
        (it.version, Shown { id, number: it.number, domain: it.sip_domain, counts })
    }))
}

async fn note(
    tx: &mut Tx,
    id: &str,
    version: i64,
    counts: Counts,
    now: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, tx => sqlx::query(
        "update lamp set version = $2, told = $3, told_new = $4, told_saved = $5,
                told_new_urgent = $6, told_saved_urgent = $7
          where id = $1",
    )
    .bind(id)
    .bind(version)
    .bind(now.0)
    .bind(i64::from(counts.new))
    .bind(i64::from(counts.saved))
    .bind(i64::from(counts.new_urgent))
    .bind(i64::from(counts.saved_urgent))
    .execute(&mut **tx)
    .await?
    .rows_affected());
    Ok(())
}

fn counts(new: i64, saved: i64, new_urgent: i64, saved_urgent: i64) -> Counts {
    let number = |it| u32::try_from(it).unwrap_or(u32::MAX);
    Counts {
        new: number(new),
        saved: number(saved),
        new_urgent: number(new_urgent),
        saved_urgent: number(saved_urgent),
    }
}

fn kind(word: String) -> Result<Kind, StoreError> {
    let found = [Kind::Subscription, Kind::Target].into_iter().find(|it| it.as_str() == word);
    found.ok_or(StoreError::Unreadable { wanted: "kind of lamp", found: word })
}

#[derive(FromRow)]
struct ClaimedRow {
    mailbox: Option<String>,
    kind: String,
    place: String,
    dialog: Option<String>,
    expires: Option<i64>,
    sequence: i64,
    failures: i64,
}

#[derive(FromRow)]
struct ShownRow {
    version: i64,
    number: String,
    sip_domain: Option<String>,
    new: i64,
    saved: i64,
    new_urgent: i64,
    saved_urgent: i64,
}

#[derive(FromRow)]
struct ListedRow {
    number: String,
    kind: String,
    place: String,
    told: i64,
    told_new: i64,
    told_saved: i64,
    told_new_urgent: i64,
    told_saved_urgent: i64,
    is_behind: bool,
    expires: Option<i64>,
    problem: Option<String>,
}

impl ClaimedRow {
    fn of(self, id: String, mailbox: Option<Shown>) -> Result<Due, StoreError> {
        Ok(Due {
            id,
            kind: kind(self.kind)?,
            place: self.place,
            dialog: self.dialog,
            expires: self.expires.map(Timestamp),
            sequence: u32::try_from(self.sequence).unwrap_or(u32::MAX),
            failures: u32::try_from(self.failures).unwrap_or(u32::MAX),
            mailbox,
        })
    }
}

impl TryFrom<ListedRow> for Listed {
    type Error = StoreError;

    fn try_from(row: ListedRow) -> Result<Self, StoreError> {
        let told = counts(row.told_new, row.told_saved, row.told_new_urgent, row.told_saved_urgent);
        Ok(Listed {
            number: row.number,
            kind: kind(row.kind)?,
            place: row.place,
            told: (row.told > 0).then_some((told, Timestamp(row.told))),
            is_behind: row.is_behind,
            expires: row.expires.map(Timestamp),
            problem: row.problem,
        })
    }
}
