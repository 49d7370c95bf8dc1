//! How often owners had numbers called back by phone, by day.

use super::{Db, StoreError};
use crate::mailbox::MailboxId;

/// Counts one more call of a mailbox on that day of its calendar, by its number since 1970. `false`
/// if there were as many as there may be: then it is not counted.
pub async fn claim(db: &Db, mailbox: &MailboxId, day: i64, most: u32) -> Result<bool, StoreError> {
    if most == 0 {
        return Ok(false);
    }
    let counted = on!(&db.writer, pool => sqlx::query(
        "insert into call_back (mailbox, day, calls) values ($1, $2, 1)
         on conflict (mailbox) do update
            set calls = case when call_back.day = excluded.day then call_back.calls + 1 else 1 end,
                day = excluded.day
          where call_back.day <> excluded.day or call_back.calls < $3",
    )
    .bind(&mailbox.0)
    .bind(day)
    .bind(i64::from(most))
    .execute(pool)
    .await?
    .rows_affected());
    Ok(counted > 0)
}
