//! The numbers that owners call to hear their messages, by tenant.

use super::{Db, StoreError};
use crate::mailbox::TenantId;

/// Makes these the tenant's numbers, and no others.
pub async fn set(db: &Db, tenant: &TenantId, numbers: &[String]) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    on!(&mut tx, tx => {
        sqlx::query("delete from dial_in where tenant = $1")
            .bind(&tenant.0)
            .execute(&mut **tx)
            .await?;
        for number in numbers {
            sqlx::query("insert into dial_in (tenant, number) values ($1, $2) on conflict do nothing")
                .bind(&tenant.0)
                .bind(number)
                .execute(&mut **tx)
                .await?;
        }
    });
    tx.commit().await
}

/// The tenant's numbers, in order.
pub async fn of(db: &Db, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
    Ok(on!(&db.reader, pool => sqlx::query_scalar(
        "select number from dial_in where tenant = $1 order by number",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?))
}

/// Whose owners call `number@host` to hear their messages. Tenants are found as
/// [`mailboxes::reached`](super::mailboxes::reached) finds them.
pub async fn reached(db: &Db, host: &str, number: &str) -> Result<Option<TenantId>, StoreError> {
    let tenant: Option<String> = on!(&db.reader, pool => sqlx::query_scalar(
        "select tenant from dial_in
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
    Ok(tenant.map(TenantId))
}
