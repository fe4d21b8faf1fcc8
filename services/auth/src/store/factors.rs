//! `auth.mfa_factors` and `auth.mfa_challenges`

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    factor::{Factor, Kind},
    request::Origin,
    webauthn::Credential,
};

/// Factors of these users, oldest first.
pub async fn of_users(connection: &mut PgConnection, users: &[Uuid]) -> sqlx::Result<Vec<Factor>> {
    sqlx::query_as(
        "select id, user_id, friendly_name, factor_type::text, status::text, created_at, \
             updated_at, secret, phone, last_challenged_at, \
             web_authn_credential, web_authn_aaguid, \
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
    /// Identifies it.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// What it is.
    pub kind: Kind,
    /// The user's own name for it.
    pub friendly_name: &'a str,
    /// What codes are made of, as it is stored.
    pub secret: Option<&'a str>,
    /// Number that codes are sent to.
    pub phone: Option<&'a str>,
}

/// A challenge about to be stored.
#[derive(Clone, Debug, Default)]
pub struct NewChallenge {
    /// What stands for the code that was sent.
    pub code_hash: Option<String>,
    /// What a browser was asked.
    pub session: Option<Value>,
}

/// A row of `auth.mfa_challenges`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Challenge {
    /// Identifies the row.
    pub id: Uuid,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was answered.
    pub verified_at: Option<OffsetDateTime>,
    /// Who it was made for.
    pub ip: String,
    /// What stands for the code that was sent, or answered with.
    pub otp_code: Option<String>,
    /// What a browser was asked.
    pub web_authn_session_data: Option<Json<Value>>,
}

impl Challenge {
    /// What a browser is to sign.
    pub fn browser_challenge(&self) -> Option<&str> {
        self.web_authn_session_data.as_ref()?.0["challenge"].as_str()
    }
}

impl fmt::Debug for NewFactor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewFactor")
    }
}

/// Adds a factor that is not verified yet.
pub async fn insert(
    connection: &mut PgConnection,
    new: NewFactor<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.mfa_factors \
             (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret, \
              phone) \
         values ($1, $2, $3, $7::text::auth.factor_type, 'unverified', $4, $4, $5, $6)",
    )
    .bind(new.id)
    .bind(new.user_id)
    .bind(new.friendly_name)
    .bind(now)
    .bind(new.secret)
    .bind(new.phone)
    .bind(new.kind.name())
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores the secret of a factor in another way.
pub async fn set_secret(
    connection: &mut PgConnection,
    factor: Uuid,
    stored: &str,
) -> sqlx::Result<()> {
    sqlx::query("update auth.mfa_factors set secret = $2 where id = $1")
        .bind(factor)
        .bind(stored)
        .execute(connection)
        .await?;
    Ok(())
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
    new: NewChallenge,
    (origin, now): (&Origin, OffsetDateTime),
) -> sqlx::Result<Uuid> {
    sqlx::query("update auth.mfa_factors set last_challenged_at = $2 where id = $1")
        .bind(factor)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar(
        "insert into auth.mfa_challenges \
             (id, factor_id, created_at, ip_address, otp_code, web_authn_session_data) \
         values ($1, $2, $3, $4::text::inet, $5, $6) returning id",
    )
    .bind(Uuid::new_v4())
    .bind(factor)
    .bind(now)
    .bind(address(origin))
    .bind(new.code_hash)
    .bind(new.session.map(Json))
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
        "select id, created_at, verified_at, host(ip_address) as ip, otp_code, \
             web_authn_session_data \
         from auth.mfa_challenges \
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

/// Notes the answer to a challenge, and the code it was.
pub async fn answered(
    connection: &mut PgConnection,
    challenge: Uuid,
    code: Option<&str>,
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

/// Stores a credential as it is after its use, and what the browser said.
pub async fn set_credential(
    connection: &mut PgConnection,
    factor: Uuid,
    credential: &Credential,
    last: Option<Value>,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.mfa_factors set web_authn_credential = $2, web_authn_aaguid = $3, \
             last_webauthn_challenge_data = $4 \
         where id = $1",
    )
    .bind(factor)
    .bind(Json(credential))
    .bind(credential.aaguid)
    .bind(last.map(Json))
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that a factor works; the user's attempts at others of its kind are forgotten.
pub async fn verified(
    connection: &mut PgConnection,
    user: Uuid,
    (factor, kind): (Uuid, Kind),
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query("update auth.mfa_factors set status = 'verified', updated_at = $2 where id = $1")
        .bind(factor)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "delete from auth.mfa_factors \
         where user_id = $1 and status = 'unverified' and factor_type::text = $2",
    )
    .bind(user)
    .bind(kind.name())
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
