//! The one error envelope every service of our own design answers with.
//!
//! Services that stand in for another system (auth, sql-rest) answer in that system's shape
//! instead, and use [`Problem`] only for what both have in common.

use std::{borrow::Cow, error::Error};

use axum::response::{IntoResponse, Response};
use http::StatusCode;
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
#[derive(Serialize)]
struct Envelope<'a> {
    success: bool,
    error: Body<'a>,
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Meta<'a> {
    request_id: &'a str,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        log(&*problem);
        failure(problem.status(), problem.code(), &problem.public_message())
    }
}

/// A failure in the envelope, for places that have no [`Problem`].
pub fn failure(status: StatusCode, code: &str, message: &str) -> Response {
    let context = RequestContext::current();
    let body = Envelope {
        success: false,
        error: Body { code, message },
        meta: Meta {
            request_id: context.as_deref().map_or("", RequestContext::id),
        },
    };
    (status, crate::extract::Json(body)).into_response()
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
