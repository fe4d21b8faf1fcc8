//! Request bodies: read once, with limits, into a checked document.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use common::error::ApiError;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use mongodb::bson::Document;

use crate::{Error, extended_json};

/// A body that is one JSON object. Its keys are not checked yet: what they may be depends on
/// whether it is a document, a patch or a pipeline.
#[derive(Debug)]
pub(crate) struct Body(pub(crate) Document);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(Error::UnsupportedMediaType.into());
        }
        let bytes =
            Bytes::from_request(request, state)
                .await
                .map_err(|error| match error.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Error::PayloadTooLarge,
                    _ => Error::IncompleteBody,
                })?;
        Ok(Self(extended_json::decode_document(&bytes)?))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}
