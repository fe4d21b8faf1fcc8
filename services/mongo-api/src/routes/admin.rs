//! `/admin/collections`: collections, for the service role.

use axum::extract::State;
use common::{
    error::ApiError,
    extract::{Json, Path, Success, SuccessEnvelope},
    identity::ServiceRole,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::contract::{Failures, FailuresOfOne};
use super::params::InCollection;
use crate::{AppState, access::Access, id::CollectionName, store::CollectionInfo};

/// A collection to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCollection {
    /// Letters, digits, `_` and `-`.
    #[schema(value_type = String, pattern = "^[a-zA-Z0-9_-]{1,64}$")]
    name: CollectionName,
    /// With whom it is shared.
    #[serde(default)]
    access: Access,
}

/// What to change about a collection.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CollectionChange {
    /// With whom it is shared.
    access: Access,
}

/// A collection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Collection {
    name: String,
    access: Access,
    /// Documents in it, from metadata; only where one collection is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<u64>,
}

/// What was dropped.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dropped {
    /// Always true.
    dropped: bool,
}

impl Dropped {
    pub(super) fn success() -> Success<Self> {
        Success::ok(Self { dropped: true })
    }
}

/// Lists all collections.
#[utoipa::path(
    get,
    path = "/admin/collections",
    operation_id = "list_collections",
    tag = "admin",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "All collections", body = SuccessEnvelope<Vec<Collection>>),
        Failures,
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    _: ServiceRole,
) -> Result<Success<Vec<Collection>>, ApiError> {
    let infos = state.store.list_collections().await?;
    Ok(Success::ok(
        infos.into_iter().map(Collection::from).collect(),
    ))
}

/// Makes a collection.
#[utoipa::path(
    post,
    path = "/admin/collections",
    operation_id = "create_collection",
    tag = "admin",
    security(("bearer" = [])),
    request_body = NewCollection,
    responses(
        (status = 201, description = "Made", body = SuccessEnvelope<Collection>),
        Failures,
    )
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    _: ServiceRole,
    Json(input): Json<NewCollection>,
) -> Result<Success<Collection>, ApiError> {
    state
        .store
        .create_collection(&input.name, input.access)
        .await?;
    Ok(Success::created(Collection {
        name: input.name.as_str().to_owned(),
        access: input.access,
        documents: Some(0),
    }))
}

/// Describes a collection.
#[utoipa::path(
    get,
    path = "/admin/collections/{name}",
    operation_id = "get_collection",
    tag = "admin",
    security(("bearer" = [])),
    params(InCollection),
    responses(
        (status = 200, description = "The collection", body = SuccessEnvelope<Collection>),
        FailuresOfOne,
    )
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    _: ServiceRole,
    Path(InCollection { name }): Path<InCollection>,
) -> Result<Success<Collection>, ApiError> {
    let access = state.store.access(&name).await?;
    describe(&state, &name, access).await
}

/// Shares a collection otherwise.
#[utoipa::path(
    patch,
    path = "/admin/collections/{name}",
    operation_id = "update_collection",
    tag = "admin",
    security(("bearer" = [])),
    params(InCollection),
    request_body = CollectionChange,
    responses(
        (status = 200, description = "The collection", body = SuccessEnvelope<Collection>),
        FailuresOfOne,
    )
)]
pub(crate) async fn update(
    State(state): State<AppState>,
    _: ServiceRole,
    Path(InCollection { name }): Path<InCollection>,
    Json(input): Json<CollectionChange>,
) -> Result<Success<Collection>, ApiError> {
    state.store.set_access(&name, input.access).await?;
    describe(&state, &name, input.access).await
}

/// Deletes a collection with everything in it.
#[utoipa::path(
    delete,
    path = "/admin/collections/{name}",
    operation_id = "delete_collection",
    tag = "admin",
    security(("bearer" = [])),
    params(InCollection),
    responses(
        (status = 200, description = "Deleted", body = SuccessEnvelope<Dropped>),
        FailuresOfOne,
    )
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    _: ServiceRole,
    Path(InCollection { name }): Path<InCollection>,
) -> Result<Success<Dropped>, ApiError> {
    state.store.drop_collection(&name).await?;
    Ok(Dropped::success())
}

async fn describe(
    state: &AppState,
    name: &CollectionName,
    access: Access,
) -> Result<Success<Collection>, ApiError> {
    Ok(Success::ok(Collection {
        name: name.as_str().to_owned(),
        access,
        documents: Some(state.store.estimate(name).await?),
    }))
}

impl From<CollectionInfo> for Collection {
    fn from(info: CollectionInfo) -> Self {
        Self {
            name: info.name,
            access: info.access,
            documents: None,
        }
    }
}
