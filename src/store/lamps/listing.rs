//! Lamps as people see them.

use sqlx::FromRow;

use super::{counts, kind};
use crate::{
    mailbox::{
        TenantId, Timestamp,
        lamp::{Counts, Kind},
    },
    store::{Db, StoreError},
};

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
