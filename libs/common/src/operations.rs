//! What every service answers to whoever runs it: health, metrics, its contract.
//!
//! Only direct calls see these paths. A request that came through the gateway carries
//! `X-Forwarded-Prefix` (the gateway sets it on everything and takes it from clients), and goes
//! straight to the service's own routes: nothing operational leaks, and a user's table may be
//! called `metrics`.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, Method, StatusCode, header::CONTENT_TYPE};

use crate::{extract::Json, health::Health, lifecycle::Lifecycle, telemetry};

/// Set by the gateway to the prefix it removed from the path.
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Whether a request came from inside the installation, and not through the gateway.
pub fn is_direct(headers: &HeaderMap) -> bool {
    !headers.contains_key(FORWARDED_PREFIX)
}

#[derive(Clone)]
struct Operations {
    service: &'static str,
    health: Health,
    lifecycle: Lifecycle,
    contract: Arc<str>,
}

/// Puts the operational paths in front of `router`.
pub(crate) fn in_front_of(
    service: &'static str,
    router: Router,
    health: Health,
    contract: &utoipa::openapi::OpenApi,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Router> {
    let operations = Operations {
        service,
        health,
        lifecycle: lifecycle.clone(),
        contract: contract.to_pretty_json()?.into(),
    };
    Ok(router.layer(middleware::from_fn_with_state(operations, divert)))
}

async fn divert(State(operations): State<Operations>, request: Request, next: Next) -> Response {
    if is_direct(request.headers()) && request.method() == Method::GET {
        match request.uri().path() {
            "/health/live" => return live(),
            "/health/ready" => return operations.ready().await,
            "/metrics" => return operations.metrics().await,
            "/openapi.json" => return operations.contract(),
            _ => {}
        }
    }
    next.run(request).await
}

impl Operations {
    async fn ready(&self) -> Response {
        if self.lifecycle.is_stopping() {
            let body = Json(serde_json::json!({ "status": "stopping" }));
            return (StatusCode::SERVICE_UNAVAILABLE, body).into_response();
        }
        let report = self.health.report().await;
        let status = if report.is_ready() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, Json(report)).into_response()
    }

    /// The measurements, with what the dependencies say at this moment.
    async fn metrics(&self) -> Response {
        self.health.report().await.measure(self.service);
        let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        (kind, telemetry::render_metrics()).into_response()
    }

    fn contract(&self) -> Response {
        let body = Body::from(self.contract.to_string());
        ([(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

fn live() -> Response {
    Json(serde_json::json!({ "status": "live" })).into_response()
}
