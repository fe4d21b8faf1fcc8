//! How a browser is led back to the application: with tokens, a code or an error in the URL.

use axum::response::{IntoResponse, Response};
use common::error::{Problem, log};
use http::{StatusCode, header::LOCATION};
use url::Url;

use crate::error::{Error, Result};

/// A redirect to `location`.
pub fn redirect(status: StatusCode, location: String) -> Response {
    (status, [(LOCATION, location)]).into_response()
}

/// `target` with these pairs in its query.
pub fn with_query(target: &str, pairs: &[(&str, &str)]) -> Result<String> {
    let mut url = parse(target)?;
    url.query_pairs_mut().extend_pairs(pairs);
    Ok(url.into())
}

/// `target` with these pairs as its fragment.
pub fn with_fragment(target: &str, pairs: Vec<(&str, String)>) -> Result<String> {
    let mut url = parse(target)?;
    let fragment = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    url.set_fragment(Some(&fragment));
    Ok(url.into())
}

/// Tells the application what went wrong, in the fragment and where it reads it in the query too.
pub fn failed(target: &str, error: &Error, in_query: bool) -> Result<String> {
    log(error);
    let description = error.public_message();
    let mut pairs = match error {
        Error::OAuth { error, .. } => vec![("error", error.as_ref())],
        _ => vec![("error", kind(error)), ("error_code", error.code())],
    };
    pairs.push(("error_description", &description));
    pairs.retain(|(_, value)| !value.is_empty());
    let target = if in_query {
        with_query(target, &pairs)?
    } else {
        target.to_owned()
    };
    let mut fragment: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    fragment.push(("sb", String::new()));
    with_fragment(&target, fragment)
}

/// The kind of error, in the words of OAuth 2.0.
fn kind(error: &Error) -> &'static str {
    match error.status().as_u16() {
        400 => "invalid_request",
        401 => "unauthorized_client",
        403 => "access_denied",
        500 => "server_error",
        503 => "temporarily_unavailable",
        _ => "",
    }
}

fn parse(target: &str) -> Result<Url> {
    Url::parse(target).map_err(|error| Error::Internal(error.into()))
}
