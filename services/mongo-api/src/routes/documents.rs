//! `/collections/{name}/documents`: create and list.

use axum::{extract::State, http::HeaderMap};
use common::{
    error::ApiError,
    extract::{Pagination, Path, Query, Success, SuccessEnvelope},
};
use mongodb::bson::Document;

use super::params::{Count, InCollection, ListQuery};
use super::{
    contract::{self, Failures},
    document::with_etag,
};
use crate::{
    AppState, Error,
    access::{Action, Principal},
    body::Body,
    cursor::Cursor,
    document, extended_json,
    extended_json::StoredDocument,
    filter::{self, Ids},
    sort::Sort,
    store::{Listing, Start},
};

/// Documents on a page unless said otherwise.
const DEFAULT_LIMIT: u32 = 20;

/// Most documents on a page.
const MAX_LIMIT: u32 = 100;

/// Most documents that can be skipped; a cursor goes on from there.
const MAX_OFFSET: u64 = 10_000;

/// Longest filter, in bytes.
const MAX_FILTER_BYTES: usize = 16 * 1024;

/// Stores a document. The body is the document itself.
#[utoipa::path(
    post,
    path = "/collections/{name}/documents",
    operation_id = "create_document",
    tag = "documents",
    security(("bearer" = [])),
    params(InCollection),
    request_body = contract::NewDocument,
    responses(
        (status = 201, description = "Stored", body = SuccessEnvelope<contract::StoredDocument>),
        Failures,
    )
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    principal: Principal,
    Path(InCollection { name }): Path<InCollection>,
    Body(body): Body,
) -> Result<(HeaderMap, Success<StoredDocument>), ApiError> {
    document::check(&body).map_err(ApiError::from)?;
    let documents = state
        .store
        .documents(principal, &name, Action::Write)
        .await?;
    let stored = documents.insert(body).await?;
    Ok(with_etag(stored, Success::created))
}

/// Lists documents.
#[utoipa::path(
    get,
    path = "/collections/{name}/documents",
    operation_id = "list_documents",
    tag = "documents",
    security(("bearer" = [])),
    params(InCollection, ListQuery),
    responses(
        (status = 200, description = "A page", body = SuccessEnvelope<Vec<contract::StoredDocument>>),
        Failures,
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Path(InCollection { name }): Path<InCollection>,
    Query(query): Query<ListQuery>,
) -> Result<Success<Vec<StoredDocument>>, ApiError> {
    let listing = query.listing()?;
    let sort = listing.sort.clone();
    let limit = listing.limit;
    let offset = match &listing.start {
        Start::Offset(offset) => Some(*offset),
        Start::After(_) => None,
    };
    let documents = state
        .store
        .documents(principal, &name, Action::Read)
        .await?;
    let page = documents.list(listing).await?;
    let pagination = Pagination {
        limit: limit.into(),
        offset,
        total: page.total,
        next_cursor: page.next.map(|next| next.encode(&sort)),
    };
    Ok(Success::page(page.documents, pagination))
}

impl ListQuery {
    fn listing(self) -> Result<Listing, Error> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::InvalidQuery(format!("limit: 1 to {MAX_LIMIT}")));
        }
        let sort: Sort = self.sort.as_deref().unwrap_or_default().parse()?;
        let start = match (self.offset, self.cursor.as_deref()) {
            (Some(_), Some(_)) => {
                return Err(Error::InvalidQuery(
                    "give offset or cursor, not both".to_owned(),
                ));
            }
            (_, Some(cursor)) => Start::After(Cursor::decode(cursor, &sort)?),
            (offset, None) => Start::Offset(offset.unwrap_or(0)),
        };
        if matches!(start, Start::Offset(offset) if offset > MAX_OFFSET) {
            return Err(Error::InvalidQuery(format!(
                "offset: at most {MAX_OFFSET}; read on with cursor"
            )));
        }
        Ok(Listing {
            filter: self
                .filter
                .as_deref()
                .map_or(Ok(Document::new()), parse_filter)?,
            fields: self.fields.as_deref().map(str::parse).transpose()?,
            count: self.count == Some(Count::Exact),
            sort,
            start,
            limit,
        })
    }
}

/// Reads a filter and gives the query to run.
pub(super) fn parse_filter(text: &str) -> Result<Document, Error> {
    if text.len() > MAX_FILTER_BYTES {
        return Err(Error::TooComplex("a filter of more than 16 KB"));
    }
    let filter = extended_json::decode_document(text.as_bytes())?;
    filter::compile(&filter, Ids::Stored)
}
