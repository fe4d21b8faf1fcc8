//! `/admin/collections/{name}/validator`: the JSON schema that documents must fit.

use axum::extract::State;
use common::{
    error::ApiError,
    extract::{Path, Success, SuccessEnvelope},
    identity::ServiceRole,
};
use mongodb::bson::Bson;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::InCollection;
use super::{admin::Dropped, contract::FailuresOfOne};
use crate::{AppState, body::Body};

/// A collection's validator.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Validator {
    /// JSON schema as MongoDB reads it; null when every document fits.
    #[schema(value_type = Option<Object>)]
    schema: Option<serde_json::Value>,
}

/// Returns the schema.
#[utoipa::path(
    get,
    path = "/admin/collections/{name}/validator",
    operation_id = "get_validator",
    tag = "admin",
    security(("bearer" = [])),
    params(InCollection),
    responses(
        (status = 200, description = "The schema", body = SuccessEnvelope<Validator>),
        FailuresOfOne,
    )
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    _: ServiceRole,
    Path(InCollection { name }): Path<InCollection>,
) -> Result<Success<Validator>, ApiError> {
    let schema = state.store.validator(&name).await?;
    let schema = schema.map(|schema| Bson::from(schema).into_relaxed_extjson());
    Ok(Success::ok(Validator { schema }))
}

/// Sets the schema for every write from now on. Fields of the service are always allowed.
#[utoipa::path(
    put,
    path = "/admin/collections/{name}/validator",
    operation_id = "put_validator",
    tag = "admin",
    security(("bearer" = [])),
    params(InCollection),
    request_body(content = Object, example = json!({ "required": ["title"], "properties": { "title": { "bsonType": "string" } } })),
    responses(
        (status = 200, description = "The schema", body = SuccessEnvelope<Validator>),
        FailuresOfOne,
    )
)]
pub(crate) async fn put(
    State(state): State<AppState>,
    _: ServiceRole,
    Path(InCollection { name }): Path<InCollection>,
    Body(schema): Body,
) -> Result<Success<Validator>, ApiError> {
    state
        .store
        .set_validator(&name, Some(schema.clone()))
        .await?;
    let schema = Some(Bson::from(schema).into_relaxed_extjson());
    Ok(Success::ok(Validator { schema }))
}

/// Lets every document in again.
#[utoipa::path(
    delete,
    path = "/admin/collections/{name}/validator",
    operation_id = "delete_validator",
    tag = "admin",
    security(("bearer" = [])),
    params(InCollection),
    responses(
        (status = 200, description = "Taken away", body = SuccessEnvelope<Dropped>),
        FailuresOfOne,
    )
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    _: ServiceRole,
    Path(InCollection { name }): Path<InCollection>,
) -> Result<Success<Dropped>, ApiError> {
    state.store.set_validator(&name, None).await?;
    Ok(Dropped::success())
}
