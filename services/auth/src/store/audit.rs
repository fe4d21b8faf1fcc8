//! `auth.audit_log_entries`

use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

/// Adds an entry; what belongs into it is decided by [`crate::audit`].
pub async fn insert(
    connection: &mut PgConnection,
    payload: Value,
    ip: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(Uuid::nil())
    .bind(Uuid::new_v4())
    .bind(Json(payload))
    .bind(now)
    .bind(ip)
    .execute(connection)
    .await?;
    Ok(())
}
