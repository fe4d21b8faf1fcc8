//! `/oauth/authorizations/{authorization_id}`: what an application asks for, and a user's answer.

use axum::{
    extract::{FromRequestParts, State},
    response::{IntoResponse, Response},
};
use common::extract::Json;
use http::{header::ORIGIN, request::Parts};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Enabled;
use crate::{
    AppState,
    authentication::SignedIn,
    error::{Error, Result, code},
    oauth_server::{self, authorization::Authorization, client::ClientSummary, scope::Scopes},
    request::{AuthorizationId, Body, text},
    store,
    user::User,
};

/// What an application asks for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Details {
    authorization_id: String,
    redirect_uri: String,
    client: ClientSummary,
    user: UserSummary,
    scope: String,
}

/// Who is asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserSummary {
    id: Uuid,
    email: String,
}

/// Where the browser is to go on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Continuation {
    redirect_url: String,
}

/// What a user says to it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Decision {
    /// `approve` or `deny`.
    action: String,
}

/// Proof that no page of strangers sent the request.
#[derive(Clone, Copy, Debug)]
pub struct FromOurPages;

impl FromRequestParts<AppState> for FromOurPages {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        match text(&parts.headers, ORIGIN.as_str()) {
            Some(origin) if !state.destinations().allows(origin) => {
                Err(Error::invalid("unauthorized request origin"))
            }
            _ => Ok(Self),
        }
    }
}

/// What an application asks for; where to go on, when the user has let it know as much before.
#[utoipa::path(
    operation_id = "oauth_authorization_read",
    get,
    path = "/oauth/authorizations/{authorization_id}",
    params(("authorization_id" = String, Path)),
    responses((status = 200, body = Details), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn read(
    State(state): State<AppState>,
    _: Enabled,
    _: FromOurPages,
    SignedIn { user, .. }: SignedIn,
    AuthorizationId(id): AuthorizationId,
) -> Result<Response> {
    let mut tx = state.store().begin().await?;
    let authorization = pending(&state, &mut tx, &id).await?;
    match authorization.user_id {
        Some(owner) if owner != user.id => return Err(not_found()),
        Some(_) => {}
        None => store::oauth_authorizations::assign(&mut tx, &id, user.id).await?,
    }
    let pair = (user.id, authorization.client_id);
    let consented = store::oauth_consents::find(&mut tx, pair).await?;
    let asked = Scopes::stored(&authorization.scope);
    if consented.is_some_and(|scopes| scopes.cover(&asked)) {
        let redirect_url = approve(&state, &mut tx, &authorization).await?;
        tx.commit().await?;
        return Ok(Json(Continuation { redirect_url }).into_response());
    }
    let client = store::oauth_clients::find(&mut tx, authorization.client_id).await?;
    let client = client.ok_or_else(not_found)?;
    tx.commit().await?;
    let details = Details {
        authorization_id: authorization.authorization_id,
        redirect_uri: authorization.redirect_uri,
        client: client.summary(),
        user: UserSummary::from(&user),
        scope: authorization.scope,
    };
    Ok(Json(details).into_response())
}

/// Grants or refuses what an application asks for.
#[utoipa::path(
    operation_id = "oauth_authorization_decide",
    post,
    path = "/oauth/authorizations/{authorization_id}/consent",
    params(("authorization_id" = String, Path)),
    request_body = Decision,
    responses((status = 200, body = Continuation), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn decide(
    State(state): State<AppState>,
    _: Enabled,
    _: FromOurPages,
    SignedIn { user, .. }: SignedIn,
    AuthorizationId(id): AuthorizationId,
    Body(decision): Body<Decision>,
) -> Result<Json<Continuation>> {
    let approves = match decision.action.as_str() {
        "approve" => true,
        "deny" => false,
        _ => return Err(Error::invalid("action must be 'approve' or 'deny'")),
    };
    let mut tx = state.store().begin().await?;
    let authorization = pending(&state, &mut tx, &id).await?;
    // Whoever has not seen what is asked for cannot have consented to it.
    if authorization.user_id != Some(user.id) {
        return Err(not_found());
    }
    let redirect_url = if approves {
        let pair = (user.id, authorization.client_id);
        let scope = &authorization.scope;
        store::oauth_consents::put(&mut tx, pair, scope, state.now()).await?;
        approve(&state, &mut tx, &authorization).await?
    } else {
        store::oauth_authorizations::deny(&mut tx, &id).await?;
        authorization.denied()?
    };
    tx.commit().await?;
    Ok(Json(Continuation { redirect_url }))
}

/// The authorization of this name, locked, if it still waits for an answer.
async fn pending(
    state: &AppState,
    connection: &mut PgConnection,
    id: &str,
) -> Result<Authorization> {
    let authorization = store::oauth_authorizations::lock(connection, id).await?;
    let authorization = authorization.ok_or_else(not_found)?;
    if state.now() > authorization.expires_at {
        return Err(not_found());
    }
    if authorization.status != "pending" {
        let message = "authorization request cannot be processed";
        return Err(Error::invalid(message));
    }
    Ok(authorization)
}

/// Gives the application a code; where the browser takes it.
async fn approve(
    state: &AppState,
    connection: &mut PgConnection,
    authorization: &Authorization,
) -> Result<String> {
    let code = oauth_server::new_secret();
    let (id, hash) = (&authorization.authorization_id, oauth_server::hash(&code));
    store::oauth_authorizations::approve(connection, id, &hash, state.now()).await?;
    authorization.granted(&code)
}

fn not_found() -> Error {
    let message = "authorization not found";
    Error::not_found(code::OAUTH_AUTHORIZATION_NOT_FOUND, message)
}

impl From<&User> for UserSummary {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            email: user.email().to_owned(),
        }
    }
}
