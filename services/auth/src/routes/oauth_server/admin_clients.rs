//! `/admin/oauth/clients`: applications as admins manage them.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Enabled, register, unknown_client};
use crate::{
    AppState,
    authentication::Admin,
    error::{Error, Result},
    oauth_server::{
        self,
        client::{Client, ClientInput, ClientView},
    },
    request::{Body, ClientId},
    store,
};

/// All applications.
#[derive(Debug, Serialize, ToSchema)]
pub struct Clients {
    clients: Vec<ClientView>,
}

/// Lists the applications, newest first.
#[utoipa::path(
    operation_id = "admin_oauth_clients_list",
    get,
    path = "/admin/oauth/clients",
    responses((status = 200, body = Clients), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn list(State(state): State<AppState>, _: Enabled, _: Admin) -> Result<Json<Clients>> {
    let mut connection = state.store().connection().await?;
    let clients = store::oauth_clients::list(&mut connection).await?;
    let clients = clients.into_iter().map(|client| client.view(None));
    Ok(Json(Clients {
        clients: clients.collect(),
    }))
}

/// Registers an application.
#[utoipa::path(
    operation_id = "admin_oauth_clients_create",
    post,
    path = "/admin/oauth/clients",
    request_body = ClientInput,
    responses((status = 201, body = ClientView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    _: Enabled,
    _: Admin,
    Body(input): Body<ClientInput>,
) -> Result<Response> {
    let view = register::create(&state, input, "manual").await?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// One application.
#[utoipa::path(
    operation_id = "admin_oauth_clients_read",
    get,
    path = "/admin/oauth/clients/{client_id}",
    params(("client_id" = Uuid, Path)),
    responses((status = 200, body = ClientView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn read(
    State(state): State<AppState>,
    _: Enabled,
    _: Admin,
    ClientId(id): ClientId,
) -> Result<Json<ClientView>> {
    let mut connection = state.store().connection().await?;
    let client = store::oauth_clients::find(&mut connection, id).await?;
    Ok(Json(client.ok_or_else(unknown_client)?.view(None)))
}

/// Changes an application.
#[utoipa::path(
    operation_id = "admin_oauth_clients_update",
    put,
    path = "/admin/oauth/clients/{client_id}",
    params(("client_id" = Uuid, Path)),
    request_body = ClientInput,
    responses((status = 200, body = ClientView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    _: Enabled,
    _: Admin,
    ClientId(id): ClientId,
    Body(input): Body<ClientInput>,
) -> Result<Json<ClientView>> {
    let mut tx = state.store().begin().await?;
    let client = Client {
        updated_at: state.now(),
        ..input.change(locked(&mut tx, id).await?)?
    };
    store::oauth_clients::put(&mut tx, &client).await?;
    tx.commit().await?;
    Ok(Json(client.view(None)))
}

/// Removes an application; every session it has ends.
#[utoipa::path(
    operation_id = "admin_oauth_clients_delete",
    delete,
    path = "/admin/oauth/clients/{client_id}",
    params(("client_id" = Uuid, Path)),
    responses((status = 204), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    _: Enabled,
    _: Admin,
    ClientId(id): ClientId,
) -> Result<StatusCode> {
    let mut tx = state.store().begin().await?;
    if !store::oauth_clients::delete(&mut tx, id, state.now()).await? {
        return Err(unknown_client());
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives an application another secret; the one before is no longer good.
#[utoipa::path(
    operation_id = "admin_oauth_clients_regenerate_secret",
    post,
    path = "/admin/oauth/clients/{client_id}/regenerate_secret",
    params(("client_id" = Uuid, Path)),
    responses((status = 200, body = ClientView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn regenerate_secret(
    State(state): State<AppState>,
    _: Enabled,
    _: Admin,
    ClientId(id): ClientId,
) -> Result<Json<ClientView>> {
    let mut tx = state.store().begin().await?;
    let client = locked(&mut tx, id).await?;
    if client.is_public() {
        let message = "Cannot regenerate secret for public client";
        return Err(Error::invalid(message));
    }
    let secret = oauth_server::new_secret();
    let client = Client {
        client_secret_hash: Some(oauth_server::hash(&secret)),
        updated_at: state.now(),
        ..client
    };
    store::oauth_clients::put(&mut tx, &client).await?;
    tx.commit().await?;
    Ok(Json(client.view(Some(secret))))
}

/// The client to be changed. Locked, so that a change made from what was read before does not bring a
/// secret back that was replaced meanwhile.
async fn locked(connection: &mut PgConnection, id: Uuid) -> Result<Client> {
    let client = store::oauth_clients::lock(connection, id).await?;
    client.ok_or_else(unknown_client)
}
