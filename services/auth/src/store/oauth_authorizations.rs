//! `auth.oauth_authorizations`
//!
//! Of a code only the hash is stored.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::oauth_server::authorization::{Authorization, Wish};

/// Most expired rows that go when one comes.
const SWEPT: i64 = 10;

/// An authorization about to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewAuthorization<'a> {
    /// What the site will know it by.
    pub authorization_id: &'a str,
    /// Who asks.
    pub client_id: Uuid,
    /// Where the browser is sent back to.
    pub redirect_uri: &'a str,
    /// What the application wants to hear again.
    pub state: Option<&'a str>,
    /// What is asked for.
    pub wish: &'a Wish,
}

/// Adds what an application asks for, until `expires_at`.
pub async fn insert(
    connection: &mut PgConnection,
    new: NewAuthorization<'_>,
    (now, expires_at): (OffsetDateTime, OffsetDateTime),
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.oauth_authorizations (id, authorization_id, client_id, redirect_uri, \
             scope, state, resource, code_challenge, code_challenge_method, nonce, created_at, \
             expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::auth.code_challenge_method, $10, $11, \
             $12)",
    )
    .bind(Uuid::new_v4())
    .bind(new.authorization_id)
    .bind(new.client_id)
    .bind(new.redirect_uri)
    .bind(new.wish.scopes.to_string())
    .bind(new.state)
    .bind(&new.wish.resource)
    .bind(&new.wish.challenge.text)
    .bind(new.wish.challenge.method)
    .bind(&new.wish.nonce)
    .bind(now)
    .bind(expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// The authorization of this name, nobody else changing it until the transaction ends.
pub async fn lock(
    connection: &mut PgConnection,
    authorization_id: &str,
) -> sqlx::Result<Option<Authorization>> {
    sqlx::query_as(
        "select authorization_id, client_id, user_id, redirect_uri, scope, state, resource, \
             code_challenge, code_challenge_method::text, status::text, expires_at, nonce, \
             session_id \
         from auth.oauth_authorizations where authorization_id = $1 for no key update",
    )
    .bind(authorization_id)
    .fetch_optional(connection)
    .await
}

/// Makes an authorization a user's.
pub async fn assign(
    connection: &mut PgConnection,
    authorization_id: &str,
    user: Uuid,
) -> sqlx::Result<()> {
    sqlx::query("update auth.oauth_authorizations set user_id = $2 where authorization_id = $1")
        .bind(authorization_id)
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}

/// Grants what was asked for; a code of this hash can be exchanged.
pub async fn approve(
    connection: &mut PgConnection,
    authorization_id: &str,
    code_hash: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.oauth_authorizations set status = 'approved', authorization_code = $2, \
             approved_at = $3 \
         where authorization_id = $1",
    )
    .bind(authorization_id)
    .bind(code_hash)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Refuses what was asked for.
pub async fn deny(connection: &mut PgConnection, authorization_id: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.oauth_authorizations set status = 'denied' where authorization_id = $1",
    )
    .bind(authorization_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// The user whom the code of this hash is about.
pub async fn user_of_code(
    connection: &mut PgConnection,
    code_hash: &str,
) -> sqlx::Result<Option<Uuid>> {
    let user: Option<Option<Uuid>> = sqlx::query_scalar(
        "select user_id from auth.oauth_authorizations where authorization_code = $1",
    )
    .bind(code_hash)
    .fetch_optional(connection)
    .await?;
    Ok(user.flatten())
}

/// The authorization that a code of this hash was given for, nobody else changing it until the
/// transaction ends.
pub async fn lock_by_code(
    connection: &mut PgConnection,
    code_hash: &str,
) -> sqlx::Result<Option<Authorization>> {
    sqlx::query_as(
        "select authorization_id, client_id, user_id, redirect_uri, scope, state, resource, \
             code_challenge, code_challenge_method::text, status::text, expires_at, nonce, \
             session_id \
         from auth.oauth_authorizations \
         where authorization_code = $1 and status = 'approved' for no key update",
    )
    .bind(code_hash)
    .fetch_optional(connection)
    .await
}

/// Notes the session that a code was exchanged for: the code is used up.
pub async fn exchanged(
    connection: &mut PgConnection,
    authorization_id: &str,
    session: Uuid,
) -> sqlx::Result<()> {
    sqlx::query("update auth.oauth_authorizations set session_id = $2 where authorization_id = $1")
        .bind(authorization_id)
        .bind(session)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes an authorization.
pub async fn delete(connection: &mut PgConnection, authorization_id: &str) -> sqlx::Result<()> {
    sqlx::query("delete from auth.oauth_authorizations where authorization_id = $1")
        .bind(authorization_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes some of those that nobody can do anything with any more. Whoever adds one removes more
/// than one, so the table holds little besides what can still be answered.
pub async fn delete_expired(
    connection: &mut PgConnection,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "delete from auth.oauth_authorizations where id in (select id \
             from auth.oauth_authorizations where expires_at < $1 limit $2 for update skip locked)",
    )
    .bind(now)
    .bind(SWEPT)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes back what has not been exchanged yet, and forgets what has.
pub async fn delete_of(
    connection: &mut PgConnection,
    (user, client): (Uuid, Uuid),
) -> sqlx::Result<()> {
    sqlx::query("delete from auth.oauth_authorizations where user_id = $1 and client_id = $2")
        .bind(user)
        .bind(client)
        .execute(connection)
        .await?;
    Ok(())
}
