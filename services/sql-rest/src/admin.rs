//! What an administrator may ask, at a port or socket of its own.
//!
//! Statuses are the answer to `/live` and `/ready`, as with `PostgREST`. There is no way to see the
//! configuration: it holds secrets.

mod dump;

use anyhow::Context;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use common::{
    lifecycle::Lifecycle,
    server::{self, ConnectionLimits},
    telemetry,
};
use http::{StatusCode, header::CONTENT_TYPE};
use tokio::net::TcpListener;

use crate::{AppState, config::Door, listen_at, metric};

/// Begins to answer at `door`.
pub(crate) async fn start(
    door: &Door,
    state: AppState,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let router = router(state);
    let address = match door {
        Door::Port(address) => address,
        Door::Socket(socket) => return listen_at(socket, "admin server", router, lifecycle),
    };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("the admin server cannot listen at {address}"))?;
    tracing::info!(%address, "admin server listening");
    let limits = ConnectionLimits::default();
    let serving = server::serve(listener, router, limits, lifecycle.clone());
    lifecycle.spawn("admin server", serving);
    Ok(())
}

/// The administrator's routes.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/live", get(StatusCode::OK))
        .route("/ready", get(ready))
        .route("/schema_cache", get(schema_cache))
        .route("/metrics", get(show_metrics))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(state)
}

/// Whether requests are answered with what the database holds now.
async fn ready(State(state): State<AppState>) -> StatusCode {
    if state.schema_cache.is_current() && state.pool.ping().await.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

async fn schema_cache(State(state): State<AppState>) -> Response {
    let snapshot = state.schema_cache.snapshot();
    let dumped = tokio::task::spawn_blocking(move || {
        let catalog = snapshot.catalog.as_deref()?;
        serde_json::to_vec(&dump::dump(catalog)).ok()
    });
    let json = dumped.await.ok().flatten().unwrap_or_default();
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], json).into_response()
}

async fn show_metrics(State(state): State<AppState>) -> Response {
    metric::record_pool(&state.pool);
    let kind = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    (kind, telemetry::render_metrics()).into_response()
}
