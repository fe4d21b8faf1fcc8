//! `/admin/collections/{name}/indexes`: indexes, those that expire documents among them.

use axum::extract::State;
use common::{
    error::ApiError,
    extract::{Json, Path, Success, SuccessEnvelope},
    identity::ServiceRole,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::params::{InCollection, OneIndex};
use super::{admin::Dropped, contract::FailuresOfOne};
use crate::{
    AppState,
    store::{IndexInfo, NewIndex},
};

/// An index that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Made {
    /// Its name, for deleting it.
    name: String,
}

/// Lists the indexes of a collection.
#[utoipa::path(
    get,
    path = "/admin/collections/{name}/indexes",
    operation_id = "list_indexes",
    tag = "admin",
    security(("bearer" = [])),
    params(InCollection),
    responses(
        (status = 200, description = "All indexes", body = SuccessEnvelope<Vec<IndexInfo>>),
        FailuresOfOne,
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    _: ServiceRole,
    Path(InCollection { name }): Path<InCollection>,
) -> Result<Success<Vec<IndexInfo>>, ApiError> {
    Ok(Success::ok(state.store.list_indexes(&name).await?))
}

/// Makes an index.
#[utoipa::path(
    post,
    path = "/admin/collections/{name}/indexes",
    operation_id = "create_index",
    tag = "admin",
    security(("bearer" = [])),
    params(InCollection),
    request_body = NewIndex,
    responses(
        (status = 201, description = "Made", body = SuccessEnvelope<Made>),
        FailuresOfOne,
    )
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    _: ServiceRole,
    Path(InCollection { name }): Path<InCollection>,
    Json(input): Json<NewIndex>,
) -> Result<Success<Made>, ApiError> {
    let name = state.store.create_index(&name, input).await?;
    Ok(Success::created(Made { name }))
}

/// Deletes an index.
#[utoipa::path(
    delete,
    path = "/admin/collections/{name}/indexes/{index}",
    operation_id = "delete_index",
    tag = "admin",
    security(("bearer" = [])),
    params(OneIndex),
    responses(
        (status = 200, description = "Deleted", body = SuccessEnvelope<Dropped>),
        FailuresOfOne,
    )
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    _: ServiceRole,
    Path(OneIndex { name, index }): Path<OneIndex>,
) -> Result<Success<Dropped>, ApiError> {
    state.store.drop_index(&name, &index).await?;
    Ok(Dropped::success())
}
