//! A database per test, and what lies in it.

use std::{path::Path, time::Duration};

use afterbeep::{
    clock::Clock,
    mailbox::{
        Caller, Envelope, Mailbox, MailboxId, MessageId, Notice, Reason, Recipient, Segment,
        Settings, TenantId, Timestamp, Transcript,
    },
    store::{
        self, Db, StoreError,
        mailboxes::{self, Entry},
        messages::Filing,
        tenants::{self, Tenant},
    },
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr};
use tempfile::TempDir;

use super::ENGINE;
use crate::{postgres, store::Engine};

pub(crate) const NOW: Timestamp = Timestamp(1_790_000_000_000);
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// A database with nothing in it.
pub(crate) struct House {
    pub(crate) dir: TempDir,
    pub(crate) settings: store::Settings,
    pub(crate) db: Db,
    pub(crate) clock: Clock,
}

pub(crate) async fn house() -> House {
    house_on(ENGINE).await
}

pub(crate) async fn house_on(engine: Engine) -> House {
    let url = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => Some(postgres::database().await),
    };
    House::of(url).await
}

pub(crate) async fn house_with_mailbox() -> (House, Mailbox) {
    let house = house().await;
    let tenant = house.tenant("default", None).await;
    let mailbox = house.mailbox(&tenant, "1000").await;
    (house, mailbox)
}

impl House {
    /// One on this PostgreSQL database.
    #[allow(dead_code, reason = "asked for on one engine only")]
    pub(crate) async fn at(url: String) -> Self {
        Self::of(Some(url)).await
    }

    async fn of(url: Option<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = store::Settings { url, password_file: None };
        let db = Db::connect(&settings, &dir.path().join("data/afterbeep.db")).await.unwrap();
        House { dir, settings, db, clock: Clock::Real }
    }

    /// The same database, as another process has it.
    pub(crate) async fn again(&self) -> Db {
        self.try_again().await.unwrap()
    }

    pub(crate) async fn try_again(&self) -> Result<Db, StoreError> {
        Db::connect(&self.settings, &self.dir.path().join("data/afterbeep.db")).await
    }

    /// Runs a statement past the store's own functions.
    pub(crate) async fn sql(&self, statement: &str) {
        let sql = AssertSqlSafe(statement.to_owned());
        match &self.settings.url {
            None => {
                let pool = raw(&self.dir.path().join("data/afterbeep.db")).await;
                pool.execute(sql).await.unwrap();
                pool.close().await;
            }
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                connection.execute(sql).await.unwrap();
            }
        }
    }

    /// What a statement with one number for an answer says.
    #[allow(dead_code, reason = "asked for on one engine only")]
    pub(crate) async fn number(&self, statement: &'static str) -> i64 {
        let url = self.settings.url.as_ref().unwrap();
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
    }

    /// What the tables are called.
    pub(crate) async fn tables(&self) -> Vec<String> {
        match &self.settings.url {
            None => {
                let pool = raw(&self.dir.path().join("data/afterbeep.db")).await;
                let tables =
                    sqlx::query_scalar("select name from sqlite_master where type = 'table'");
                tables.fetch_all(&pool).await.unwrap()
            }
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                let tables = sqlx::query_scalar(
                    "select tablename::text from pg_tables where schemaname = 'public'",
                );
                tables.fetch_all(&mut connection).await.unwrap()
            }
        }
    }

    /// Asks whether the database understands a statement.
    pub(crate) async fn understands(&self, statement: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(statement.to_owned()).into_sql_str();
        match &self.settings.url {
            None => {
                let pool = raw(&self.dir.path().join("data/afterbeep.db")).await;
                pool.prepare(sql).await.map(drop)
            }
            Some(url) => {
                let mut connection = PgConnection::connect(url).await?;
                connection.prepare(sql).await.map(drop)
            }
        }
    }

    pub(crate) async fn tenant(&self, name: &str, domain: Option<&str>) -> TenantId {
        let tenant = tenant(name, domain);
        tenants::add(&self.db, &tenant, NOW).await.unwrap();
        tenant.id
    }

    pub(crate) async fn mailbox(&self, tenant: &TenantId, number: &str) -> Mailbox {
        self.mailbox_with(tenant, number, &Entry::default()).await;
        mailboxes::at(&self.db, tenant, number).await.unwrap().unwrap()
    }

    pub(crate) async fn mailbox_with(
        &self,
        tenant: &TenantId,
        number: &str,
        own: &Entry,
    ) -> MailboxId {
        let id = MailboxId(self.clock.message_id().to_string());
        mailboxes::add(&self.db, tenant, &id, number, own, NOW).await.unwrap();
        id
    }

    pub(crate) fn filing(&self, mailbox: &Mailbox) -> Filing {
        let id: MessageId = self.clock.message_id();
        Filing {
            id,
            mailbox: mailbox.id.clone(),
            envelope: Envelope {
                caller: Caller::claimed(Some("Marie Dupont"), Some("+33556123456")),
                received: NOW,
                length: Duration::from_millis(12_340),
                interrupted: true,
                reason: Reason::Busy,
            },
            blob: afterbeep::blobs::message(&id),
            limit: 100,
            rotates: true,
            transcribe: true,
            notify_due: NOW + LEASE,
            recipients: vec![full("ann@acme.example"), full("bob@acme.example")],
            marks: Default::default(),
            copies: false,
            origin: None,
        }
    }
}

pub(crate) fn tenant(name: &str, domain: Option<&str>) -> Tenant {
    Tenant {
        id: TenantId(Clock::Real.message_id().to_string()),
        name: name.into(),
        sip_domain: domain.map(str::to_owned),
        settings: Settings {
            time_zone: Some("Europe/Vienna".into()),
            pages: Some("de".into()),
            spoken: Some("de".into()),
            ..Settings::default()
        },
    }
}

pub(crate) fn full(address: &str) -> Recipient {
    Recipient { address: address.into(), kind: Notice::Full }
}

pub(crate) fn transcript() -> Transcript {
    let segment = Segment {
        start_ms: 120,
        end_ms: 2_400,
        text: "Servus, \"Ann\" \u{1f44b}".into(),
        confidence: 0.87,
    };
    Transcript { language: "de".into(), segments: vec![segment], engine: "whisper tiny".into() }
}

/// The same file, past the store's own functions.
pub(crate) async fn raw(path: &Path) -> sqlx::SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    sqlx::SqlitePool::connect_with(options).await.unwrap()
}
