//! `auth.audit_log_entries`

use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::routes::admin_audit::Filter;

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

/// An entry, as admins see it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow, ToSchema)]
pub struct Entry {
    id: Uuid,
    #[schema(value_type = Object)]
    payload: Json<Value>,
    #[serde(with = "time::serde::rfc3339::option")]
    created_at: Option<OffsetDateTime>,
    ip_address: String,
}

/// One page of the entries, newest first, and how many there are.
pub async fn page(
    connection: &mut PgConnection,
    filter: Option<&Filter>,
    (limit, offset): (i64, i64),
) -> sqlx::Result<(Vec<Entry>, i64)> {
    let members: Vec<_> = filter.map_or(&[][..], |filter| filter.members).to_vec();
    let pattern = filter.map(|filter| format!("%{}%", filter.text));
    let total = sqlx::query_scalar(
        "select count(*) from auth.audit_log_entries where $2::text is null \
             or exists (select from unnest($1::text[]) member where payload ->> member ilike $2)",
    )
    .bind(&members)
    .bind(&pattern)
    .fetch_one(&mut *connection)
    .await?;
    let entries = sqlx::query_as(
        "select id, payload, created_at, ip_address from auth.audit_log_entries \
         where $2::text is null \
             or exists (select from unnest($1::text[]) member where payload ->> member ilike $2) \
         order by created_at desc, id limit $3 offset $4",
    )
    .bind(&members)
    .bind(&pattern)
    .bind(limit)
    .bind(offset)
    .fetch_all(connection)
    .await?;
    Ok((entries, total))
}
