//! The one error envelope every service of our own design answers with.
//!
//! Services that stand in for another system (auth, sql-rest) answer in that system's shape
//! instead, and use [`Problem`] only for what both have in common.

use std::{borrow::Cow, error::Error, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde::Serialize;

use crate::context::RequestContext;

/// What a service's error tells its caller.
///
/// Each service has one error enum and implements this for it; the conversion to [`ApiError`] then
/// decides what the client sees and what only the log sees.
pub trait Problem: Error + Send + Sync + 'static {
    /// The HTTP status this error answers with.
    fn status(&self) -> StatusCode;

    /// A stable, machine-readable `snake_case` code; part of the public contract.
    fn code(&self) -> &'static str;

    /// The text a client may see. Server faults never show their own text.
    fn public_message(&self) -> Cow<'static, str> {
        match self.status() {
            StatusCode::SERVICE_UNAVAILABLE => {
                Cow::Borrowed("a dependency is unavailable; try again shortly")
            }
            status if status.is_server_error() => Cow::Borrowed("internal error"),
            _ => Cow::Owned(self.to_string()),
        }
    }

    /// What a program needs beyond the code; must hold nothing the caller may not see.
    fn details(&self) -> Option<serde_json::Value> {
        None
    }

    /// How long to wait before another attempt makes sense; answered as `Retry-After`.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// Any [`Problem`], ready to be returned from a handler.
#[derive(Debug)]
pub struct ApiError(Box<dyn Problem>);

impl<E: Problem> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

/// The body of a failure: `{"success":false,"error":{…},"meta":{…}}`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FailureEnvelope {
    /// Always false.
    success: bool,
    error: FailureBody,
    meta: FailureMeta,
}

/// What went wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FailureBody {
    /// Stable and machine-readable.
    code: Cow<'static, str>,
    /// For people; may change.
    message: Cow<'static, str>,
    /// More for programs, where the code has more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<serde_json::Value>,
}

/// What is known about the request that failed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FailureMeta {
    /// Name of the request in all logs.
    request_id: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        log(&*problem);
        let body = FailureBody {
            code: problem.code().into(),
            message: problem.public_message(),
            details: problem.details(),
        };
        let mut response = body.into_response(problem.status());
        if let Some(pause) = problem.retry_after() {
            let seconds = HeaderValue::from(pause.as_secs().max(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

impl FailureBody {
    fn into_response(self, status: StatusCode) -> Response {
        let context = RequestContext::current();
        let envelope = FailureEnvelope {
            success: false,
            error: self,
            meta: FailureMeta {
                request_id: context.map_or_else(String::new, |context| context.id().to_owned()),
            },
        };
        (status, crate::extract::Json(envelope)).into_response()
    }
}

/// A failure in the envelope, for places that have no [`Problem`].
pub fn failure(status: StatusCode, code: &str, message: &str) -> Response {
    let body = FailureBody {
        code: code.to_owned().into(),
        message: message.to_owned().into(),
        details: None,
    };
    body.into_response(status)
}

/// The answer to a path that no route has; for [`axum::Router::fallback`].
#[expect(clippy::unused_async, reason = "a handler is asynchronous")]
pub async fn route_not_found() -> Response {
    failure(
        StatusCode::NOT_FOUND,
        "route_not_found",
        "there is nothing at this path",
    )
}

/// The answer to a method that a path does not have; for
/// [`axum::Router::method_not_allowed_fallback`].
#[expect(clippy::unused_async, reason = "a handler is asynchronous")]
pub async fn method_not_allowed() -> Response {
    failure(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path does not have this method",
    )
}

/// Logs a failure once, at the boundary: server faults with their sources, refusals quietly.
pub fn log(problem: &dyn Problem) {
    if problem.status().is_server_error() {
        tracing::error!(
            error = chain(problem),
            error.code = problem.code(),
            "request failed"
        );
    } else {
        tracing::debug!(error.code = problem.code(), "request refused");
    }
}

/// An error and all its sources, on one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let sources = std::iter::successors(Some(error), |&error| error.source());
    sources
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
