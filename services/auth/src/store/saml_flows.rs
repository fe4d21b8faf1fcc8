//! `auth.saml_relay_states` and `auth.saml_assertions`: single sign-ons under way, and those done.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::flow_states::Code;
use crate::{pkce::Challenge, saml::METHOD};

/// How long a sign-on that nobody came back from is kept.
const KEPT: Duration = Duration::DAY;

/// A sign-on about to begin.
#[derive(Clone, Copy, Debug)]
pub struct NewFlow<'a> {
    /// What the browser brings back.
    pub relay_state: Uuid,
    /// Where the browser is sent.
    pub provider: Uuid,
    /// What the response names.
    pub request_id: &'a str,
    /// Where the browser goes in the end.
    pub redirect_to: &'a str,
    /// What the exchange of the code will be checked against; without it tokens come at once.
    pub challenge: Option<&'a Challenge>,
}

/// A sign-on that came back.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Flow {
    /// Where the browser was sent.
    pub sso_provider_id: Uuid,
    /// What the response names.
    pub request_id: String,
    /// Where the browser goes in the end.
    pub redirect_to: Option<String>,
    /// When it began.
    pub created_at: Option<OffsetDateTime>,
    /// What ends with a code.
    pub flow_state_id: Option<Uuid>,
}

/// Begins a sign-on, and forgets some that nobody came back from.
pub async fn begin(
    connection: &mut PgConnection,
    new: NewFlow<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "delete from auth.saml_relay_states where id in ( \
             select id from auth.saml_relay_states where created_at < $1 \
             order by created_at limit 20 for update skip locked)",
    )
    .bind(now - KEPT)
    .execute(&mut *connection)
    .await?;
    let flow_state = match new.challenge {
        Some(challenge) => Some(begin_code(connection, challenge, now).await?),
        None => None,
    };
    sqlx::query(
        "insert into auth.saml_relay_states (id, sso_provider_id, request_id, redirect_to, \
             flow_state_id, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(new.relay_state)
    .bind(new.provider)
    .bind(new.request_id)
    .bind(new.redirect_to)
    .bind(flow_state)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn begin_code(
    connection: &mut PgConnection,
    challenge: &Challenge,
    now: OffsetDateTime,
) -> sqlx::Result<Uuid> {
    sqlx::query_scalar(
        "insert into auth.flow_state (id, code_challenge_method, code_challenge, \
             provider_type, authentication_method, created_at, updated_at) \
         values ($1, $2::text::auth.code_challenge_method, $3, $4, $4, $5, $5) \
         returning id",
    )
    .bind(Uuid::new_v4())
    .bind(challenge.method)
    .bind(&challenge.text)
    .bind(METHOD)
    .bind(now)
    .fetch_one(connection)
    .await
}

/// Uses up what a browser brings back: of many who bring it, one gets the sign-on.
pub async fn claim(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Flow>> {
    sqlx::query_as(
        "delete from auth.saml_relay_states where id = $1 \
         returning sso_provider_id, request_id, redirect_to, created_at, flow_state_id",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
}

/// Hands out a code for a sign-on, once; a hash of it is kept. The session of its exchange ends at
/// `session_ends_at`.
pub async fn issue_code(
    connection: &mut PgConnection,
    flow_state: Uuid,
    user: Uuid,
    session_ends_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> sqlx::Result<Option<String>> {
    let code = Code::new();
    let done = sqlx::query(
        "update auth.flow_state set user_id = $2, session_not_after = $3, auth_code = $4, \
             auth_code_issued_at = $5, updated_at = $5 \
         where id = $1 and user_id is null",
    )
    .bind(flow_state)
    .bind(user)
    .bind(session_ends_at)
    .bind(&code.stored)
    .bind(now)
    .execute(connection)
    .await?;
    Ok((done.rows_affected() == 1).then_some(code.text))
}

/// Uses an assertion up; tells whether it was not used before. Those that nobody would accept anymore
/// are forgotten.
pub async fn use_assertion(
    connection: &mut PgConnection,
    (entity_id, assertion): (&str, &str),
    usable_until: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    sqlx::query(
        "delete from auth.saml_assertions where (entity_id, assertion_id) in ( \
             select entity_id, assertion_id from auth.saml_assertions where usable_until < $1 \
             order by usable_until limit 20 for update skip locked)",
    )
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let done = sqlx::query(
        "insert into auth.saml_assertions (entity_id, assertion_id, usable_until) \
         values ($1, $2, $3) on conflict do nothing",
    )
    .bind(entity_id)
    .bind(assertion)
    .bind(usable_until)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
