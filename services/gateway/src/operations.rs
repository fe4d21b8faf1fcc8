//! What the public port tells about the gateway itself: whether it lives and takes requests.
//! Everything else is on the admin listener.

use common::lifecycle::Lifecycle;
use http::{HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE};

use crate::body::ResponseBody;

/// The answer, when `path` asks for the gateway's own health.
pub(crate) fn answer(
    method: &Method,
    path: &str,
    lifecycle: &Lifecycle,
    is_degraded: bool,
) -> Option<Response<ResponseBody>> {
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

fn status(code: StatusCode, word: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::of(format!("{{\"status\":\"{word}\"}}")));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
