//! Phones that subscribe: how they come, are renewed, and give way.

use std::time::Duration;

use crate::{
    mailbox::{
        MailboxId, Timestamp,
        lamp::{APART, Kind},
    },
    store::{Db, StoreError, ms},
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

/// What is kept of a subscription, for whoever renews it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which one.
    pub id: String,
    /// What a NOTIFY needs.
    pub dialog: String,
}

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
    let apart = ms(APART);
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
