//! What browsers are told about other origins (Fetch standard, CORS protocol).

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN,
    },
};

const ANY: HeaderValue = HeaderValue::from_static("*");
const YES: HeaderValue = HeaderValue::from_static("true");
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");
const METHODS: HeaderValue =
    HeaderValue::from_static("GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD");
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, \
     Transfer-Encoding, Range-Unit",
);

/// The answer to a browser that asks before it sends the request proper.
pub(crate) fn preflight(
    method: &Method,
    headers: &HeaderMap,
    origins: Option<&[String]>,
) -> Option<Response> {
    let asks = *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let origin = headers.get(ORIGIN).filter(|_| asks)?;
    let mut response = Response::new(Body::empty());
    let answer = response.headers_mut();
    if allow(answer, origin, origins) {
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(headers));
    }
    Some(response)
}

/// Lets scripts of an allowed origin see the answer.
pub(crate) fn expose(response: &mut Response, origin: &HeaderValue, origins: Option<&[String]>) {
    if allow(response.headers_mut(), origin, origins) {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// Names the origin that may see the answer, if it may. Credentials go to configured origins alone.
fn allow(answer: &mut HeaderMap, origin: &HeaderValue, origins: Option<&[String]>) -> bool {
    let Some(origins) = origins else {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        return true;
    };
    let known = origins
        .iter()
        .any(|known| known.as_bytes() == origin.as_bytes());
    if known {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, YES);
    }
    known
}

fn allowed_headers(headers: &HeaderMap) -> HeaderValue {
    let requested = headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
    let requested = requested
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let requested = requested
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let all = std::iter::once("Authorization").chain(requested).chain([
        "Accept",
        "Accept-Language",
        "Content-Language",
    ]);
    let all: Vec<&str> = all.collect();
    HeaderValue::try_from(all.join(", ")).unwrap_or(ANY)
}
