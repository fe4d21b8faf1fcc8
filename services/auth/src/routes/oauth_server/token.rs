//! `POST /oauth/token`: what an application gets for a code or a refresh token.

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use common::{error::Problem, extract::Json};
use http::header::{CACHE_CONTROL, PRAGMA};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Enabled;
use crate::{
    AppState,
    audit::{self, Action, Actor},
    error::{Error, Result, code},
    grant::{self, ClientTokens},
    issuance::{Issuance, issue},
    limits::Limit,
    oauth_server::{
        self,
        authorization::Authorization,
        claims,
        client::Client,
        credentials::{self, Credentials},
        scope::Scopes,
    },
    pkce,
    request::{self, Origin, Params},
    store,
    user::User,
};

/// Exchanges a code or a refresh token for tokens. A form, or the same as a JSON object.
#[utoipa::path(
    operation_id = "oauth_token",
    post,
    path = "/oauth/token",
    responses((status = 200, body = ClientTokens), (status = "4XX", body = Object))
)]
pub async fn token(
    State(state): State<AppState>,
    _: Enabled,
    origin: Origin,
    request: Request,
) -> Result<Response> {
    state.limits().check(Limit::Token, origin.ip, state.now())?;
    let headers = request.headers().clone();
    let form = request::form_or_json(request).await;
    let form = form.map_err(|_| invalid("Failed to parse form data"))?;
    let grant_type = form
        .get("grant_type")
        .ok_or_else(|| invalid("grant_type is required"))?;
    let credentials = Credentials::read(&headers, &form)?;
    let client = {
        let mut connection = state.store().connection().await?;
        store::oauth_clients::find(&mut connection, credentials.client_id).await?
    };
    let client = client.ok_or_else(credentials::unknown)?;
    credentials.check(&client)?;
    if !client.may_use(grant_type) {
        let message = format!("Client is not allowed to use grant type: {grant_type}");
        return Err(Error::oauth("unsupported_grant_type", message));
    }
    let tokens = match grant_type {
        "authorization_code" => {
            issue(&state, |issuance| {
                by_code(issuance, &client, &form, &origin)
            })
            .await?
        }
        _ => by_refresh_token(&state, &client, &form, &origin).await?,
    };
    // RFC 6749, 5.1.
    let no_caching = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];
    Ok((no_caching, Json(tokens)).into_response())
}

async fn by_code(
    issuance: Issuance<'_>,
    client: &Client,
    form: &Params,
    origin: &Origin,
) -> Result<ClientTokens> {
    let code = form
        .get("code")
        .ok_or_else(|| invalid("code is required for authorization_code grant"))?;
    let (state, now) = (issuance.state(), issuance.at());
    let mut tx = state.store().begin().await?;
    let (user, authorization) = by_hash(&mut tx, &oauth_server::hash(code)).await?;
    // Whoever lacks the verifier neither uses a code up nor ends what its owner got for it.
    check(&authorization, client, form)?;
    if let Some(session) = authorization.session_id {
        let ended = (&authorization, session);
        end_exchanged(&mut tx, &user, ended, (origin, now)).await?;
        tx.commit().await?;
        return Err(unknown_code());
    }
    if now > authorization.expires_at {
        return Err(bad_grant("Authorization code has expired"));
    }
    if user.is_banned(now) {
        return Err(Error::oauth("access_denied", "User is banned"));
    }
    let traits = json!({
        "provider_type": "oauth_provider_authorization_code",
        "client_id": client.id,
    });
    let actor = Actor::User(&user);
    audit::record(&mut tx, Action::Login, actor, traits, (origin, now)).await?;
    let scope = authorization.scope.as_str();
    let session = (client.id, scope);
    let granted = grant::begin_for_client(&issuance, &mut tx, &user, session, origin).await?;
    let id = &authorization.authorization_id;
    store::oauth_authorizations::exchanged(&mut tx, id, granted.session_id()).await?;
    let scopes = Scopes::stored(scope);
    let id_token = if scopes.has("openid") && state.keys().are_public() {
        let wish = (&scopes, authorization.nonce.as_deref());
        let claims = claims::id_token(state.config(), &user, client.id, wish, now);
        Some(state.keys().sign(&claims)?)
    } else {
        None
    };
    tx.commit().await?;
    Ok(granted.for_client(id_token))
}

/// What a code was given for. Locks are taken in the order of all: the user first.
async fn by_hash(connection: &mut PgConnection, code_hash: &str) -> Result<(User, Authorization)> {
    let user = store::oauth_authorizations::user_of_code(connection, code_hash).await?;
    let user = store::users::lock(connection, user.ok_or_else(unknown_code)?).await?;
    let user = user.filter(|user| user.deleted_at.is_none());
    let authorization = store::oauth_authorizations::lock_by_code(connection, code_hash).await?;
    user.zip(authorization).ok_or_else(unknown_code)
}

/// Ends what a code was exchanged for, because it was presented again: one of the two who had it
/// is a thief, and nobody knows which (RFC 6749, 4.1.2).
async fn end_exchanged(
    connection: &mut PgConnection,
    user: &User,
    (authorization, session): (&Authorization, Uuid),
    event: (&Origin, OffsetDateTime),
) -> Result<()> {
    store::sessions::delete(connection, session).await?;
    store::oauth_authorizations::delete(connection, &authorization.authorization_id).await?;
    let traits = json!({
        "reason": "code_reuse",
        "client_id": authorization.client_id,
        "session_id": session,
    });
    let (action, actor) = (Action::TokenRevoked, Actor::User(user));
    audit::record(connection, action, actor, traits, event).await?;
    Ok(())
}

/// Fails when the code was not given to whoever presents it, or for something else.
fn check(authorization: &Authorization, client: &Client, form: &Params) -> Result<()> {
    if authorization.client_id != client.id {
        return Err(bad_grant(
            "Authorization code was not issued for this client",
        ));
    }
    let is_other =
        |name, known: Option<&str>| form.get(name).is_some_and(|given| Some(given) != known);
    if is_other("resource", authorization.resource.as_deref()) {
        return Err(bad_grant(
            "Authorization code resource does not match the resource parameter",
        ));
    }
    if is_other("redirect_uri", Some(&authorization.redirect_uri)) {
        return Err(bad_grant("Invalid redirect_uri"));
    }
    let challenge = authorization.code_challenge.as_deref().unwrap_or_default();
    let method = authorization
        .code_challenge_method
        .as_deref()
        .unwrap_or_default();
    let verifier = form.get("code_verifier").unwrap_or_default();
    pkce::check(challenge, method, verifier)
        .map_err(|error| bad_grant(format!("PKCE verification failed: {error}")))
}

async fn by_refresh_token(
    state: &AppState,
    client: &Client,
    form: &Params,
    origin: &Origin,
) -> Result<ClientTokens> {
    let token = form
        .get("refresh_token")
        .ok_or_else(|| invalid("refresh_token is required for refresh_token grant"))?;
    let granted = grant::refresh(state, token, Some(client.id), origin).await;
    let granted = granted.map_err(|error| match error.code() {
        code::VALIDATION_FAILED
        | code::REFRESH_TOKEN_NOT_FOUND
        | code::REFRESH_TOKEN_ALREADY_USED
        | code::SESSION_NOT_FOUND
        | code::SESSION_EXPIRED => bad_grant("Refresh token is invalid or expired."),
        code::USER_BANNED => {
            let message = "User is not permitted to access this resource.";
            Error::oauth("access_denied", message)
        }
        _ => error,
    })?;
    Ok(granted.for_client(None))
}

fn invalid(description: &'static str) -> Error {
    Error::oauth("invalid_request", description)
}

fn unknown_code() -> Error {
    bad_grant("Invalid authorization code")
}

fn bad_grant(description: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::oauth("invalid_grant", description)
}
