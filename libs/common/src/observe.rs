//! What is written down about every request: a log line, a count, a duration and a span.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use crate::{
    context::{REQUEST_ID, RequestContext},
    spans,
    telemetry::{self, HTTP_DURATION, HTTP_REQUESTS, RequestLine},
};

/// Gives the request its context, then logs and counts it.
pub(crate) async fn observe(
    State(service): State<&'static str>,
    request: Request,
    next: Next,
) -> Response {
    let context = Arc::new(RequestContext::from_headers(request.headers()));
    let method = request.method().clone();
    let template = request.extensions().get::<MatchedPath>().cloned();
    let mut response = Arc::clone(&context).scope(next.run(request)).await;
    response
        .headers_mut()
        .insert(REQUEST_ID, context.id_header().clone());

    let elapsed = context.elapsed();
    let status = response.status().as_u16();
    let route = template.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = known_method(&method);
    telemetry::log_request(&RequestLine {
        service,
        context: &context,
        method,
        route,
        status,
        duration: elapsed,
        consumer: None,
        upstream: None,
    });
    let labels = [("service", service), ("method", method)];
    let route: Arc<str> = route.into();
    metrics::counter!(HTTP_REQUESTS, labels_with(&labels, &route, Some(status))).increment(1);
    metrics::histogram!(HTTP_DURATION, labels_with(&labels, &route, None))
        .record(elapsed.as_secs_f64());
    spans::record(service, &context, method, &route, response.status());
    response
}

fn labels_with(
    labels: &[(&'static str, &'static str)],
    route: &Arc<str>,
    status: Option<u16>,
) -> Vec<metrics::Label> {
    let fixed = labels
        .iter()
        .map(|(key, value)| metrics::Label::from_static_parts(key, value));
    let route = metrics::Label::new("route", Arc::clone(route));
    let status = status.map(|status| metrics::Label::new("status", status.to_string()));
    fixed.chain([route]).chain(status).collect()
}

/// The method as a label from a closed set, whatever a client sends.
fn known_method(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}
