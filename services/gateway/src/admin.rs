//! The admin API, on a listener of its own: what the gateway does, and how it is.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use common::{
    clock::Clock,
    error::{ApiError, Problem},
    extract::Success,
    health::Health,
    lifecycle::Lifecycle,
    telemetry,
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{connection::Counts, reload::Reloader, routes::Route, upstream::Upstream};

#[derive(Clone)]
struct Admin {
    reloader: Arc<Reloader>,
    health: Health,
    lifecycle: Lifecycle,
    connections: Counts,
}

#[derive(Serialize)]
struct ConnectionsView {
    open: usize,
    idle: usize,
}

#[derive(Serialize)]
struct CertificateView {
    names: Vec<String>,
    begins: String,
    expires: String,
}

#[derive(Serialize)]
struct RouteView {
    name: String,
    prefix: String,
    strip: bool,
    consumers: Vec<String>,
    limit_by: Option<String>,
    limit_minute: Option<u32>,
    limit_hour: Option<u32>,
    max_body_bytes: Option<u64>,
    connect_timeout_ms: u128,
    read_timeout_ms: u128,
    websocket: bool,
    upstream: String,
}

#[derive(Serialize)]
struct ConsumerView {
    name: String,
    keys: Vec<String>,
    limit_minute: Option<u32>,
    limit_hour: Option<u32>,
}

#[derive(Serialize)]
struct UpstreamView {
    name: String,
    addresses: Vec<AddressView>,
}

#[derive(Serialize)]
struct AddressView {
    address: String,
    failing: bool,
    failures: u32,
    idle_connections: usize,
}

/// The admin API's routes.
pub(crate) fn router(
    reloader: Arc<Reloader>,
    connections: Counts,
    lifecycle: &Lifecycle,
) -> Router {
    let admin = Admin {
        health: health(&reloader),
        reloader,
        lifecycle: lifecycle.clone(),
        connections,
    };
    Router::new()
        .route("/routes", get(routes))
        .route("/consumers", get(consumers))
        .route("/upstreams", get(upstreams))
        .route("/connections", get(connections_now))
        .route("/certificate", get(certificate))
        .route("/reload", post(reload))
        .route("/health", get(ready))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

/// What the gateway works better with.
fn health(reloader: &Arc<Reloader>) -> Health {
    let watched = Arc::clone(reloader);
    let mut health = Health::new().prefer("upstreams", move || {
        let failing = failing_upstreams(&watched);
        async move {
            if failing.is_empty() {
                return Ok(());
            }
            Err(format!("not reachable: {}", failing.join("; ")))
        }
    });
    if let Some(redis) = reloader.proxy().limits.redis() {
        let redis = redis.clone();
        health = health.prefer("redis", move || {
            let redis = redis.clone();
            async move { redis.check().await }
        });
    }
    if let Some(certificates) = reloader.certificates() {
        let certificates = Arc::clone(certificates);
        health = health.prefer("certificate", move || {
            let current = certificates.current();
            async move {
                let current = current.ok_or("there is none yet")?;
                let is_good = Clock::system().now() < current.expires;
                is_good.then_some(()).ok_or_else(|| "expired".to_owned())
            }
        });
    }
    health
}

async fn routes(State(admin): State<Admin>) -> Success<Vec<RouteView>> {
    let table = admin.reloader.table();
    let view = |route: &Arc<Route>| RouteView {
        name: route.name.to_string(),
        prefix: route.prefix.to_string(),
        strip: route.strip,
        consumers: route
            .consumers
            .iter()
            .map(|&consumer| table.keys.name_of(Some(consumer)).to_owned())
            .collect(),
        limit_by: route
            .limit
            .map(|_| format!("{:?}", route.limit_by).to_lowercase()),
        limit_minute: route.limit.map(|limit| limit.minute),
        limit_hour: route.limit.map(|limit| limit.hour),
        max_body_bytes: (route.max_body_bytes < u64::MAX).then_some(route.max_body_bytes),
        connect_timeout_ms: route.connect_timeout.as_millis(),
        read_timeout_ms: route.read_timeout.as_millis(),
        websocket: route.websocket,
        upstream: route.upstream.name().to_string(),
    };
    Success::ok(table.routes.all().iter().map(view).collect())
}

async fn consumers(State(admin): State<Admin>) -> Success<Vec<ConsumerView>> {
    let table = admin.reloader.table();
    let views = table.keys.consumers().iter().map(|consumer| ConsumerView {
        name: consumer.name.to_string(),
        keys: consumer.key_names.iter().map(ToString::to_string).collect(),
        limit_minute: consumer.limit.map(|limit| limit.minute),
        limit_hour: consumer.limit.map(|limit| limit.hour),
    });
    Success::ok(views.collect())
}

async fn upstreams(State(admin): State<Admin>) -> Success<Vec<UpstreamView>> {
    let view = |upstream: &Arc<Upstream>| UpstreamView {
        name: upstream.name().to_string(),
        addresses: upstream
            .addresses()
            .iter()
            .map(|address| AddressView {
                address: address.socket().to_string(),
                failing: address.is_failing(),
                failures: address.failures(),
                idle_connections: address.idle_connections(),
            })
            .collect(),
    };
    Success::ok(admin.reloader.upstreams().iter().map(view).collect())
}

async fn connections_now(State(admin): State<Admin>) -> Success<ConnectionsView> {
    Success::ok(ConnectionsView {
        open: admin.connections.open(),
        idle: admin.connections.idle(),
    })
}

async fn certificate(State(admin): State<Admin>) -> Success<Option<CertificateView>> {
    let current = admin.reloader.certificates().and_then(|all| all.current());
    let text = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_default();
    Success::ok(current.map(|current| CertificateView {
        names: current.names.clone(),
        begins: text(current.begins),
        expires: text(current.expires),
    }))
}

async fn reload(State(admin): State<Admin>) -> Result<Success<&'static str>, ApiError> {
    admin.reloader.reload().map_err(NotReloaded)?;
    Ok(Success::ok("reloaded"))
}

async fn live() -> Success<&'static str> {
    Success::ok("live")
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.lifecycle.is_stopping() {
        let body = common::extract::Json(serde_json::json!({ "status": "stopping" }));
        return (StatusCode::SERVICE_UNAVAILABLE, body).into_response();
    }
    common::extract::Json(admin.health.report().await).into_response()
}

async fn metrics() -> Response {
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, telemetry::render_metrics()).into_response()
}

/// Names of the upstreams none of whose addresses works.
fn failing_upstreams(reloader: &Reloader) -> Vec<String> {
    let upstreams = reloader.upstreams().into_iter();
    let failing = upstreams.filter(|upstream| {
        let addresses = upstream.addresses();
        addresses.iter().all(|address| address.failures() > 0)
    });
    failing
        .map(|upstream| upstream.name().to_string())
        .collect()
}

/// A configuration that was not taken over; the old one stays in force.
#[derive(Debug, thiserror::Error)]
#[error("the old configuration stays in force: {0}")]
struct NotReloaded(String);

impl Problem for NotReloaded {
    fn status(&self) -> StatusCode {
        StatusCode::UNPROCESSABLE_ENTITY
    }

    fn code(&self) -> &'static str {
        "invalid_configuration"
    }
}
