//! Extractors whose rejections wear the error envelope, and the success envelope.
#![expect(
    clippy::disallowed_types,
    reason = "these are the wrappers the lint points to"
)]

use axum::{
    extract::{
        FromRequest, FromRequestParts,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;
use thiserror::Error;

use crate::{
    context::RequestContext,
    error::{ApiError, Problem},
};

/// A JSON body, in either direction.
#[derive(Debug, FromRequest)]
#[from_request(via(axum::Json), rejection(ApiError))]
pub struct Json<T>(pub T);

/// Query-string parameters.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

/// Path parameters.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A success in the envelope: `{"success":true,"data":…,"meta":{…}}`.
#[derive(Clone, Debug)]
pub struct Success<T> {
    status: StatusCode,
    data: T,
    pagination: Option<Pagination>,
}

/// The body of a success: `{"success":true,"data":…,"meta":{…}}`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SuccessEnvelope<T> {
    /// Always true.
    success: bool,
    data: T,
    meta: SuccessMeta,
}

/// What is known about an answer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SuccessMeta {
    /// Name of the request in all logs.
    request_id: String,
    /// Present for lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Pagination>,
}

/// Where a page lies in its list.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Pagination {
    /// Most items a page holds.
    pub limit: u64,
    /// Items skipped before this page; absent when the page was reached by cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Items in the whole list; absent when they were not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Give this as `cursor` to read on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T: Serialize> Success<T> {
    /// 200 with `data`.
    pub fn ok(data: T) -> Self {
        Self {
            status: StatusCode::OK,
            data,
            pagination: None,
        }
    }

    /// 201 with `data`.
    pub fn created(data: T) -> Self {
        Self::with_status(StatusCode::CREATED, data)
    }

    /// `data` with a status of the caller's choice.
    pub fn with_status(status: StatusCode, data: T) -> Self {
        Self {
            status,
            ..Self::ok(data)
        }
    }

    /// 200 with one page of a list.
    pub fn page(data: T, pagination: Pagination) -> Self {
        Self {
            pagination: Some(pagination),
            ..Self::ok(data)
        }
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        let context = RequestContext::current();
        let body = SuccessEnvelope {
            success: true,
            data: self.data,
            meta: SuccessMeta {
                request_id: context.map_or_else(String::new, |context| context.id().to_owned()),
                pagination: self.pagination,
            },
        };
        (self.status, Json(body)).into_response()
    }
}

#[derive(Debug, Error)]
enum Rejection {
    #[error("{}", .0.body_text())]
    Json(#[from] JsonRejection),
    #[error("{}", .0.body_text())]
    Query(#[from] QueryRejection),
    #[error("{}", .0.body_text())]
    Path(#[from] PathRejection),
}

impl Problem for Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Self::Json(rejection) => rejection.status(),
            Self::Query(rejection) => rejection.status(),
            Self::Path(rejection) => rejection.status(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Json(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                "payload_too_large"
            }
            Self::Json(JsonRejection::MissingJsonContentType(_)) => "unsupported_media_type",
            Self::Json(_) => "invalid_body",
            Self::Query(_) => "invalid_query",
            Self::Path(_) => "invalid_path",
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Rejection::from(rejection).into()
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Rejection::from(rejection).into()
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Rejection::from(rejection).into()
    }
}
