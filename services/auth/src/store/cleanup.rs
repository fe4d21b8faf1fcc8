//! Rows that nobody will ask for again.

use sqlx::{PgConnection, postgres::PgArguments, query::Query};
use time::{Duration, OffsetDateTime};

use crate::config;

/// Most rows that one statement removes, so that no request waits long for it.
const BATCH: i64 = 500;

/// Rows that something was tried with, and what has not been finished, are kept for so long.
const KEPT: Duration = Duration::days(1);

/// Sessions stay for so long after their end.
const SESSIONS_KEPT: Duration = Duration::days(3);

/// Removes some of what is of no use any more; tells how many rows.
pub async fn remove_some(
    connection: &mut PgConnection,
    rules: &config::Sessions,
    now: OffsetDateTime,
) -> sqlx::Result<u64> {
    let mut removed = 0;
    for statement in [
        "delete from auth.refresh_tokens where id in (select id from auth.refresh_tokens \
             where revoked and updated_at < $1 limit $2 for update skip locked)",
        "delete from auth.flow_state where id in (select id from auth.flow_state \
             where created_at < $1 limit $2 for update skip locked)",
        "delete from auth.oauth_client_states where id in (select id \
             from auth.oauth_client_states where created_at < $1 limit $2 for update skip locked)",
        "delete from auth.saml_relay_states where id in (select id from auth.saml_relay_states \
             where created_at < $1 limit $2 for update skip locked)",
        "delete from auth.saml_assertions where (entity_id, assertion_id) in ( \
             select entity_id, assertion_id from auth.saml_assertions \
             where usable_until < $1 limit $2 for update skip locked)",
        "delete from auth.oauth_authorizations where id in (select id \
             from auth.oauth_authorizations where expires_at < $1 limit $2 for update skip locked)",
        "delete from auth.mfa_challenges where id in (select id from auth.mfa_challenges \
             where created_at < $1 limit $2 for update skip locked)",
        "delete from auth.mfa_factors where id in (select id from auth.mfa_factors \
             where status = 'unverified' and updated_at < $1 limit $2 for update skip locked)",
    ] {
        removed += run(connection, sqlx::query(statement).bind(now - KEPT)).await?;
    }
    let ended = now - SESSIONS_KEPT;
    let not_after = "delete from auth.sessions where id in (select id from auth.sessions \
         where not_after < $1 limit $2 for update skip locked)";
    removed += run(connection, sqlx::query(not_after).bind(ended)).await?;
    if let Some(timebox) = rules.timebox {
        let statement = "delete from auth.sessions where id in (select id from auth.sessions \
             where created_at < $1 limit $2 for update skip locked)";
        removed += run(connection, sqlx::query(statement).bind(ended - timebox)).await?;
    }
    if let Some(pause) = rules.inactivity_timeout {
        let statement = "delete from auth.sessions where id in (select id from auth.sessions \
             where coalesce(refreshed_at at time zone 'utc', created_at) < $1 \
             limit $2 for update skip locked)";
        removed += run(connection, sqlx::query(statement).bind(ended - pause)).await?;
    }
    Ok(removed)
}

async fn run(
    connection: &mut PgConnection,
    statement: Query<'_, sqlx::Postgres, PgArguments>,
) -> sqlx::Result<u64> {
    let result = statement.bind(BATCH).execute(connection).await?;
    Ok(result.rows_affected())
}
