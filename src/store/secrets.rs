//! What this server made for itself and tells nobody, such as the key that signs links in mails.

use super::{Db, StoreError};
use crate::mailbox::Timestamp;

/// The secret of this name. There is one for as long as the database lasts: `fresh` if nobody
/// asked for it before, and otherwise what was given then.
pub async fn of(db: &Db, name: &str, fresh: &str, now: Timestamp) -> Result<String, StoreError> {
    let mut tx = db.begin().await?;
    let secret = on!(&mut tx, tx => {
        sqlx::query(
            "insert into secret (name, value, created) values ($1, $2, $3) on conflict do nothing",
        )
        .bind(name)
        .bind(fresh)
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
        sqlx::query_scalar("select value from secret where name = $1")
            .bind(name)
            .fetch_one(&mut **tx)
            .await?
    });
    tx.commit().await?;
    Ok(secret)
}
