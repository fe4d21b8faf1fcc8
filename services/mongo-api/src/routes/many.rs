//! Many documents at a time: bulk insert, update and delete by filter.

use axum::extract::State;
use common::{
    error::{ApiError, Problem},
    extract::{Path, Query, Success, SuccessEnvelope},
};
use http::StatusCode;
use mongodb::bson::{Bson, Document};
use serde::Serialize;
use utoipa::ToSchema;

use super::params::{FilterQuery, InCollection};
use super::{
    contract::{self, Failures},
    documents::parse_filter,
};
use crate::{
    AppState, Error,
    access::{Action, Principal},
    body::Body,
    document,
    extended_json::StoredDocument,
    store::{Changed, Deleted, ItemStatus},
};

/// Most documents in one bulk insert.
const MAX_DOCUMENTS: usize = 500;

/// Documents to store.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read as BSON")]
pub(crate) struct BulkInsert {
    /// At most 500.
    documents: Vec<contract::NewDocument>,
    /// Whether to stop at the first that fails; true unless said otherwise.
    ordered: Option<bool>,
}

/// What became of each document of a bulk insert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkResult {
    /// Documents stored.
    inserted: usize,
    /// One for each document, in the order they were given.
    items: Vec<ItemResult>,
}

/// What became of one document.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum ItemResult {
    /// It is stored.
    Created {
        #[schema(value_type = contract::StoredDocument)]
        document: StoredDocument,
    },
    /// It is not stored.
    Failed { error: ItemError },
    /// It was not tried, because one before it failed.
    Skipped,
}

/// Why one document was not stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemError {
    /// One of the codes of `FailureBody`.
    code: &'static str,
    /// For people; may change.
    message: String,
    /// More for programs, where the code has more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<serde_json::Value>,
}

/// Stores many documents and tells what became of each.
#[utoipa::path(
    post,
    path = "/collections/{name}/documents/bulk",
    operation_id = "insert_documents",
    tag = "documents",
    security(("bearer" = [])),
    params(InCollection),
    request_body = BulkInsert,
    responses(
        (status = 201, description = "All stored", body = SuccessEnvelope<BulkResult>),
        (status = 207, description = "Some not stored", body = SuccessEnvelope<BulkResult>),
        Failures,
    )
)]
pub(crate) async fn insert(
    State(state): State<AppState>,
    principal: Principal,
    Path(InCollection { name }): Path<InCollection>,
    Body(body): Body,
) -> Result<Success<BulkResult>, ApiError> {
    let (bodies, ordered) = read_bulk(body)?;
    let documents = state
        .store
        .documents(principal, &name, Action::Write)
        .await?;
    let inserted = documents.insert_many(bodies, ordered).await?;
    let items: Vec<ItemResult> = inserted.into_iter().map(ItemResult::from).collect();
    let is_created = |item: &&ItemResult| matches!(item, ItemResult::Created { .. });
    let result = BulkResult {
        inserted: items.iter().filter(is_created).count(),
        items,
    };
    let status = if result.inserted == result.items.len() {
        StatusCode::CREATED
    } else {
        StatusCode::MULTI_STATUS
    };
    Ok(Success::with_status(status, result))
}

/// Changes every document that matches the filter, at most 1000.
#[utoipa::path(
    patch,
    path = "/collections/{name}/documents",
    operation_id = "update_documents",
    tag = "documents",
    security(("bearer" = [])),
    params(InCollection, FilterQuery),
    request_body = contract::NewDocument,
    responses(
        (status = 200, description = "Changed", body = SuccessEnvelope<Changed>),
        Failures,
    )
)]
pub(crate) async fn update(
    State(state): State<AppState>,
    principal: Principal,
    Path(InCollection { name }): Path<InCollection>,
    Query(query): Query<FilterQuery>,
    Body(body): Body,
) -> Result<Success<Changed>, ApiError> {
    let filter = query.required()?;
    let documents = state
        .store
        .documents(principal, &name, Action::Write)
        .await?;
    Ok(Success::ok(documents.update_many(filter, &body).await?))
}

/// Deletes every document that matches the filter, at most 1000.
#[utoipa::path(
    delete,
    path = "/collections/{name}/documents",
    operation_id = "delete_documents",
    tag = "documents",
    security(("bearer" = [])),
    params(InCollection, FilterQuery),
    responses(
        (status = 200, description = "Deleted", body = SuccessEnvelope<Deleted>),
        Failures,
    )
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    principal: Principal,
    Path(InCollection { name }): Path<InCollection>,
    Query(query): Query<FilterQuery>,
) -> Result<Success<Deleted>, ApiError> {
    let filter = query.required()?;
    let documents = state
        .store
        .documents(principal, &name, Action::Write)
        .await?;
    Ok(Success::ok(documents.delete_many(filter).await?))
}

impl FilterQuery {
    fn required(&self) -> Result<Document, Error> {
        let filter = parse_filter(self.filter.as_deref().ok_or(Error::FilterRequired)?)?;
        if filter.is_empty() {
            return Err(Error::FilterRequired);
        }
        Ok(filter)
    }
}

impl From<ItemStatus> for ItemResult {
    fn from(status: ItemStatus) -> Self {
        match status {
            ItemStatus::Created(document) => Self::Created { document },
            ItemStatus::Skipped => Self::Skipped,
            ItemStatus::Failed(error) => Self::Failed {
                error: ItemError {
                    code: error.code(),
                    message: error.public_message().into_owned(),
                    details: error.details(),
                },
            },
        }
    }
}

/// The documents of a bulk insert, and whether their order counts.
fn read_bulk(mut body: Document) -> Result<(Vec<Document>, bool), Error> {
    let ordered = match body.remove("ordered") {
        None => true,
        Some(Bson::Boolean(ordered)) => ordered,
        Some(_) => return Err(invalid("`ordered` is true or false")),
    };
    let Some(Bson::Array(items)) = body.remove("documents") else {
        return Err(invalid("`documents` is a list"));
    };
    if !body.is_empty() {
        return Err(invalid("only `documents` and `ordered` are known here"));
    }
    if !(1..=MAX_DOCUMENTS).contains(&items.len()) {
        return Err(invalid("give 1 to 500 documents"));
    }
    let document = |item| match item {
        Bson::Document(document) => document::check(&document).map(|()| document),
        _ => Err(invalid("a document is an object")),
    };
    let documents = items.into_iter().map(document).collect::<Result<_, _>>()?;
    Ok((documents, ordered))
}

fn invalid(reason: &str) -> Error {
    Error::InvalidValue(reason.to_owned())
}
