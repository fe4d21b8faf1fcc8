//! `auth.mfa_recovery_code_sets` and `auth.mfa_recovery_codes`

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::recovery_code::{CodeSet, FACTOR_TYPE, StoredCode};

/// The codes of a user, if there are any.
pub async fn of_user(connection: &mut PgConnection, user: Uuid) -> sqlx::Result<Option<CodeSet>> {
    sqlx::query_as(
        "select id, mfa_factor_id, failed_verification_count, verification_locked_until \
         from auth.mfa_recovery_code_sets where user_id = $1",
    )
    .bind(user)
    .fetch_optional(connection)
    .await
}

/// Makes a factor of these codes; gives its id.
pub async fn insert(
    connection: &mut PgConnection,
    (user, name): (Uuid, &str),
    hashes: &[String],
    now: OffsetDateTime,
) -> sqlx::Result<Uuid> {
    let factor: Uuid = sqlx::query_scalar(
        "insert into auth.mfa_factors \
             (id, user_id, friendly_name, factor_type, status, created_at, updated_at) \
         values ($1, $2, $3, $4::text::auth.factor_type, 'verified', $5, $5) returning id",
    )
    .bind(Uuid::new_v4())
    .bind(user)
    .bind(name)
    .bind(FACTOR_TYPE)
    .bind(now)
    .fetch_one(&mut *connection)
    .await?;
    let set: Uuid = sqlx::query_scalar(
        "insert into auth.mfa_recovery_code_sets \
             (id, user_id, mfa_factor_id, created_at, updated_at) \
         values ($1, $2, $3, $4, $4) returning id",
    )
    .bind(Uuid::new_v4())
    .bind(user)
    .bind(factor)
    .bind(now)
    .fetch_one(&mut *connection)
    .await?;
    fill(connection, set, hashes, now).await?;
    Ok(factor)
}

/// Puts these codes in the place of those there were, and forgives wrong ones.
pub async fn replace(
    connection: &mut PgConnection,
    set: Uuid,
    hashes: &[String],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query("delete from auth.mfa_recovery_codes where mfa_recovery_code_set_id = $1")
        .bind(set)
        .execute(&mut *connection)
        .await?;
    fill(connection, set, hashes, now).await?;
    count_failures(connection, set, (0, None), now).await
}

async fn fill(
    connection: &mut PgConnection,
    set: Uuid,
    hashes: &[String],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.mfa_recovery_codes (id, mfa_recovery_code_set_id, code_hash, created_at) \
         select gen_random_uuid(), $1, code_hash, $3 from unnest($2::text[]) as code_hash",
    )
    .bind(set)
    .bind(hashes)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// The codes that were not used.
pub async fn unused(connection: &mut PgConnection, set: Uuid) -> sqlx::Result<Vec<StoredCode>> {
    sqlx::query_as(
        "select id, code_hash from auth.mfa_recovery_codes \
         where mfa_recovery_code_set_id = $1 and consumed_at is null",
    )
    .bind(set)
    .fetch_all(connection)
    .await
}

/// How many codes there are, and how many of them were not used.
pub async fn count(connection: &mut PgConnection, set: Uuid) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "select count(*), count(*) filter (where consumed_at is null) \
         from auth.mfa_recovery_codes where mfa_recovery_code_set_id = $1",
    )
    .bind(set)
    .fetch_one(connection)
    .await
}

/// Uses a code up; says whether it was there to be used.
pub async fn consume(
    connection: &mut PgConnection,
    code: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "update auth.mfa_recovery_codes set consumed_at = $2 \
         where id = $1 and consumed_at is null",
    )
    .bind(code)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes how many wrong codes were tried, and until when no other is looked at.
pub async fn count_failures(
    connection: &mut PgConnection,
    set: Uuid,
    (count, locked_until): (i32, Option<OffsetDateTime>),
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.mfa_recovery_code_sets set failed_verification_count = $2, \
             verification_locked_until = $3, updated_at = $4 \
         where id = $1",
    )
    .bind(set)
    .bind(count)
    .bind(locked_until)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
