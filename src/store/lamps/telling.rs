//! Who is to be told now, of what, and how it went.

use std::{collections::HashMap, time::Duration};

use sqlx::FromRow;

use super::{counts, kind};
use crate::{
    mailbox::{
        MailboxId, Timestamp,
        lamp::{APART, Counts, Fate, Kind},
    },
    store::{Db, StoreError, Tx, clipped, ms},
};

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

/// Longest problem that is kept, in characters.
const PROBLEM: usize = 200;

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
        let problem = problem.as_deref().map(|it| clipped(it, PROBLEM));
        on!(&mut tx, tx => {
            let query = match fate {
                Fate::Told => sqlx::query(
                    "update lamp set due = told + $3, under_way = false, failures = 0, problem = null
                      where id = $1 and sequence = $2",
                )
                .bind(id)
                .bind(i64::from(*sequence))
                .bind(ms(APART)),
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
