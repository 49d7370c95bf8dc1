//! Whether a database is fit to be used, found out without making or changing anything.

use std::path::Path;

use super::{Db, Engine, MIGRATIONS, Settings, StoreError, postgres, sqlite};
use crate::mailbox::Timestamp;

/// What a look at a database tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What it is, e.g. `SQLite 3.51.3`.
    pub engine: String,
    /// Whose tables are in it.
    pub schema: Schema,
}

/// Whose tables a database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Nobody's.
    Empty,
    /// Those of this version.
    Current,
    /// Those of an older one, which the next start brings up to date.
    Older,
    /// Those of a newer one, or of one that was never released.
    Other,
}

/// A step that made tables what they are: its version and its checksum.
pub(super) type Step = (i64, Vec<u8>);

/// Looks at the database that the settings name, or else at the SQLite file; `None` if that does
/// not exist yet.
///
/// # Errors
/// When it cannot be reached, or would lose committed messages.
pub async fn examine(settings: &Settings, file: &Path) -> Result<Option<Health>, StoreError> {
    let (engine, steps) = match settings.options()? {
        Some(options) => postgres::examine(&options).await?,
        None if !file.exists() => return Ok(None),
        None => sqlite::examine(file).await?,
    };
    Ok(Some(Health { engine, schema: schema(&steps) }))
}

impl Db {
    /// What is wrong with the pages of the file, if anything. Reads all of it; PostgreSQL looks
    /// after its own.
    pub async fn damage(&self) -> Result<Option<String>, StoreError> {
        let Engine::Sqlite(pool) = &self.reader else { return Ok(None) };
        Ok(sqlite::damage(pool).await?)
    }

    /// What time it is there.
    pub async fn time(&self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp(match &self.reader {
            Engine::Sqlite(pool) => sqlite::time(pool).await?,
            Engine::Postgres(pool) => postgres::time(pool).await?,
        }))
    }
}

fn schema(steps: &[Step]) -> Schema {
    let ours: Vec<_> = MIGRATIONS.iter().map(|it| (it.version, &*it.checksum)).collect();
    let same = |ours: &[(i64, &[u8])]| {
        ours.len() == steps.len()
            && ours.iter().zip(steps).all(|(ours, it)| ours.0 == it.0 && ours.1 == it.1)
    };
    match steps.len() {
        0 => Schema::Empty,
        _ if same(&ours) => Schema::Current,
        count if count < ours.len() && same(&ours[..count]) => Schema::Older,
        _ => Schema::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_known_by_every_step_that_made_them() {
        let ours: Vec<Step> =
            MIGRATIONS.iter().map(|it| (it.version, it.checksum.to_vec())).collect();
        assert_eq!(schema(&[]), Schema::Empty);
        assert_eq!(schema(&ours), Schema::Current);
        let newer = [ours.clone(), vec![(i64::MAX, vec![1])]].concat();
        assert_eq!(schema(&newer), Schema::Other);
        let mut strange = ours;
        strange[0].1[0] ^= 1;
        assert_eq!(schema(&strange), Schema::Other);
    }
}
