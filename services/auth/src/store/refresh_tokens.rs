//! `auth.refresh_tokens`

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::session::RefreshToken;

/// The row of this token.
pub async fn find(
    connection: &mut PgConnection,
    token: &str,
) -> sqlx::Result<Option<RefreshToken>> {
    sqlx::query_as(
        "select id, token, parent, coalesce(revoked, false) as revoked, \
             coalesce(updated_at, created_at, to_timestamp(0)) as updated_at, session_id, user_id \
         from auth.refresh_tokens where token = $1",
    )
    .bind(token)
    .fetch_optional(connection)
    .await
}

/// The newest token of a session that is not revoked.
pub async fn active(
    connection: &mut PgConnection,
    session: Uuid,
) -> sqlx::Result<Option<RefreshToken>> {
    sqlx::query_as(
        "select id, token, parent, coalesce(revoked, false) as revoked, \
             coalesce(updated_at, created_at, to_timestamp(0)) as updated_at, session_id, user_id \
         from auth.refresh_tokens where session_id = $1 and revoked is not true \
         order by id desc limit 1",
    )
    .bind(session)
    .fetch_optional(connection)
    .await
}

/// Whether `active` has come from `token` by exchanges since `time`.
pub async fn is_since(
    connection: &mut PgConnection,
    (token, active): (&RefreshToken, &RefreshToken),
    time: OffsetDateTime,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "with recursive line as ( \
             select token, parent from auth.refresh_tokens where id = $2 \
             union all \
             select older.token, older.parent from auth.refresh_tokens older \
                 join line on older.token = line.parent \
                 where older.updated_at >= $3 and older.session_id = $4) \
         select exists (select from line where token = $1)",
    )
    .bind(&token.token)
    .bind(active.id)
    .bind(time)
    .bind(active.session_id)
    .fetch_one(connection)
    .await
}

/// Adds a token to a session.
pub async fn insert(
    connection: &mut PgConnection,
    token: &str,
    (user, session): (Uuid, Uuid),
    parent: Option<&str>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.refresh_tokens \
             (instance_id, token, user_id, revoked, created_at, updated_at, parent, session_id) \
         values ($1, $2, $3, false, $4, $4, $5, $6)",
    )
    .bind(Uuid::nil())
    .bind(token)
    .bind(user.to_string())
    .bind(now)
    .bind(parent)
    .bind(session)
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks one token as used.
pub async fn revoke(
    connection: &mut PgConnection,
    id: i64,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query("update auth.refresh_tokens set revoked = true, updated_at = $2 where id = $1")
        .bind(id)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Marks every token of a session as used.
pub async fn revoke_family(
    connection: &mut PgConnection,
    session: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.refresh_tokens set revoked = true, updated_at = $2 \
         where session_id = $1 and revoked is not true",
    )
    .bind(session)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
