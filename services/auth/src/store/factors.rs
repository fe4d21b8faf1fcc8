//! `auth.mfa_factors` and `auth.mfa_challenges`

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{factor::Factor, request::Origin};

/// Factors of these users, oldest first.
pub async fn of_users(connection: &mut PgConnection, users: &[Uuid]) -> sqlx::Result<Vec<Factor>> {
    sqlx::query_as(
        "select id, user_id, friendly_name, factor_type::text, status::text, created_at, \
             updated_at, secret, phone, last_challenged_at, web_authn_aaguid, \
             last_webauthn_challenge_data \
         from auth.mfa_factors where user_id = any($1) order by created_at, id",
    )
    .bind(users)
    .fetch_all(connection)
    .await
}

/// Removes all factors of a user.
pub async fn delete_of_user(connection: &mut PgConnection, user: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.mfa_factors where user_id = $1")
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}

/// A factor about to be stored.
#[derive(Clone, Copy)]
pub struct NewFactor<'a> {
    /// Whose it is.
    pub user_id: Uuid,
    /// The user's own name for it.
    pub friendly_name: &'a str,
    /// What codes are made of.
    pub secret: &'a str,
}

/// A row of `auth.mfa_challenges`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Challenge {
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was answered.
    pub verified_at: Option<OffsetDateTime>,
    /// Who it was made for.
    pub ip: String,
}

impl fmt::Debug for NewFactor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewFactor")
    }
}

/// Adds a TOTP factor that is not verified yet.
pub async fn insert(
    connection: &mut PgConnection,
    new: NewFactor<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<Uuid> {
    sqlx::query_scalar(
        "insert into auth.mfa_factors \
             (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret) \
         values ($1, $2, $3, 'totp', 'unverified', $4, $4, $5) returning id",
    )
    .bind(Uuid::new_v4())
    .bind(new.user_id)
    .bind(new.friendly_name)
    .bind(now)
    .bind(new.secret)
    .fetch_one(connection)
    .await
}

/// Removes factors that were never verified.
pub async fn purge(
    connection: &mut PgConnection,
    user: Uuid,
    made_before: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "delete from auth.mfa_factors \
         where user_id = $1 and status = 'unverified' and created_at < $2",
    )
    .bind(user)
    .bind(made_before)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes a challenge and notes it on its factor.
pub async fn challenge(
    connection: &mut PgConnection,
    factor: Uuid,
    origin: &Origin,
    now: OffsetDateTime,
) -> sqlx::Result<Uuid> {
    sqlx::query("update auth.mfa_factors set last_challenged_at = $2 where id = $1")
        .bind(factor)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar(
        "insert into auth.mfa_challenges (id, factor_id, created_at, ip_address) \
         values ($1, $2, $3, $4::text::inet) returning id",
    )
    .bind(Uuid::new_v4())
    .bind(factor)
    .bind(now)
    .bind(address(origin))
    .fetch_one(connection)
    .await
}

/// A challenge of this factor.
pub async fn find_challenge(
    connection: &mut PgConnection,
    id: Uuid,
    factor: Uuid,
) -> sqlx::Result<Option<Challenge>> {
    sqlx::query_as(
        "select created_at, verified_at, host(ip_address) as ip from auth.mfa_challenges \
         where id = $1 and factor_id = $2",
    )
    .bind(id)
    .bind(factor)
    .fetch_optional(connection)
    .await
}

/// Whether a challenge was answered with this code while it could still be current.
pub async fn was_used(
    connection: &mut PgConnection,
    factor: Uuid,
    code: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from auth.mfa_challenges \
             where factor_id = $1 and otp_code = $2 and verified_at > $3)",
    )
    .bind(factor)
    .bind(code)
    .bind(now - Duration::minutes(2))
    .fetch_one(connection)
    .await
}

/// Notes the answer to a challenge.
pub async fn answered(
    connection: &mut PgConnection,
    challenge: Uuid,
    code: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query("update auth.mfa_challenges set verified_at = $3, otp_code = $2 where id = $1")
        .bind(challenge)
        .bind(code)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes that a factor works; the user's attempts at others are forgotten.
pub async fn verified(
    connection: &mut PgConnection,
    user: Uuid,
    factor: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query("update auth.mfa_factors set status = 'verified', updated_at = $2 where id = $1")
        .bind(factor)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "delete from auth.mfa_factors \
         where user_id = $1 and status = 'unverified' and factor_type = 'totp'",
    )
    .bind(user)
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores the name and number of a factor.
pub async fn update(connection: &mut PgConnection, factor: &Factor) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.mfa_factors set friendly_name = $2, phone = $3, updated_at = $4 where id = $1",
    )
    .bind(factor.id)
    .bind(&factor.friendly_name)
    .bind(&factor.phone)
    .bind(factor.updated_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a factor.
pub async fn delete(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.mfa_factors where id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// The client's address as challenges store it.
pub fn address(origin: &Origin) -> String {
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    origin.ip.unwrap_or(unknown).to_canonical().to_string()
}
