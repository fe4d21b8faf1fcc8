//! `/collections/{name}/documents/{id}`: one document.

use axum::{extract::State, http::HeaderMap};
use common::{
    error::ApiError,
    extract::{Path, Success, SuccessEnvelope},
};
use http::{
    HeaderValue,
    header::{ETAG, IF_MATCH},
};

use super::contract::{self, FailuresOfOne, FailuresOfVersion};
use super::params::{ExpectedVersion, OneDocument};
use crate::{
    AppState, Error,
    access::{Action, Principal},
    body::Body,
    document,
    extended_json::StoredDocument,
    store::Deleted,
};

/// Returns a document.
#[utoipa::path(
    get,
    path = "/collections/{name}/documents/{id}",
    operation_id = "get_document",
    tag = "documents",
    security(("bearer" = [])),
    params(OneDocument),
    responses(
        (status = 200, description = "The document", body = SuccessEnvelope<contract::StoredDocument>),
        FailuresOfOne,
    )
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    principal: Principal,
    Path(OneDocument { name, id }): Path<OneDocument>,
) -> Result<(HeaderMap, Success<StoredDocument>), ApiError> {
    let documents = state
        .store
        .documents(principal, &name, Action::Read)
        .await?;
    let stored = documents.get(id).await?;
    Ok(with_etag(stored, Success::ok))
}

/// Changes fields: each is replaced, `null` removes it, a dotted path reaches inside.
#[utoipa::path(
    patch,
    path = "/collections/{name}/documents/{id}",
    operation_id = "patch_document",
    tag = "documents",
    security(("bearer" = [])),
    params(OneDocument, ExpectedVersion),
    request_body = contract::NewDocument,
    responses(
        (status = 200, description = "The document as it is now", body = SuccessEnvelope<contract::StoredDocument>),
        FailuresOfVersion,
    )
)]
pub(crate) async fn patch(
    State(state): State<AppState>,
    principal: Principal,
    Path(OneDocument { name, id }): Path<OneDocument>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<(HeaderMap, Success<StoredDocument>), ApiError> {
    let version = expected_version(&headers)?;
    let documents = state
        .store
        .documents(principal, &name, Action::Write)
        .await?;
    let stored = documents.patch(id, &body, version).await?;
    Ok(with_etag(stored, Success::ok))
}

/// Replaces a document. A UUID that is not taken yet makes a new one.
#[utoipa::path(
    put,
    path = "/collections/{name}/documents/{id}",
    operation_id = "replace_document",
    tag = "documents",
    security(("bearer" = [])),
    params(OneDocument, ExpectedVersion),
    request_body = contract::NewDocument,
    responses(
        (status = 200, description = "Replaced", body = SuccessEnvelope<contract::StoredDocument>),
        (status = 201, description = "Created", body = SuccessEnvelope<contract::StoredDocument>),
        FailuresOfVersion,
    )
)]
pub(crate) async fn replace(
    State(state): State<AppState>,
    principal: Principal,
    Path(OneDocument { name, id }): Path<OneDocument>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<(HeaderMap, Success<StoredDocument>), ApiError> {
    let version = expected_version(&headers)?;
    document::check(&body)?;
    let documents = state
        .store
        .documents(principal, &name, Action::Write)
        .await?;
    let replaced = documents.replace(id, body, version).await?;
    let answer = if replaced.is_new {
        Success::created
    } else {
        Success::ok
    };
    Ok(with_etag(replaced.document, answer))
}

/// Deletes a document.
#[utoipa::path(
    delete,
    path = "/collections/{name}/documents/{id}",
    operation_id = "delete_document",
    tag = "documents",
    security(("bearer" = [])),
    params(OneDocument, ExpectedVersion),
    responses(
        (status = 200, description = "Deleted", body = SuccessEnvelope<Deleted>),
        FailuresOfVersion,
    )
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    principal: Principal,
    Path(OneDocument { name, id }): Path<OneDocument>,
    headers: HeaderMap,
) -> Result<Success<Deleted>, ApiError> {
    let version = expected_version(&headers)?;
    let documents = state
        .store
        .documents(principal, &name, Action::Write)
        .await?;
    documents.delete(id, version).await?;
    Ok(Success::ok(Deleted { deleted: 1 }))
}

/// An answer that names the document's version as its entity tag (RFC 9110, 8.8.3).
pub(super) fn with_etag(
    document: StoredDocument,
    answer: fn(StoredDocument) -> Success<StoredDocument>,
) -> (HeaderMap, Success<StoredDocument>) {
    let tag = document.version().map(|version| format!("\"{version}\""));
    let tag = tag.and_then(|tag| HeaderValue::try_from(tag).ok());
    let headers = tag.map(|tag| (ETAG, tag)).into_iter().collect();
    (headers, answer(document))
}

/// The version an `If-Match` header asks for; `*` asks for any.
fn expected_version(headers: &HeaderMap) -> Result<Option<i64>, Error> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let (value, None) = (values.next(), values.next()) else {
        return Err(Error::InvalidPrecondition);
    };
    let Some(value) = value else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let version = quoted.unwrap_or(text).parse().ok();
    version.map(Some).ok_or(Error::InvalidPrecondition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(values: &[&'static str]) -> Result<Option<i64>, Error> {
        let values = values.iter().map(|value| HeaderValue::from_static(value));
        expected_version(&values.map(|value| (IF_MATCH, value)).collect())
    }

    #[test]
    fn a_version_is_an_entity_tag_or_a_number() {
        assert_eq!(version(&["\"3\""]).unwrap(), Some(3));
        assert_eq!(version(&["3"]).unwrap(), Some(3));
        assert_eq!(version(&["*"]).unwrap(), None);
        assert_eq!(version(&[]).unwrap(), None);
    }

    #[test]
    fn other_entity_tags_are_refused() {
        for values in [
            &["W/\"3\""][..],
            &["\"1\", \"2\""],
            &["\"1\"", "\"2\""],
            &["\"x\""],
            &[""],
            &["\""],
        ] {
            assert!(version(values).is_err(), "{values:?}");
        }
    }
}
