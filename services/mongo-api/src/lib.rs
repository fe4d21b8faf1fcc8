//! Documents over REST on MongoDB, each scoped to its owner.
//!
//! A request passes three gates. Its JSON is read once, with limits ([`extended_json`]). What it
//! may say is an allow-list: of field names ([`document`]), of query operators ([`filter`]), of
//! pipeline stages and expressions ([`pipeline`]), of changes ([`patch`]). And whatever it says is
//! confined to what the caller can reach ([`access`]), in the one place that speaks to MongoDB
//! ([`store`]).

mod access;
mod body;
mod config;
mod cursor;
mod document;
mod error;
mod extended_json;
mod fields;
mod filter;
mod id;
mod mongo;
mod patch;
mod path;
mod pipeline;
mod routes;
mod schema;
mod sort;
mod store;
mod validation;

use axum::{Router, extract::FromRef};
use common::{
    clock::Clock,
    health::Health,
    identity::Verifier,
    lifecycle::Lifecycle,
    service::{App, Service},
};

pub use config::{Config, Limits};
use error::Error;
use store::Store;

/// The document API.
#[derive(Debug)]
pub struct MongoApi;

/// What every handler can reach. Cheap to clone.
#[derive(Clone, Debug)]
struct AppState {
    store: Store,
    verifier: Verifier,
}

impl FromRef<AppState> for Verifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}

impl Service for MongoApi {
    const NAME: &'static str = "mongo-api";
    const PORT: u16 = 3010;
    type Config = Config;

    async fn build(config: Config, _lifecycle: &Lifecycle) -> anyhow::Result<App> {
        let client = mongo::client(&config.mongo_uri).await?;
        let body_bytes = config.limits.body_bytes;
        let store = Store::new(client, &config.database, config.limits, Clock::system());
        let verifier = Verifier::with_keys(&config.jwt_secret, config.jwt_keys);
        let pinged = store.clone();
        let health = Health::new().require("mongodb", move || {
            let store = pinged.clone();
            async move { store.ping().await }
        });
        Ok(App {
            router: router(AppState { store, verifier }, body_bytes),
            health,
        })
    }

    fn contract() -> utoipa::openapi::OpenApi {
        routes::contract()
    }
}

fn router(state: AppState, body_bytes: usize) -> Router {
    routes::router(body_bytes).with_state(state)
}
