//! REST over PostgreSQL, compatible with `PostgREST`.
//!
//! The core is pure: [`request`] turns a URL and headers into types, [`payload`] finds what a body
//! gives, [`plan`] resolves every name against the [`catalog`], [`sql`] writes one statement.
//!
//! Around it: [`schema_cache`] keeps the catalogue current, [`jwt`] tells who is asking,
//! [`session`] and [`transaction`] run the statement as that role, and [`response`]
//! shapes the answer.

pub mod admin;
mod body;
pub mod catalog;
pub mod config;
mod contract;
mod cors;
pub mod error;
mod fuzzy;
pub mod jwt;
pub mod media;
mod metric;
pub mod openapi;
pub mod options;
pub mod payload;
pub mod plan;
pub mod quote;
pub mod request;
pub mod response;
mod routes;
pub mod schema_cache;
pub mod session;
pub mod sql;
mod timing;
pub mod transaction;

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use common::{
    clock::Clock,
    config::Env,
    health::Health,
    lifecycle::Lifecycle,
    postgres::{InvalidTarget, Pool},
    server::{self, ConnectionLimits, UnixSocket},
    service::{self, App, Service},
};

use crate::{config::Config, schema_cache::SchemaCache};

/// The service.
#[derive(Debug)]
pub struct SqlRest;

/// What every request can reach. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    pool: Pool,
    schema_cache: SchemaCache,
    max_body_bytes: usize,
    logs_statements: bool,
}

impl AppState {
    /// Opens the pool and starts to load the schema cache.
    pub fn start(
        config: Config,
        clock: Clock,
        lifecycle: &Lifecycle,
    ) -> Result<Self, InvalidTarget> {
        let pool = Pool::new(&config.pool, lifecycle)?;
        Ok(Self {
            pool: pool.clone(),
            max_body_bytes: config.max_body_bytes,
            logs_statements: config.logs_statements,
            schema_cache: SchemaCache::start(config, pool, clock, lifecycle),
        })
    }

    /// The schema cache.
    pub fn schema_cache(&self) -> &SchemaCache {
        &self.schema_cache
    }

    fn health(&self) -> Health {
        let (pool, cache) = (self.pool.clone(), self.schema_cache.clone());
        Health::new()
            .require("postgres", move || {
                let pool = pool.clone();
                async move { pool.ping().await }
            })
            .require("schema_cache", move || std::future::ready(cache.check()))
    }
}

/// All routes, without the process-wide layers.
pub fn router(state: AppState) -> Router {
    routes::router().with_state(state)
}

fn app(state: AppState) -> App {
    App {
        health: state.health(),
        router: router(state),
    }
}

/// Begins to serve at a Unix socket.
fn listen_at(
    socket: &UnixSocket,
    name: &'static str,
    router: Router,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let path = socket.path.display();
    let listener = socket
        .bind()
        .with_context(|| format!("the {name} cannot listen at {path}"))?;
    tracing::info!(%path, "{name} listening");
    let limits = ConnectionLimits::default();
    let serving = server::serve(listener, router, limits, lifecycle.clone());
    lifecycle.spawn(name, serving);
    Ok(())
}

impl Service for SqlRest {
    const NAME: &'static str = "sql-rest";
    const PORT: u16 = 3000;
    type Config = Config;

    async fn build(config: Config, lifecycle: &Lifecycle) -> anyhow::Result<App> {
        let (socket, admin) = (config.socket.clone(), config.admin.clone());
        let state = AppState::start(config, Clock::system(), lifecycle)?;
        lifecycle.spawn_until_stop("pool metrics", metric::watch_pool(state.pool.clone()));
        if let Some(door) = admin {
            admin::start(&door, state.clone(), lifecycle).await?;
        }
        if let Some(socket) = socket {
            let router = service::router::<Self>(app(state.clone()), lifecycle)?;
            listen_at(&socket, "server", router, lifecycle)?;
        }
        Ok(app(state))
    }

    fn listen_address(env: &mut Env) -> SocketAddr {
        config::listen_address(env)
    }

    fn contract() -> utoipa::openapi::OpenApi {
        contract::contract()
    }
}
