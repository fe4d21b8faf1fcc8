//! What the public port tells about the gateway itself: whether it lives and takes requests.
//! Everything else is on the admin listener.

use common::lifecycle::Lifecycle;
use http::{Method, StatusCode};

use crate::message::Response;

/// The answer, when `path` asks for the gateway's own health.
pub(crate) fn answer(
    method: &Method,
    path: &str,
    lifecycle: &Lifecycle,
    is_degraded: bool,
) -> Option<Response> {
    if *method != Method::GET && *method != Method::HEAD {
        return None;
    }
    match path {
        "/health/live" => Some(status(StatusCode::OK, "live")),
        "/health/ready" if lifecycle.is_stopping() => {
            Some(status(StatusCode::SERVICE_UNAVAILABLE, "stopping"))
        }
        "/health/ready" if is_degraded => Some(status(StatusCode::OK, "degraded")),
        "/health/ready" => Some(status(StatusCode::OK, "ready")),
        _ => None,
    }
}

fn status(code: StatusCode, word: &str) -> Response {
    let body = format!("{{\"status\":\"{word}\"}}");
    Response::of(code, "application/json", body)
}
