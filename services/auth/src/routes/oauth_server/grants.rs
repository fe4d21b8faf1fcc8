//! `/user/oauth/grants`: the applications that a user has let in.

use axum::extract::State;
use common::extract::Json;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Enabled, client_id};
use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::SignedIn,
    error::{Error, Result, code},
    oauth_server::client::ClientSummary,
    request::{Origin, Params},
    store::{self, oauth_consents::Consent},
};

/// An application that a user has let in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Grant {
    client: ClientSummary,
    scopes: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    granted_at: OffsetDateTime,
}

/// Lists the applications.
#[utoipa::path(
    operation_id = "user_oauth_grants_list",
    get,
    path = "/user/oauth/grants",
    responses((status = 200, body = [Grant]), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Enabled,
    SignedIn { user, .. }: SignedIn,
) -> Result<Json<Vec<Grant>>> {
    let mut connection = state.store().connection().await?;
    let consents = store::oauth_consents::list(&mut connection, user.id).await?;
    Ok(Json(consents.into_iter().map(Into::into).collect()))
}

/// Shuts an application out; every session it has of the user ends.
#[utoipa::path(
    operation_id = "user_oauth_grants_revoke",
    delete,
    path = "/user/oauth/grants",
    params(("client_id" = String, Query)),
    responses((status = 204), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn revoke(
    State(state): State<AppState>,
    _: Enabled,
    SignedIn { user, .. }: SignedIn,
    origin: Origin,
    params: Params,
) -> Result<StatusCode> {
    let client = params
        .get("client_id")
        .ok_or_else(|| Error::invalid("client_id query parameter is required"))?;
    let pair = (user.id, client_id(client)?);
    let now = state.now();
    let mut tx = state.store().begin().await?;
    // Whoever exchanges a code holds the user: it is exchanged before, and the session ends here, or
    // it is gone.
    store::users::lock(&mut tx, user.id).await?;
    if !store::oauth_consents::revoke(&mut tx, pair, now).await? {
        let message = "No active grant found for this client";
        return Err(Error::not_found(code::OAUTH_CONSENT_NOT_FOUND, message));
    }
    store::sessions::delete_of_client(&mut tx, pair).await?;
    store::oauth_authorizations::delete_of(&mut tx, pair).await?;
    let traits = json!({ "oauth_client_id": pair.1, "action": "revoke_oauth_grant" });
    let (action, actor) = (Action::TokenRevoked, Actor::User(&user));
    audit::record(&mut tx, action, actor, traits, (&origin, now)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Consent> for Grant {
    fn from(consent: Consent) -> Self {
        Self {
            client: consent.client.summary(),
            scopes: consent.scopes.into_inner(),
            granted_at: consent.granted_at,
        }
    }
}
