//! `/collections/{name}/aggregate`: a pipeline over the caller's documents.

use axum::extract::State;
use common::{
    error::ApiError,
    extract::{Path, Success, SuccessEnvelope},
};
use mongodb::bson::{Bson, Document};
use utoipa::ToSchema;

use super::contract::{self, Failures};
use super::params::InCollection;
use crate::{
    AppState, Error,
    access::{Action, Principal},
    body::Body,
    extended_json::ResultDocument,
    pipeline,
};

/// What to compute.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read as BSON")]
pub(crate) struct Aggregation {
    /// Stages, such as `{"$group": {"_id": "$tag", "n": {"$sum": 1}}}`; at most 30.
    #[schema(value_type = Vec<Object>)]
    pipeline: Vec<Document>,
}

/// Runs a pipeline over the documents the caller can reach; at most 1000 results.
#[utoipa::path(
    post,
    path = "/collections/{name}/aggregate",
    operation_id = "aggregate_documents",
    tag = "documents",
    security(("bearer" = [])),
    params(InCollection),
    request_body = Aggregation,
    responses(
        (status = 200, description = "The results", body = SuccessEnvelope<Vec<contract::ResultDocument>>),
        Failures,
    )
)]
pub(crate) async fn run(
    State(state): State<AppState>,
    principal: Principal,
    Path(InCollection { name }): Path<InCollection>,
    Body(body): Body,
) -> Result<Success<Vec<ResultDocument>>, ApiError> {
    let stages = pipeline::compile(&read_pipeline(body)?)?;
    let documents = state
        .store
        .documents(principal, &name, Action::Read)
        .await?;
    Ok(Success::ok(documents.aggregate(stages).await?))
}

fn read_pipeline(mut body: Document) -> Result<Vec<Bson>, Error> {
    match (body.remove("pipeline"), body.is_empty()) {
        (Some(Bson::Array(stages)), true) => Ok(stages),
        _ => Err(Error::InvalidPipeline(
            "the body is {\"pipeline\": [stages]}".to_owned(),
        )),
    }
}
