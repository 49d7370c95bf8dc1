//! Mailboxes: found through their tenant only, and read with the settings that apply to them.

use serde::Serialize;
use sqlx::FromRow;

use super::{Db, StoreError};
use crate::mailbox::{Mailbox, MailboxId, TenantId, Timestamp, UserId};

/// What a mailbox sets itself; `None` is as its tenant has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The owner's name, as mails address it.
    pub name: String,
    /// Whose it is.
    pub owner: Option<UserId>,
    /// IANA name.
    pub time_zone: Option<String>,
    /// Of prompts and mails.
    pub language: Option<String>,
    /// Language of messages; [`Settings::DETECTED`] overrides a tenant that names one.
    pub spoken: Option<String>,
    /// Whether messages are transcribed.
    pub transcribe: Option<bool>,
    /// Who gets mail; nobody named means the owner.
    pub recipients: Vec<String>,
}

impl Settings {
    /// The word for "detect the language of each message".
    pub const DETECTED: &'static str = "auto";
}

/// Adds a mailbox. [`StoreError::Taken`] if the tenant has the number already.
pub async fn add(
    db: &Db,
    tenant: &TenantId,
    id: &MailboxId,
    number: &str,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "insert into mailbox (id, tenant, number, name, owner, time_zone, language, spoken,
                transcribe, recipients, created)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&id.0)
    .bind(&tenant.0)
    .bind(number)
    .bind(&settings.name)
    .bind(settings.owner.as_ref().map(|it| &it.0))
    .bind(&settings.time_zone)
    .bind(&settings.language)
    .bind(&settings.spoken)
    .bind(settings.transcribe)
    .bind(written(&settings.recipients))
    .bind(now.0)
    .execute(pool)
    .await
    .map_err(|error| StoreError::taken(error, "mailbox", number))?);
    Ok(())
}

/// The mailbox behind a number at a tenant.
pub async fn at(db: &Db, tenant: &TenantId, number: &str) -> Result<Option<Mailbox>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect where tenant = $1 and number = $2",
    )
    .bind(&tenant.0)
    .bind(number)
    .fetch_optional(pool)
    .await?);
    row.map(Mailbox::try_from).transpose()
}

/// The mailbox a call to `number@host` is for: at the tenant with that SIP domain; if nobody has
/// it, at the tenant called `default`, else at the only one there is.
pub async fn reached(db: &Db, host: &str, number: &str) -> Result<Option<Mailbox>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect
          where number = $2
            and tenant = coalesce(
                (select id from tenant where sip_domain = $1),
                (select id from tenant where name = 'default'),
                (select min(id) from tenant having count(*) = 1))",
    )
    .bind(host.to_ascii_lowercase())
    .bind(number)
    .fetch_optional(pool)
    .await?);
    row.map(Mailbox::try_from).transpose()
}

/// All mailboxes of a tenant, by number.
pub async fn list(db: &Db, tenant: &TenantId) -> Result<Vec<Mailbox>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect where tenant = $1 order by number",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Mailbox::try_from).collect()
}

/// Who gets mail for a message left there now; nobody if there is no such mailbox.
pub async fn recipients(
    db: &Db,
    tenant: &TenantId,
    mailbox: &MailboxId,
) -> Result<Vec<String>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&mailbox.0)
    .fetch_optional(pool)
    .await?);
    Ok(row.map(Mailbox::try_from).transpose()?.map(|it| it.recipients).unwrap_or_default())
}

/// What a mailbox sets itself.
pub async fn settings(
    db: &Db,
    tenant: &TenantId,
    mailbox: &MailboxId,
) -> Result<Option<Settings>, StoreError> {
    let row: Option<OwnRow> = on!(&db.reader, pool => sqlx::query_as(
        "select name, owner, time_zone, language, spoken, transcribe, recipients
           from mailbox where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&mailbox.0)
    .fetch_optional(pool)
    .await?);
    row.map(Settings::try_from).transpose()
}

/// Changes what a mailbox sets itself; `false` if the tenant has no such mailbox.
pub async fn set(
    db: &Db,
    tenant: &TenantId,
    mailbox: &MailboxId,
    settings: &Settings,
) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update mailbox set name = $3, owner = $4, time_zone = $5, language = $6, spoken = $7,
                transcribe = $8, recipients = $9
          where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&mailbox.0)
    .bind(&settings.name)
    .bind(settings.owner.as_ref().map(|it| &it.0))
    .bind(&settings.time_zone)
    .bind(&settings.language)
    .bind(&settings.spoken)
    .bind(settings.transcribe)
    .bind(written(&settings.recipients))
    .execute(pool)
    .await?
    .rows_affected());
    Ok(changed == 1)
}

/// Removes an empty mailbox and answers with the blobs of its greetings, to be deleted now; `None`
/// if the tenant has no such mailbox. [`StoreError::InUse`] while messages lie in it: those are
/// purged first, each by its own id, so that none comes back.
pub async fn remove(
    db: &Db,
    tenant: &TenantId,
    mailbox: &MailboxId,
) -> Result<Option<Vec<String>>, StoreError> {
    let mut tx = db.begin().await?;
    let (gone, blobs) = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        let messages: i64 = sqlx::query_scalar("select count(*) from message where mailbox = $1")
            .bind(&mailbox.0)
            .fetch_one(&mut **tx)
            .await?;
        if messages > 0 {
            return Err(StoreError::InUse { what: "the mailbox", count: messages, of: "messages" });
        }
        let blobs: Vec<String> = sqlx::query_scalar("select blob from greeting where mailbox = $1")
            .bind(&mailbox.0)
            .fetch_all(&mut **tx)
            .await?;
        let gone = sqlx::query("delete from mailbox where tenant = $1 and id = $2")
            .bind(&tenant.0)
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?
            .rows_affected();
        (gone == 1, blobs)
    });
    tx.commit().await?;
    Ok(gone.then_some(blobs))
}

#[derive(FromRow)]
pub(super) struct Row {
    id: String,
    tenant: String,
    number: String,
    name: String,
    time_zone: String,
    language: String,
    spoken: Option<String>,
    transcribe: bool,
    recipients: String,
    owner_email: Option<String>,
}

impl TryFrom<Row> for Mailbox {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let mut recipients = read(row.recipients)?;
        if recipients.is_empty() {
            recipients.extend(row.owner_email);
        }
        Ok(Mailbox {
            id: MailboxId(row.id),
            tenant: TenantId(row.tenant),
            number: row.number,
            name: row.name,
            time_zone: row.time_zone,
            language: row.language,
            spoken: row.spoken,
            transcribe: row.transcribe,
            recipients,
        })
    }
}

#[derive(FromRow)]
struct OwnRow {
    name: String,
    owner: Option<String>,
    time_zone: Option<String>,
    language: Option<String>,
    spoken: Option<String>,
    transcribe: Option<bool>,
    recipients: String,
}

impl TryFrom<OwnRow> for Settings {
    type Error = StoreError;

    fn try_from(row: OwnRow) -> Result<Self, StoreError> {
        Ok(Settings {
            name: row.name,
            owner: row.owner.map(UserId),
            time_zone: row.time_zone,
            language: row.language,
            spoken: row.spoken,
            transcribe: row.transcribe,
            recipients: read(row.recipients)?,
        })
    }
}

fn written(recipients: &[String]) -> String {
    serde_json::json!(recipients).to_string()
}

fn read(recipients: String) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(&recipients)
        .map_err(|_| StoreError::Unreadable { wanted: "list of recipients", found: recipients })
}
