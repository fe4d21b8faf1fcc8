//! `auth.flow_state`: sign-ins that begin in one place and end in another.

use std::fmt;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::pkce::Challenge;

/// A row of `auth.flow_state`, as far as codes need it.
#[derive(Clone, sqlx::FromRow)]
pub struct FlowState {
    /// Identifies the row.
    pub id: Uuid,
    /// Whose sign-in it is, once known.
    pub user_id: Option<Uuid>,
    /// The code to be exchanged for tokens.
    pub auth_code: Option<String>,
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
    /// When the sign-in began.
    pub created_at: Option<OffsetDateTime>,
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
        "insert into auth.flow_state (id, user_id, auth_code, code_challenge_method, \
             code_challenge, provider_type, authentication_method, created_at, updated_at) \
         values ($1, $2, $3, $4::text::auth.code_challenge_method, $5, $6, $7, $8, $8)",
    )
    .bind(Uuid::new_v4())
    .bind(user)
    .bind(Uuid::new_v4().to_string())
    .bind(challenge.method)
    .bind(&challenge.text)
    .bind(provider)
    .bind(method)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Hands out the code of the newest sign-in of this user and method.
pub async fn issue_code(
    connection: &mut PgConnection,
    user: Uuid,
    method: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "update auth.flow_state set auth_code_issued_at = $3, updated_at = $3 \
         where id = (select id from auth.flow_state \
             where user_id = $1 and authentication_method = $2 \
             order by created_at desc limit 1) \
         returning auth_code",
    )
    .bind(user)
    .bind(method)
    .bind(now)
    .fetch_optional(connection)
    .await
}

/// Uses a code up: of many who present it, one gets the row.
pub async fn take(connection: &mut PgConnection, code: &str) -> sqlx::Result<Option<FlowState>> {
    sqlx::query_as(
        "delete from auth.flow_state where auth_code = $1 \
         returning id, user_id, auth_code, code_challenge_method::text, code_challenge, \
             provider_type, provider_access_token, provider_refresh_token, \
             authentication_method, created_at, auth_code_issued_at, session_not_after",
    )
    .bind(code)
    .fetch_optional(connection)
    .await
}

impl fmt::Debug for FlowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowState")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
