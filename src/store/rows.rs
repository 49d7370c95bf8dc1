//! Whole tables as lines of JSON, the same from either engine: what a backup holds, and what goes
//! from one database to another.
//!
//! A line is one row with its columns in alphabetical order, and lines come in the order of the
//! table's key, byte by byte. So two databases hold the same if the hashes of their lines agree.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Row};
use tokio::sync::mpsc;

use super::{Db, Engine, MIGRATIONS, StoreError, Tx};

/// Every table that lasts, each after those it refers to.
pub const TABLES: [&str; 23] = [
    "tenant",
    "person",
    "login",
    "dial_in",
    "music_class",
    "music_track",
    "announcement",
    "mailbox",
    "lamp",
    "pin",
    "guess",
    "greeting",
    "spoken_name",
    "call_back",
    "message",
    "transcript",
    "translation",
    "delivery",
    "unsubscribed",
    "job",
    "tombstone",
    "token",
    "secret",
];

/// Tables that stay where they are: whoever is logged in here is not logged in there, and a backup lets
/// nobody in; and what has come of a file lies on this machine.
pub const PASSING: [&str; 2] = ["session", "upload"];

/// Lines on their way from one side to the other.
const UNDER_WAY: usize = 256;

/// A table as this version knows it.
#[derive(Debug, Clone)]
pub struct Table {
    /// What it is called.
    pub name: &'static str,
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    kind: Kind,
    /// Its place in the key, from 1; 0 if it is in none.
    key: i64,
}

/// What a column holds; all of them may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Flag,
}

/// How much there is of a table, and a hash that is another if any of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Rows.
    pub rows: u64,
    /// SHA-256 of all lines, each with its line end, in hexadecimal.
    pub sha256: String,
}

/// Adds lines up to a [`Sum`].
#[derive(Debug, Default)]
pub struct Sums {
    rows: u64,
    hash: Sha256,
}

/// All tables as they were at one moment, whatever is written meanwhile.
pub struct Snapshot {
    tx: Tx,
    tables: Vec<Table>,
}

/// Rows on their way into a database; nothing is there before [`Filling::commit`].
pub struct Filling {
    tx: Tx,
}

/// Which version of the tables this program has. Rows go only where the tables are the same.
pub fn schema() -> i64 {
    MIGRATIONS.iter().map(|it| it.version).max().unwrap_or(0)
}

impl Db {
    /// Looks at everything as it is now.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut tx = match &self.reader {
            Engine::Sqlite(pool) => Engine::Sqlite(pool.begin().await?),
            Engine::Postgres(pool) => {
                let begin = "begin isolation level repeatable read read only";
                let mut tx = pool.begin_with(begin).await?;
                // Reading takes as long as whoever reads takes to write it down.
                sqlx::query("set local statement_timeout = 0").execute(&mut *tx).await?;
                Engine::Postgres(tx)
            }
        };
        // The moment looked at is that of the first row read.
        let _: i64 = at_leisure!(&mut tx, tx => {
            sqlx::query_scalar("select count(*) from tenant").fetch_one(&mut **tx).await?
        });
        let mut tables = Vec::with_capacity(TABLES.len());
        for name in TABLES {
            tables.push(table(&mut tx, name).await?);
        }
        Ok(Snapshot { tx, tables })
    }

    /// Begins to put rows in.
    pub async fn fill(&self) -> Result<Filling, StoreError> {
        let mut tx = self.begin().await?;
        if let Engine::Postgres(tx) = &mut tx {
            sqlx::query("set local statement_timeout = 0").execute(&mut **tx).await?;
        }
        Ok(Filling { tx })
    }
}

impl Snapshot {
    /// The tables, each after those it refers to.
    pub fn tables(&self) -> Vec<Table> {
        self.tables.clone()
    }

    /// How many rows a table has.
    pub async fn count(&mut self, table: &Table) -> Result<u64, StoreError> {
        let sql = format!("select count(*) from {}", quoted(table.name));
        let count: i64 = at_leisure!(&mut self.tx, tx => {
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut **tx).await?
        });
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Sends the lines of a table, without line ends, for as long as somebody takes them.
    pub async fn read(
        &mut self,
        table: &Table,
        lines: mpsc::Sender<String>,
    ) -> Result<(), StoreError> {
        let sql = table.selection(matches!(self.tx, Engine::Postgres(_)));
        at_leisure!(&mut self.tx, tx => {
            let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut **tx);
            while let Some(row) = rows.try_next().await? {
                let mut line = String::from("{");
                for (at, column) in table.columns.iter().enumerate() {
                    let value = match column.kind {
                        Kind::Text => Value::from(row.try_get::<Option<String>, _>(at)?),
                        Kind::Number => Value::from(row.try_get::<Option<i64>, _>(at)?),
                        Kind::Flag => Value::from(row.try_get::<Option<bool>, _>(at)?),
                    };
                    let comma = if at == 0 { "" } else { "," };
                    line.push_str(&format!("{comma}{}:{value}", Value::from(&*column.name)));
                }
                line.push('}');
                if lines.send(line).await.is_err() {
                    break;
                }
            }
        });
        Ok(())
    }

    /// The keys of every sound that a row names, in order.
    pub async fn blobs(&mut self) -> Result<BTreeSet<String>, StoreError> {
        let mut blobs = BTreeSet::new();
        for table in self.tables() {
            let keys = table.columns.iter().filter(|it| ["blob", "original"].contains(&&*it.name));
            for Column { name, .. } in keys {
                let sql = format!(
                    "select distinct {name} from {} where {name} is not null",
                    quoted(table.name)
                );
                let some: Vec<String> = at_leisure!(&mut self.tx, tx => {
                    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut **tx).await?
                });
                blobs.extend(some);
            }
        }
        Ok(blobs)
    }

    /// How much there is of a table.
    pub async fn sum(&mut self, table: &Table) -> Result<Sum, StoreError> {
        let (lines, mut arriving) = mpsc::channel::<String>(UNDER_WAY);
        let adding = async {
            let mut sums = Sums::default();
            while let Some(line) = arriving.recv().await {
                sums.add(&line);
            }
            sums.finish()
        };
        let (read, sum) = tokio::join!(self.read(table, lines), adding);
        read.map(|()| sum)
    }

    /// Copies what a table has into another database, `batch` rows to a transaction, and calls
    /// `told` after each with how many it were; rows that are there already stay as they are.
    pub async fn copy(
        &mut self,
        table: &Table,
        to: &Db,
        batch: usize,
        told: impl Fn(u64),
    ) -> Result<(), StoreError> {
        let (lines, mut arriving) = mpsc::channel::<String>(UNDER_WAY);
        let writing = async {
            let mut some: Vec<String> = Vec::with_capacity(batch);
            while arriving.recv_many(&mut some, batch).await > 0 {
                let mut filling = to.fill().await?;
                for line in &some {
                    filling.insert(table, line).await?;
                }
                filling.commit().await?;
                told(some.len() as u64);
                some.clear();
            }
            // Whoever reads would otherwise wait for ever for its lines to be taken.
            drop(arriving);
            Ok(())
        };
        let (read, written) = tokio::join!(self.read(table, lines), writing);
        written.and(read)
    }
}

impl Filling {
    /// Puts one row in; one that is there already stays as it is.
    pub async fn insert(&mut self, table: &Table, line: &str) -> Result<(), StoreError> {
        let strange = || StoreError::Strange { table: table.name };
        let row: Map<String, Value> = serde_json::from_str(line).map_err(|_| strange())?;
        let known = table.columns.iter().all(|it| row.contains_key(&it.name));
        if !known || row.len() != table.columns.len() {
            return Err(strange());
        }
        let sql = table.insertion();
        at_leisure!(&mut self.tx, tx => {
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for column in &table.columns {
                let value = &row[&column.name];
                query = match (column.kind, value) {
                    (Kind::Text, Value::Null) => query.bind(None::<String>),
                    (Kind::Text, Value::String(text)) => query.bind(text.clone()),
                    (Kind::Number, Value::Null) => query.bind(None::<i64>),
                    (Kind::Number, Value::Number(it)) => {
                        query.bind(it.as_i64().ok_or_else(strange)?)
                    }
                    (Kind::Flag, Value::Null) => query.bind(None::<bool>),
                    (Kind::Flag, Value::Bool(it)) => query.bind(*it),
                    _ => return Err(strange()),
                };
            }
            query.execute(&mut **tx).await?;
        });
        Ok(())
    }

    /// Everything put in is there from now on.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }

    /// How much there is of each table, with what was put in.
    pub async fn sums(self) -> Result<(Filling, Vec<(Table, Sum)>), StoreError> {
        let mut snapshot = Snapshot { tx: self.tx, tables: Vec::new() };
        let mut sums = Vec::with_capacity(TABLES.len());
        for name in TABLES {
            let table = table(&mut snapshot.tx, name).await?;
            let sum = snapshot.sum(&table).await?;
            sums.push((table, sum));
        }
        Ok((Filling { tx: snapshot.tx }, sums))
    }
}

impl Sums {
    /// Adds one line, given without its line end.
    pub fn add(&mut self, line: &str) {
        self.rows += 1;
        self.hash.update(line);
        self.hash.update("\n");
    }

    /// What it comes to.
    pub fn finish(self) -> Sum {
        let sha256 = self.hash.finalize().iter().map(|it| format!("{it:02x}")).collect();
        Sum { rows: self.rows, sha256 }
    }
}

impl Table {
    /// Text is put in order by its bytes; only PostgreSQL knows other orders.
    fn selection(&self, collated: bool) -> String {
        let names: Vec<_> = self.columns.iter().map(|it| quoted(&it.name)).collect();
        let mut key: Vec<_> = self.columns.iter().filter(|it| it.key > 0).collect();
        key.sort_by_key(|it| it.key);
        let order = key.iter().map(|it| match it.kind {
            Kind::Text if collated => format!("{} collate \"C\"", quoted(&it.name)),
            _ => quoted(&it.name),
        });
        let order = order.collect::<Vec<_>>().join(", ");
        format!("select {} from {} order by {order}", names.join(", "), quoted(self.name))
    }

    fn insertion(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|it| quoted(&it.name)).collect();
        let values: Vec<_> = (1..=names.len()).map(|it| format!("${it}")).collect();
        format!(
            "insert into {} ({}) values ({}) on conflict do nothing",
            quoted(self.name),
            names.join(", "),
            values.join(", ")
        )
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// Asks the database what a table looks like; what its columns are called is told by the
/// migrations alone.
async fn table(tx: &mut Tx, name: &'static str) -> Result<Table, StoreError> {
    let described = match tx {
        Engine::Sqlite(tx) => super::sqlite::columns(tx, name).await?,
        Engine::Postgres(tx) => super::postgres::columns(tx, name).await?,
    };
    let columns = described.into_iter().map(|(name, kind, key)| {
        let kind = match kind.as_str() {
            "text" => Kind::Text,
            "bigint" => Kind::Number,
            "boolean" => Kind::Flag,
            _ => return Err(StoreError::Unreadable { wanted: "type of a column", found: kind }),
        };
        Ok(Column { name, kind, key })
    });
    let mut columns: Vec<_> = columns.collect::<Result<_, _>>()?;
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Table { name, columns })
}
