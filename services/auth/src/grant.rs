//! Sessions begun and continued: what a client gets for proving who it is.

use axum::{
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use common::extract::Json;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    audit::{self, Action, Actor},
    error::{Error, Result, code},
    factor::Factor,
    hooks::points,
    jwt::Claims,
    password::Weakness,
    request::Origin,
    session::{self, Exchange, REFRESH_TOKEN_CHARS, RefreshToken, Session},
    store::{self, sessions::NewSession},
    user::{User, UserView},
};

/// Tokens for a session, and whose it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    expires_at: i64,
    refresh_token: String,
    user: UserView,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    weak_password: Option<Value>,
}

/// Tokens for an OAuth client, which is told about the user by other means.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClientTokens {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

/// The answer to a successful grant.
#[derive(Clone, Debug)]
pub struct Granted {
    tokens: Tokens,
    session_id: Uuid,
    /// Why a used refresh token was accepted.
    reused: Option<&'static str>,
    rotated: bool,
}

/// Begins a session for `user`, who signed in by `method`.
pub async fn begin(
    state: &AppState,
    connection: &mut PgConnection,
    user: &User,
    method: &str,
    origin: &Origin,
) -> Result<Granted> {
    let new = NewSession {
        user_id: user.id,
        origin,
        method,
        client: None,
    };
    begin_session(state, connection, user, new).await
}

/// Begins a session of `user` that an OAuth client has, and what that may know.
pub async fn begin_for_client(
    state: &AppState,
    connection: &mut PgConnection,
    user: &User,
    client: (Uuid, &str),
    origin: &Origin,
) -> Result<Granted> {
    let new = NewSession {
        user_id: user.id,
        origin,
        method: "oauth_provider/authorization_code",
        client: Some(client),
    };
    begin_session(state, connection, user, new).await
}

async fn begin_session(
    state: &AppState,
    connection: &mut PgConnection,
    user: &User,
    new: NewSession<'_>,
) -> Result<Granted> {
    let now = state.now();
    if user.deleted_at.is_some() {
        return Err(Error::forbidden(code::USER_NOT_FOUND, "User not found"));
    }
    let user = store::users::signed_in(connection, user.id, now).await?;
    let how = (new.method, new.origin);
    let session = store::sessions::insert(connection, new, now).await?;
    let refresh_token = session::new_refresh_token();
    let owner = (user.id, session.id);
    store::refresh_tokens::insert(connection, &refresh_token, owner, None, now).await?;
    Ok(Granted {
        tokens: tokens(state, connection, user, (&session, refresh_token), how).await?,
        session_id: session.id,
        reused: None,
        rotated: false,
    })
}

/// Raises a session by a second factor; its refresh token of before is dead.
pub async fn raise(
    state: &AppState,
    connection: &mut PgConnection,
    user: &User,
    session: &Session,
    (factor, method): (Uuid, &str),
    origin: &Origin,
) -> Result<Granted> {
    let now = state.now();
    store::sessions::raise(connection, session, factor, now).await?;
    store::sessions::add_method(connection, session.id, method, now).await?;
    store::refresh_tokens::revoke_family(connection, session.id, now).await?;
    let refresh_token = session::new_refresh_token();
    let owner = (user.id, session.id);
    store::refresh_tokens::insert(connection, &refresh_token, owner, None, now).await?;
    let user = store::users::signed_in(connection, user.id, now).await?;
    let session = Session {
        aal: Some("aal2".to_owned()),
        ..session.clone()
    };
    let how = (method, origin);
    Ok(Granted {
        tokens: tokens(state, connection, user, (&session, refresh_token), how).await?,
        session_id: session.id,
        reused: None,
        rotated: true,
    })
}

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
    match exchange(state, presented, client, origin).await {
        Err(Error::Database(error)) if store::is_contention(&error) => Err(Error::refused(
            StatusCode::CONFLICT,
            code::CONFLICT,
            "Too many concurrent token refresh requests on the same session or refresh token",
        )),
        result => result,
    }
}

async fn exchange(
    state: &AppState,
    presented: &str,
    client: Option<Uuid>,
    origin: &Origin,
) -> Result<Granted> {
    let now = state.now();
    let mut tx = state.store().begin().await?;
    store::bound_lock_waits(&mut tx).await?;
    let (user, session) = owner(&mut tx, presented, now).await?;
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
    let active = store::refresh_tokens::active(&mut tx, session.id).await?;
    let interval = state.config().sessions.reuse_interval;
    let (refresh_token, reused) = match session::exchange(&token, active.as_ref(), interval, now) {
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
        tokens: tokens(state, &mut tx, user, (&session, refresh_token), how).await?,
        session_id: session.id,
        reused,
        rotated,
    };
    tx.commit().await?;
    Ok(granted)
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

/// Until when this session may do without the second factor its user has, if that is limited.
async fn end_of_low_aal(
    state: &AppState,
    connection: &mut PgConnection,
    session: &Session,
) -> Result<Option<OffsetDateTime>> {
    let (Some(limit), Some(created)) = (state.config().sessions.allow_low_aal, session.created_at)
    else {
        return Ok(None);
    };
    if session.is_aal2() {
        return Ok(None);
    }
    let factors = store::factors::of_users(connection, &[session.user_id]).await?;
    let has_factor = factors.iter().any(Factor::is_verified);
    Ok(has_factor.then_some(created + limit))
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

/// Signs an access token for a session and puts the answer together.
async fn tokens(
    state: &AppState,
    connection: &mut PgConnection,
    user: User,
    (session, refresh_token): (&Session, String),
    how: (&str, &Origin),
) -> Result<Tokens> {
    let config = &state.config().jwt;
    let issued_at = state.now().unix_timestamp();
    let mut expires_at = issued_at + config.expires_in.whole_seconds();
    if let Some(end) = end_of_low_aal(state, connection, session).await? {
        expires_at = expires_at.min(end.unix_timestamp());
    }
    let claims = Claims {
        iss: config.issuer.clone(),
        sub: user.id.to_string(),
        aud: user.audience().to_owned(),
        exp: Some(expires_at),
        iat: issued_at,
        nbf: None,
        email: user.email().to_owned(),
        phone: user.phone().to_owned(),
        app_metadata: user.app_metadata(),
        user_metadata: user.user_metadata(),
        role: user.role.clone().unwrap_or_default(),
        aal: session.aal.clone().unwrap_or_else(|| "aal1".to_owned()),
        amr: store::sessions::methods(connection, session.id).await?,
        session_id: session.id.to_string(),
        is_anonymous: user.is_anonymous,
        client_id: session.oauth_client_id.map(|id| id.to_string()),
        scope: session.scopes.clone(),
    };
    let access_token = match points::custom_access_token(state, connection, &claims, how).await? {
        Some(claims) => state.keys().sign(&claims)?,
        None => state.keys().sign(&claims)?,
    };
    Ok(Tokens {
        access_token,
        token_type: "bearer",
        expires_in: expires_at - issued_at,
        expires_at,
        refresh_token,
        user: store::users::view(connection, user).await?,
        provider_token: None,
        provider_refresh_token: None,
        weak_password: None,
    })
}

impl Granted {
    /// The tokens and what else there is as the fragment of a link, names in order.
    pub fn fragment<const N: usize>(
        &self,
        more: [(&'static str, Option<String>); N],
    ) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("access_token", self.tokens.access_token.clone()),
            ("expires_at", self.tokens.expires_at.to_string()),
            ("expires_in", self.tokens.expires_in.to_string()),
            ("refresh_token", self.tokens.refresh_token.clone()),
            ("sb", String::new()),
            ("token_type", self.tokens.token_type.to_owned()),
        ];
        pairs.extend(
            more.into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        pairs.sort_unstable_by_key(|(name, _)| *name);
        pairs
    }

    /// The session that the tokens belong to.
    pub fn session_id(&self) -> Uuid {
        self.session_id
    }

    /// Makes the session end at `time`, if there is one.
    pub async fn end_at(
        &self,
        connection: &mut PgConnection,
        time: Option<OffsetDateTime>,
    ) -> Result<()> {
        if let Some(time) = time {
            store::sessions::end_at(connection, self.session_id, time).await?;
        }
        Ok(())
    }

    /// The tokens as an OAuth client gets them.
    pub fn for_client(self, id_token: Option<String>) -> ClientTokens {
        ClientTokens {
            access_token: self.tokens.access_token,
            token_type: self.tokens.token_type,
            expires_in: self.tokens.expires_in,
            refresh_token: self.tokens.refresh_token,
            id_token,
        }
    }

    /// Adds what a provider gave for itself.
    pub fn with_provider_tokens(mut self, access: Option<String>, refresh: Option<String>) -> Self {
        self.tokens.provider_token = access.filter(|token| !token.is_empty());
        self.tokens.provider_refresh_token = refresh.filter(|token| !token.is_empty());
        self
    }

    /// Adds that the password, though right, would not be accepted anymore.
    pub fn with_weakness(mut self, weakness: Option<&Weakness>) -> Self {
        self.tokens.weak_password = weakness.map(
            |weakness| json!({ "message": weakness.to_string(), "reasons": weakness.reasons() }),
        );
        self
    }
}

impl IntoResponse for Granted {
    fn into_response(self) -> Response {
        let prefix: String = self.tokens.refresh_token.chars().take(5).collect();
        let facts = [
            ("sb-auth-user-id", Some(self.tokens.user.id().to_string())),
            ("sb-auth-session-id", Some(self.session_id.to_string())),
            ("sb-auth-refresh-token-prefix", Some(prefix)),
            (
                "sb-auth-refresh-token-reuse",
                self.reused.map(|_| "true".to_owned()),
            ),
            (
                "sb-auth-refresh-token-reuse-cause",
                self.reused.map(str::to_owned),
            ),
            (
                "sb-auth-refresh-token-rotated",
                self.rotated.then(|| "true".to_owned()),
            ),
        ];
        let mut response = Json(self.tokens).into_response();
        for (name, value) in facts {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
