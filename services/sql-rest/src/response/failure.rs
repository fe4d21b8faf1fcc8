//! Answers that say why there is no other.

use axum::{body::Body, response::Response};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, VARY},
};
use hyper::ext::ReasonPhrase;

use super::{Nothing, VARY_ON, is_framing};
use crate::error::{Error, RangeError, Verbosity};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The answer for an error.
pub fn failure(error: &Error, verbosity: Verbosity) -> Response {
    let body = error.body().to_json(verbosity);
    let mut response = with_body(error.status(), error.code(), body);
    if let Error::Range(RangeError::OutOfBounds { total, .. }) = error
        && let Ok(value) = HeaderValue::try_from(format!("*/{total}"))
    {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    for (name, value) in error.headers() {
        let pair = (HeaderName::try_from(name), HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = pair
            && !is_framing(&name)
        {
            response.headers_mut().insert(name, value);
        }
    }
    let reason = error
        .reason()
        .map(|reason| ReasonPhrase::try_from(reason.as_bytes()));
    if let Some(Ok(reason)) = reason {
        response.extensions_mut().insert(reason);
    }
    response
}

/// The answer to a body that is too large.
pub fn too_large() -> Response {
    let body =
        r#"{"code":"PGRST102","details":null,"hint":null,"message":"Request body is too large"}"#;
    with_body(StatusCode::PAYLOAD_TOO_LARGE, "PGRST102", body.to_owned())
}

fn with_body(status: StatusCode, code: &str, body: String) -> Response {
    let length = body.len();
    // A function may choose this status too, and then there is no body.
    let is_empty = status == StatusCode::NO_CONTENT;
    let mut response = Response::new(if is_empty {
        Body::new(Nothing)
    } else {
        Body::from(body)
    });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !is_empty {
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(CONTENT_LENGTH, length.into());
    }
    headers.insert(VARY, VARY_ON);
    if let Ok(value) = HeaderValue::try_from(format!("PostgREST; error={code}")) {
        headers.insert(PROXY_STATUS, value);
    }
    response
}
