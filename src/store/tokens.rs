//! Tokens for the API. Only the SHA-256 of each is kept: 256 random bits need no slow hash, and who
//! reads the database can use none of them.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::FromRow;

use super::{Db, StoreError};
use crate::mailbox::{TenantId, Timestamp};

/// Something a token may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Read messages and hear recordings.
    #[serde(rename = "messages:read")]
    MessagesRead,
    /// The same, and move, mark and delete them.
    #[serde(rename = "messages:write")]
    MessagesWrite,
    /// Read, replace and remove greetings.
    #[serde(rename = "greetings")]
    Greetings,
    /// Hold music and announcements.
    #[serde(rename = "music")]
    Music,
    /// Users and mailboxes, with their settings.
    #[serde(rename = "mailboxes")]
    Mailboxes,
    /// Tenants, with their settings.
    #[serde(rename = "tenants")]
    Tenants,
    /// See the work after calls, and have it tried again.
    #[serde(rename = "jobs")]
    Jobs,
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What names it in lists; says nothing about the token itself.
    pub id: String,
    /// Whose things it reaches; `None` for every tenant's.
    pub tenant: Option<TenantId>,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// From then on it is good for nothing.
    pub expires: Option<Timestamp>,
    /// When it was used last, give or take [`PRECISION`].
    pub used: Option<Timestamp>,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
}

/// A use within this time of the one noted last is not noted.
pub const PRECISION: Duration = Duration::from_secs(60);

/// What is kept of a token: its SHA-256 in hexadecimal.
pub fn fingerprint(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|it| format!("{it:02x}")).collect()
}

/// Keeps a token by its fingerprint.
pub async fn add(
    db: &Db,
    token: &Token,
    fingerprint: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "insert into token (id, tenant, name, scopes, sha256, created, expires)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&token.id)
    .bind(token.tenant.as_ref().map(|it| &it.0))
    .bind(&token.name)
    .bind(serde_json::json!(token.scopes).to_string())
    .bind(fingerprint)
    .bind(now.0)
    .bind(token.expires.map(|it| it.0))
    .execute(pool)
    .await?
    .rows_affected());
    Ok(())
}

/// The token of this fingerprint if it is good at this moment; `None` whatever the reason is.
pub async fn good(db: &Db, fingerprint: &str, now: Timestamp) -> Result<Option<Token>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, tenant, name, scopes, expires, used, revoked from token
          where sha256 = $1 and revoked is null and (expires is null or expires > $2)",
    )
    .bind(fingerprint)
    .bind(now.0)
    .fetch_optional(pool)
    .await?);
    row.map(Token::try_from).transpose()
}

/// Notes that a token was used, unless that was done within [`PRECISION`].
pub async fn note_use(db: &Db, token: &Token, now: Timestamp) -> Result<(), StoreError> {
    if token.used.is_some_and(|it| now < it + PRECISION) {
        return Ok(());
    }
    on!(&db.writer, pool => sqlx::query("update token set used = $2 where id = $1")
        .bind(&token.id)
        .bind(now.0)
        .execute(pool)
        .await?
        .rows_affected());
    Ok(())
}

/// All of them, the newest last.
pub async fn list(db: &Db) -> Result<Vec<Token>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, tenant, name, scopes, expires, used, revoked from token order by created, id",
    )
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Token::try_from).collect()
}

/// Takes a token back; `false` if there is none of this id, or it was taken back before.
pub async fn revoke(db: &Db, id: &str, now: Timestamp) -> Result<bool, StoreError> {
    let revoked = on!(&db.writer, pool => sqlx::query(
        "update token set revoked = $2 where id = $1 and revoked is null",
    )
    .bind(id)
    .bind(now.0)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(revoked == 1)
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::MessagesRead,
        Self::MessagesWrite,
        Self::Greetings,
        Self::Music,
        Self::Mailboxes,
        Self::Tenants,
        Self::Jobs,
    ];

    /// The word used in SQL, by verbs and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessagesRead => "messages:read",
            Self::MessagesWrite => "messages:write",
            Self::Greetings => "greetings",
            Self::Music => "music",
            Self::Mailboxes => "mailboxes",
            Self::Tenants => "tenants",
            Self::Jobs => "jobs",
        }
    }
}

impl Token {
    /// Whether it may do this. Who may change messages may read them.
    pub fn may(&self, scope: Scope) -> bool {
        let more = (scope == Scope::MessagesRead).then_some(Scope::MessagesWrite);
        self.scopes.contains(&scope) || more.is_some_and(|it| self.scopes.contains(&it))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!("no scope is called {word:?}; there are {all}")
        })
    }
}

#[derive(FromRow)]
struct Row {
    id: String,
    tenant: Option<String>,
    name: String,
    scopes: String,
    expires: Option<i64>,
    used: Option<i64>,
    revoked: Option<i64>,
}

impl TryFrom<Row> for Token {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let scopes = serde_json::from_str(&row.scopes)
            .map_err(|_| StoreError::Unreadable { wanted: "set of scopes", found: row.scopes })?;
        Ok(Token {
            id: row.id,
            tenant: row.tenant.map(TenantId),
            name: row.name,
            scopes,
            expires: row.expires.map(Timestamp),
            used: row.used.map(Timestamp),
            revoked: row.revoked.map(Timestamp),
        })
    }
}
