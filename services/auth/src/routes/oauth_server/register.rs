//! `POST /oauth/clients/register`: applications that register themselves (RFC 7591).

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use common::extract::Json;

use super::Enabled;
use crate::{
    AppState,
    error::{Error, Result, code},
    limits::Limit,
    oauth_server::{
        self,
        client::{ClientInput, ClientView},
    },
    request::{Body, Origin},
    store,
};

/// Registers an application.
#[utoipa::path(
    operation_id = "oauth_register",
    post,
    path = "/oauth/clients/register",
    request_body = ClientInput,
    responses((status = 201, body = ClientView), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn register(
    State(state): State<AppState>,
    _: Enabled,
    origin: Origin,
    Body(input): Body<ClientInput>,
) -> Result<Response> {
    state
        .limits()
        .check(Limit::ClientRegistration, origin.ip, state.now())?;
    if !state.config().oauth_server.allow_dynamic_registration {
        return Err(Error::forbidden(
            code::OAUTH_DYNAMIC_CLIENT_REGISTRATION_DISABLED,
            "Dynamic client registration is not enabled",
        ));
    }
    let view = create(&state, input, "dynamic").await?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Keeps a new client and shows it with its secret.
pub(super) async fn create(
    state: &AppState,
    input: ClientInput,
    registration_type: &str,
) -> Result<ClientView> {
    let mut client = input.register(registration_type, state.now())?;
    let secret = (!client.is_public()).then(oauth_server::new_secret);
    client.client_secret_hash = secret.as_deref().map(oauth_server::hash);
    let mut connection = state.store().connection().await?;
    store::oauth_clients::put(&mut connection, &client).await?;
    Ok(client.view(secret))
}
