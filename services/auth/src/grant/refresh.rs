//! Sessions continued: a refresh token is exchanged for the next one.

use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Granted, end_of_low_aal, tokens};
use crate::{
    AppState,
    audit::{self, Action, Actor},
    error::{Error, Result, code},
    issuance::{Issuance, issue},
    request::Origin,
    session::{self, Exchange, REFRESH_TOKEN_CHARS, RefreshToken, Session},
    store,
    user::User,
};

/// Continues the session that a refresh token belongs to. A session of an OAuth client continues for
/// that `client` only, and a user's own for none.
pub async fn refresh(
    state: &AppState,
    presented: &str,
    client: Option<Uuid>,
    origin: &Origin,
) -> Result<Granted> {
    if presented.len() < REFRESH_TOKEN_CHARS {
        return Err(Error::invalid("Refresh token is not valid"));
    }
    match issue(state, |issuance| {
        exchange(issuance, presented, client, origin)
    })
    .await
    {
        Err(Error::Database(error)) if store::is_contention(&error) => Err(Error::refused(
            StatusCode::CONFLICT,
            code::CONFLICT,
            "Too many concurrent token refresh requests on the same session or refresh token",
        )),
        result => result,
    }
}

async fn exchange(
    issuance: Issuance<'_>,
    presented: &str,
    client: Option<Uuid>,
    origin: &Origin,
) -> Result<Granted> {
    let state = issuance.state();
    let mut tx = state.store().begin().await?;
    store::bound_lock_waits(&mut tx).await?;
    let (user, session) = owner(&mut tx, presented, state.now()).await?;
    let now = state.now();
    if session.oauth_client_id != client {
        return Err(not_found());
    }
    session.check(&state.config().sessions, now)?;
    check_low_aal(state, &mut tx, &session, now).await?;
    if state.config().sessions.single_per_user
        && let Some(since) = session.last_used()
        && store::sessions::has_newer(&mut tx, &session, &state.config().sessions.tags, since)
            .await?
    {
        return Err(session::expired(" (Revoked by Newer Login)"));
    }
    // Only what is read under the lock counts: somebody may have used the token meanwhile.
    let token = known(&mut tx, presented).await?;
    let decision = decide(&issuance, &mut tx, (&session, &token), now).await?;
    let (refresh_token, reused) = match decision {
        Exchange::Repeat(active) => (active, Some("fail-to-save")),
        Exchange::Rotate => {
            let child = rotate(&mut tx, &token, &user, session.id, now).await?;
            let event = (origin, now);
            let actor = || Actor::User(&user);
            audit::record(&mut tx, Action::TokenRevoked, actor(), Value::Null, event).await?;
            audit::record(&mut tx, Action::TokenRefreshed, actor(), Value::Null, event).await?;
            (child, token.revoked.then_some("concurrent-refresh"))
        }
        Exchange::Refuse => {
            if state.config().sessions.rotation {
                store::refresh_tokens::revoke_family(&mut tx, session.id, now).await?;
                let traits = json!({ "reason": "reuse", "session_id": session.id });
                let (actor, event) = (Actor::User(&user), (origin, now));
                audit::record(&mut tx, Action::TokenRevoked, actor, traits, event).await?;
                tx.commit().await?;
            }
            return Err(Error::bad_request(
                code::REFRESH_TOKEN_ALREADY_USED,
                "Invalid Refresh Token: Already Used",
            ));
        }
    };
    store::sessions::refreshed(&mut tx, session.id, origin, now).await?;
    let rotated = !matches!(reused, Some("fail-to-save"));
    let how = ("token_refresh", origin);
    let granted = Granted {
        tokens: tokens(&issuance, &mut tx, user, (&session, refresh_token), how).await?,
        session_id: session.id,
        reused,
        rotated,
    };
    tx.commit().await?;
    Ok(granted)
}

/// What the token is good for, now that nobody else changes its session.
///
/// Whoever presented it before it was used is no thief for having waited since, for the lock or for
/// the hook: as long as the session goes on from that very token, they get what it has come to.
/// Where it does not, since the session was raised or its tokens taken back, the token is dead.
async fn decide(
    issuance: &Issuance<'_>,
    connection: &mut PgConnection,
    (session, token): (&Session, &RefreshToken),
    now: OffsetDateTime,
) -> Result<Exchange> {
    let active = store::refresh_tokens::active(connection, session.id).await?;
    let interval = issuance.state().config().sessions.reuse_interval;
    let decision = session::exchange(token, active.as_ref(), interval, now);
    let Some(active) = active.filter(|_| decision == Exchange::Refuse) else {
        return Ok(decision);
    };
    let line = (token, &active);
    if store::refresh_tokens::is_since(connection, line, issuance.at()).await? {
        Ok(Exchange::Repeat(active.token))
    } else {
        Ok(decision)
    }
}

/// The user and the locked session a token belongs to.
async fn owner(
    connection: &mut PgConnection,
    presented: &str,
    now: OffsetDateTime,
) -> Result<(User, Session)> {
    let token = known(connection, presented).await?;
    let user = match token.user_id.as_deref().and_then(|id| id.parse().ok()) {
        Some(id) => store::users::by_id(connection, id).await?,
        None => None,
    };
    let user = user.ok_or_else(not_found)?;
    if user.is_banned(now) {
        let message = "Invalid Refresh Token: User Banned";
        return Err(Error::bad_request(code::USER_BANNED, message));
    }
    let session = match token.session_id {
        Some(id) => store::sessions::lock(connection, id).await?,
        None => None,
    };
    let session = session.ok_or_else(|| {
        let message = "Invalid Refresh Token: No Valid Session Found";
        Error::bad_request(code::SESSION_NOT_FOUND, message)
    })?;
    Ok((user, session))
}

/// Fails when the user has a second factor and this session did without it for too long.
async fn check_low_aal(
    state: &AppState,
    connection: &mut PgConnection,
    session: &Session,
    now: OffsetDateTime,
) -> Result<()> {
    match end_of_low_aal(state, connection, session).await? {
        Some(end) if now > end => Err(session::expired(" (Low AAL: User Needs MFA Verification)")),
        _ => Ok(()),
    }
}

async fn known(connection: &mut PgConnection, presented: &str) -> Result<RefreshToken> {
    store::refresh_tokens::find(connection, presented)
        .await?
        .ok_or_else(not_found)
}

fn not_found() -> Error {
    Error::bad_request(
        code::REFRESH_TOKEN_NOT_FOUND,
        "Invalid Refresh Token: Refresh Token Not Found",
    )
}

/// Uses up `token` and returns the one that takes its place.
async fn rotate(
    connection: &mut PgConnection,
    token: &RefreshToken,
    user: &User,
    session: Uuid,
    now: OffsetDateTime,
) -> Result<String> {
    if !token.revoked {
        store::refresh_tokens::revoke(connection, token.id, now).await?;
    }
    let child = session::new_refresh_token();
    let owner = (user.id, session);
    store::refresh_tokens::insert(connection, &child, owner, Some(&token.token), now).await?;
    Ok(child)
}
