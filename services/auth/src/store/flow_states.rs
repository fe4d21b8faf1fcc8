//! `auth.flow_state`: sign-ins that begin in one place and end in another.

use std::fmt;

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{hex, pkce::Challenge};

/// A code to be exchanged for tokens, and the hash of it that is stored.
pub(super) struct Code {
    pub(super) text: String,
    pub(super) stored: String,
}

/// A row of `auth.flow_state`, as far as codes need it.
#[derive(Clone, sqlx::FromRow)]
pub struct FlowState {
    /// Identifies the row.
    pub id: Uuid,
    /// Whose sign-in it is, once known.
    pub user_id: Option<Uuid>,
    /// `s256` or `plain`.
    pub code_challenge_method: Option<String>,
    /// What the exchange is checked against.
    pub code_challenge: Option<String>,
    /// Name of the provider.
    pub provider_type: String,
    /// What the provider gave for itself.
    pub provider_access_token: Option<String>,
    /// What becomes another of those.
    pub provider_refresh_token: Option<String>,
    /// How the user signs in.
    pub authentication_method: String,
    /// When the code was handed out.
    pub auth_code_issued_at: Option<OffsetDateTime>,
    /// When the session is to end, if somebody else says so.
    pub session_not_after: Option<OffsetDateTime>,
}

/// Begins a sign-in of `user` that ends with a code.
pub async fn insert(
    connection: &mut PgConnection,
    user: Uuid,
    challenge: &Challenge,
    (provider, method): (&str, &str),
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.flow_state (id, user_id, code_challenge_method, code_challenge, \
             provider_type, authentication_method, created_at, updated_at) \
         values ($1, $2, $3::text::auth.code_challenge_method, $4, $5, $6, $7, $7)",
    )
    .bind(Uuid::new_v4())
    .bind(user)
    .bind(challenge.method)
    .bind(&challenge.text)
    .bind(provider)
    .bind(method)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Hands out a code for the newest sign-in of this user and method; a hash of it is kept.
pub async fn issue_code(
    connection: &mut PgConnection,
    user: Uuid,
    method: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Option<String>> {
    let code = Code::new();
    let result = sqlx::query(
        "update auth.flow_state set auth_code = $4, auth_code_issued_at = $3, updated_at = $3 \
         where id = (select id from auth.flow_state \
             where user_id = $1 and authentication_method = $2 \
             order by created_at desc limit 1)",
    )
    .bind(user)
    .bind(method)
    .bind(now)
    .bind(&code.stored)
    .execute(connection)
    .await?;
    Ok((result.rows_affected() > 0).then_some(code.text))
}

/// Uses a code up: of many who present it, one gets the row.
pub async fn take(connection: &mut PgConnection, code: &str) -> sqlx::Result<Option<FlowState>> {
    sqlx::query_as(
        "delete from auth.flow_state where auth_code = $1 \
         returning id, user_id, code_challenge_method::text, code_challenge, \
             provider_type, provider_access_token, provider_refresh_token, \
             authentication_method, auth_code_issued_at, session_not_after",
    )
    .bind(Code::from(code).stored)
    .fetch_optional(connection)
    .await
}

/// Ends every sign-in of a user.
pub async fn delete_of_user(connection: &mut PgConnection, user: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.flow_state where user_id = $1")
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}

impl Code {
    pub(super) fn new() -> Self {
        Self::from(&Uuid::new_v4().to_string())
    }

    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            stored: hex::encode(&Sha256::digest(text)),
        }
    }
}

impl fmt::Debug for FlowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowState")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
