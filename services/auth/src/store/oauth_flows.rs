//! `auth.flow_state` and `auth.oauth_client_states`, for sign-ins that lead through a provider.

use std::fmt;

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::flow_states::Code;
use crate::pkce::Challenge;

/// How long a sign-in that nobody came back from is kept.
const KEPT: Duration = Duration::days(1);

/// A sign-in about to begin.
#[derive(Clone, Copy)]
pub struct NewFlow<'a> {
    /// Name of the provider.
    pub provider: &'a str,
    /// What the exchange of the code will be checked against; without it tokens come at once.
    pub challenge: Option<&'a Challenge>,
    /// Where the browser goes in the end.
    pub referrer: &'a str,
    /// The invitation it accepts.
    pub invite_token: Option<&'a str>,
    /// The user who wants the identity.
    pub linking_target: Option<Uuid>,
    /// Shared by us and the answer of the provider.
    pub verifier: &'a str,
}

/// A sign-in that came back.
#[derive(Clone, sqlx::FromRow)]
pub struct Flow {
    /// Identifies the row.
    pub id: Uuid,
    /// Name of the provider.
    pub provider_type: String,
    /// Whether it ends with a code.
    pub is_pkce: bool,
    /// Where the browser goes in the end.
    pub referrer: Option<String>,
    /// The invitation it accepts.
    pub invite_token: Option<String>,
    /// The user who wants the identity.
    pub linking_target_id: Option<Uuid>,
    /// When it began.
    pub created_at: Option<OffsetDateTime>,
    /// Shared by us and the answer of the provider; none when it came back before.
    pub code_verifier: Option<String>,
}

/// Begins a sign-in, and forgets some that nobody came back from.
pub async fn begin(
    connection: &mut PgConnection,
    new: NewFlow<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<Uuid> {
    sweep(connection, now).await?;
    let client_state = Uuid::new_v4();
    sqlx::query(
        "insert into auth.oauth_client_states (id, provider_type, code_verifier, created_at) \
         values ($1, $2, $3, $4)",
    )
    .bind(client_state)
    .bind(new.provider)
    .bind(new.verifier)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar(
        "insert into auth.flow_state (id, code_challenge_method, code_challenge, \
             provider_type, authentication_method, invite_token, referrer, \
             oauth_client_state_id, linking_target_id, created_at, updated_at) \
         values ($1, $2::text::auth.code_challenge_method, $3, $4, 'oauth', $5, $6, $7, $8, $9, $9) \
         returning id",
    )
    .bind(Uuid::new_v4())
    .bind(new.challenge.map(|challenge| challenge.method))
    .bind(new.challenge.map(|challenge| &challenge.text))
    .bind(new.provider)
    .bind(new.invite_token)
    .bind(new.referrer)
    .bind(client_state)
    .bind(new.linking_target)
    .bind(now)
    .fetch_one(connection)
    .await
}

/// The sign-in of this id. Of many who come back with it, one gets its verifier.
pub async fn claim(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Flow>> {
    sqlx::query_as(
        "with taken as ( \
             delete from auth.oauth_client_states where id = ( \
                 select oauth_client_state_id from auth.flow_state where id = $1) \
             returning code_verifier) \
         select id, provider_type, code_challenge is not null as is_pkce, referrer, \
             invite_token, linking_target_id, created_at, \
             (select code_verifier from taken) as code_verifier \
         from auth.flow_state where id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
}

/// Hands out a code for a sign-in, with what its exchange will yield; a hash of it is kept.
pub async fn issue_code(
    connection: &mut PgConnection,
    id: Uuid,
    user: Uuid,
    (access_token, refresh_token): (&str, Option<&str>),
    now: OffsetDateTime,
) -> sqlx::Result<Option<String>> {
    let code = Code::new();
    let result = sqlx::query(
        "update auth.flow_state set user_id = $2, provider_access_token = $3, \
             provider_refresh_token = $4, auth_code_issued_at = $5, updated_at = $5, \
             auth_code = $6 where id = $1",
    )
    .bind(id)
    .bind(user)
    .bind(access_token)
    .bind(refresh_token)
    .bind(now)
    .bind(&code.stored)
    .execute(connection)
    .await?;
    Ok((result.rows_affected() > 0).then_some(code.text))
}

/// Ends a sign-in.
pub async fn end(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.flow_state where id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// A few at a time, so that no request waits for it.
async fn sweep(connection: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query(
        "delete from auth.flow_state where id in ( \
             select id from auth.flow_state where created_at < $1 \
             order by created_at limit 20 for update skip locked)",
    )
    .bind(now - KEPT)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "delete from auth.oauth_client_states where id in ( \
             select id from auth.oauth_client_states where created_at < $1 \
             order by created_at limit 20 for update skip locked)",
    )
    .bind(now - KEPT)
    .execute(connection)
    .await?;
    Ok(())
}

impl fmt::Debug for NewFlow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewFlow")
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
