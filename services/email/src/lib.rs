//! A durable mailer.
//!
//! A mail comes in through [`post`], which finds everything that is wrong with it, and is stored.
//! From then on it is owed. Workers ([`worker`]) lease it, write it as MIME ([`mime`]) and take it
//! to the mail server ([`smtp`]), as often as it takes; what they did is in the outbox
//! ([`store`]). `docs/email.md` says what is guaranteed when something dies in between.

mod builtin;
mod config;
mod delivery;
mod error;
mod inbox;
mod mail;
mod mailbox;
mod mime;
mod post;
mod render;
mod request;
mod routes;
mod sender;
mod smtp;
mod store;
mod template;
mod text;
mod worker;

use std::sync::Arc;

use axum::extract::FromRef;
use common::{
    health::Health,
    identity::Verifier,
    lifecycle::Lifecycle,
    postgres::own::Database,
    service::{App, Service},
    token::ServiceToken,
};
use sqlx::migrate::Migrator;
use tokio::sync::Notify;

pub use config::Config;
use config::Delivery;
use error::Error;
use inbox::Inbox;
use post::Post;
use smtp::Transport;
use store::Store;
use worker::{Carrier, Outbox};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The mailer.
#[derive(Debug)]
pub struct Email;

/// What every handler can reach. Cheap to clone.
#[derive(Clone, Debug)]
struct AppState {
    post: Post,
    store: Store,
    inbox: Option<Inbox>,
    verifier: Verifier,
    service_token: ServiceToken,
}

impl FromRef<AppState> for Verifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}

impl FromRef<AppState> for ServiceToken {
    fn from_ref(state: &AppState) -> Self {
        state.service_token.clone()
    }
}

impl Service for Email {
    const NAME: &'static str = "email";
    const PORT: u16 = 3030;
    type Config = Config;

    async fn build(config: Config, lifecycle: &Lifecycle) -> anyhow::Result<App> {
        let database = Database::open(&config.database, Self::NAME, &MIGRATIONS, lifecycle)?;
        let store = Store::new(database);
        let bell = Arc::new(Notify::new());
        let checked = store.clone();
        let mut health = Health::new().require("postgres", move || {
            let store = checked.clone();
            async move { store.check().await }
        });
        let carrier = match config.delivery {
            Delivery::Smtp(smtp) => {
                let transport = Arc::new(Transport::new(smtp, config.outbox.step_timeout)?);
                let checked = Arc::clone(&transport);
                health = health.prefer("smtp", move || {
                    let transport = Arc::clone(&checked);
                    async move { transport.check().await }
                });
                Carrier::Smtp(transport)
            }
            Delivery::Inbox => {
                tracing::warn!("mail is caught in the development inbox and never sent");
                Carrier::Inbox(Inbox::default())
            }
        };
        let inbox = match &carrier {
            Carrier::Inbox(inbox) => Some(inbox.clone()),
            Carrier::Smtp(_) => None,
        };
        let outbox = Outbox {
            store: store.clone(),
            carrier,
            from: config.from.clone(),
            config: config.outbox,
            bell: Arc::clone(&bell),
        };
        outbox.start(lifecycle);
        let router = routes::router(inbox.is_some()).with_state(AppState {
            post: Post {
                store: store.clone(),
                policy: Arc::new(config.policy),
                quota: config.quota,
                from: config.from,
                bell,
            },
            store,
            inbox,
            verifier: Verifier::with_keys(&config.jwt_secret, config.jwt_keys),
            service_token: ServiceToken::new(config.service_token),
        });
        Ok(App { router, health })
    }

    fn contract() -> utoipa::openapi::OpenApi {
        routes::contract()
    }
}
