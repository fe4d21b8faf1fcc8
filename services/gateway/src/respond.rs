//! What every response carries, whoever made it.

use common::context::REQUEST_ID;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
};

use crate::{
    cors,
    limits::Verdict,
    proxy::{Exchange, Table},
};

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Adds request id, security headers, CORS and the state of the limit.
pub(crate) fn decorate(headers: &mut HeaderMap, exchange: &Exchange<'_>, table: &Table) {
    headers.reserve(12);
    headers.insert(REQUEST_ID, exchange.context.id_header().clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(X_FRAME_OPTIONS, DENY);
    headers.insert(REFERRER_POLICY, NO_REFERRER);
    if let Some(hsts) = &table.hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    cors::decorate(headers, &exchange.access, exchange.varies);
    if let Some(verdict) = &exchange.verdict {
        announce(headers, verdict);
    }
}

fn announce(headers: &mut HeaderMap, verdict: &Verdict) {
    headers.insert(LIMIT, HeaderValue::from(verdict.limit));
    headers.insert(REMAINING, HeaderValue::from(verdict.remaining));
    headers.insert(RESET, HeaderValue::from(verdict.reset_seconds));
}
