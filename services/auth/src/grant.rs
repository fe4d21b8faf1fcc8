//! Sessions begun and continued: what a client gets for proving who it is.

mod refresh;

use axum::{
    http::HeaderValue,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::refresh::refresh;
use crate::{
    AppState, authentication,
    error::{Error, Result, code},
    factor::Factor,
    hooks::points,
    issuance::Issuance,
    jwt::Claims,
    password::Weakness,
    request::Origin,
    session::{self, Session},
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
    issuance: &Issuance<'_>,
    connection: &mut PgConnection,
    user: &User,
    method: &str,
    origin: &Origin,
) -> Result<Granted> {
    let new = NewSession {
        id: issuance.session_id(),
        user_id: user.id,
        origin,
        method,
        client: None,
    };
    begin_session(issuance, connection, user, new).await
}

/// Begins a session of `user` that an OAuth client has, and what that may know.
pub async fn begin_for_client(
    issuance: &Issuance<'_>,
    connection: &mut PgConnection,
    user: &User,
    client: (Uuid, &str),
    origin: &Origin,
) -> Result<Granted> {
    let new = NewSession {
        id: issuance.session_id(),
        user_id: user.id,
        origin,
        method: "oauth_provider/authorization_code",
        client: Some(client),
    };
    begin_session(issuance, connection, user, new).await
}

async fn begin_session(
    issuance: &Issuance<'_>,
    connection: &mut PgConnection,
    user: &User,
    new: NewSession<'_>,
) -> Result<Granted> {
    let now = issuance.at();
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
        tokens: tokens(issuance, connection, user, (&session, refresh_token), how).await?,
        session_id: session.id,
        reused: None,
        rotated: false,
    })
}

/// Raises a session by a second factor; its refresh token of before is dead.
pub async fn raise(
    issuance: &Issuance<'_>,
    connection: &mut PgConnection,
    user: &User,
    session: &Session,
    (factor, method): (Uuid, &str),
    origin: &Origin,
) -> Result<Granted> {
    let now = issuance.at();
    // It may have ended since the access token was looked at.
    let session = store::sessions::lock(connection, session.id).await?;
    let session = session.ok_or_else(authentication::no_session)?;
    store::sessions::raise(connection, &session, factor, now).await?;
    store::sessions::add_method(connection, session.id, method, now).await?;
    store::refresh_tokens::revoke_family(connection, session.id, now).await?;
    let refresh_token = session::new_refresh_token();
    let owner = (user.id, session.id);
    store::refresh_tokens::insert(connection, &refresh_token, owner, None, now).await?;
    let user = store::users::signed_in(connection, user.id, now).await?;
    let session = Session {
        aal: Some("aal2".to_owned()),
        ..session
    };
    let how = (method, origin);
    Ok(Granted {
        tokens: tokens(issuance, connection, user, (&session, refresh_token), how).await?,
        session_id: session.id,
        reused: None,
        rotated: true,
    })
}

/// Signs an access token for a session and puts the answer together.
async fn tokens(
    issuance: &Issuance<'_>,
    connection: &mut PgConnection,
    user: User,
    (session, refresh_token): (&Session, String),
    how: (&str, &Origin),
) -> Result<Tokens> {
    let state = issuance.state();
    let config = &state.config().jwt;
    let issued_at = issuance.at().unix_timestamp();
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
    let access_token = match points::custom_access_token(issuance, connection, &claims, how).await?
    {
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
