//! What requests are answered with: the settings in force and the catalogue, replaced as a whole
//! when the database changes.
//!
//! Requests read a snapshot and never wait. Loading happens on a connection of its own, in the
//! background, again and again until it succeeds; until then the snapshot before it stays.

mod listener;
mod settings;

use std::sync::Arc;

use arc_swap::ArcSwap;
use common::{clock::Clock, lifecycle::Lifecycle, postgres::Pool, retry};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use crate::{
    catalog::{
        Catalog,
        load::{Exposure, LoadError, load},
    },
    config::{Config, Given, Settings},
    jwt::Authenticator,
};

pub use self::settings::{ISOLATION, RoleSettings};

/// A consistent view for one request.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// Who requests speak for.
    pub authenticator: Arc<Authenticator>,
    /// What the database holds, once that was read.
    pub catalog: Option<Arc<Catalog>>,
    /// Settings that come with roles.
    pub roles: Arc<RoleSettings>,
}

/// Keeps the snapshot up to date. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SchemaCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    current: ArcSwap<Snapshot>,
    /// A reload is due. Any number of requests for one make one.
    due: Notify,
    pool: Pool,
    given: Given,
    settings_in_database: bool,
    pre_config: Option<String>,
    channel: Option<String>,
    cached_tokens: usize,
    clock: Clock,
}

impl SchemaCache {
    /// Starts with the configured settings and no catalogue, and loads in the background.
    pub fn start(config: Config, pool: Pool, clock: Clock, lifecycle: &Lifecycle) -> Self {
        let authenticator =
            Authenticator::new(&config.settings, config.cached_tokens, clock.clone());
        let cache = Self(Arc::new(Inner {
            current: ArcSwap::from_pointee(Snapshot {
                settings: Arc::new(config.settings),
                authenticator: Arc::new(authenticator),
                catalog: None,
                roles: Arc::default(),
            }),
            due: Notify::new(),
            pool,
            given: config.given,
            settings_in_database: config.settings_in_database,
            pre_config: config.pre_config,
            channel: config.channel,
            cached_tokens: config.cached_tokens,
            clock,
        }));
        cache.reload();
        lifecycle.spawn_until_stop("schema cache", cache.clone().keep_loaded());
        lifecycle.spawn_until_stop("reload signals", cache.clone().obey_signals());
        if let Some(channel) = cache.0.channel.clone() {
            let listening = listener::listen(cache.clone(), channel);
            lifecycle.spawn_until_stop("reload notifications", listening);
        }
        cache
    }

    /// The snapshot of this moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.current.load_full()
    }

    /// Has everything read again, soon.
    pub fn reload(&self) {
        self.0.due.notify_one();
    }

    /// Whether the catalogue was ever read.
    pub fn check(&self) -> Result<(), String> {
        let loaded = self.0.current.load().catalog.is_some();
        loaded
            .then_some(())
            .ok_or_else(|| "not loaded yet".to_owned())
    }

    fn pool(&self) -> &Pool {
        &self.0.pool
    }

    async fn keep_loaded(self) {
        loop {
            self.0.due.notified().await;
            retry::until_ok("loading the schema cache", || self.load()).await;
        }
    }

    /// Both signals of `PostgREST`, the one for the schema and the one for settings, reload both.
    async fn obey_signals(self) {
        let streams = (
            signal(SignalKind::user_defined1()),
            signal(SignalKind::user_defined2()),
        );
        let (Ok(mut schema), Ok(mut settings)) = streams else {
            tracing::warn!("signals cannot be received, so none will reload the schema cache");
            return;
        };
        loop {
            tokio::select! {
                _ = schema.recv() => {}
                _ = settings.recv() => {}
            }
            self.reload();
        }
    }

    async fn load(&self) -> Result<(), LoadError> {
        let mut connection = self.pool().connect_apart().await?;
        let before = self.snapshot();
        let settings = if self.0.settings_in_database {
            let pre_config = self.0.pre_config.as_deref();
            let overrides = settings::of_database(&mut connection, pre_config).await?;
            self.overridden(overrides)
        } else {
            Arc::clone(&before.settings)
        };
        let roles = settings::of_roles(&mut connection).await?;
        let catalog = load(&mut connection, &exposure(&settings)).await?;
        tracing::info!(relations = catalog.relations.len(), "schema cache loaded");
        let authenticator = if Arc::ptr_eq(&settings, &before.settings) {
            Arc::clone(&before.authenticator)
        } else {
            let clock = self.0.clock.clone();
            Arc::new(Authenticator::new(&settings, self.0.cached_tokens, clock))
        };
        self.0.current.store(Arc::new(Snapshot {
            settings,
            authenticator,
            catalog: Some(Arc::new(catalog)),
            roles: Arc::new(roles),
        }));
        self.pool().forget_statements();
        Ok(())
    }

    /// The configured settings with what the database says instead.
    fn overridden(&self, overrides: Vec<(String, String)>) -> Arc<Settings> {
        let (settings, problems) = Settings::read(&self.0.given.overlaid(overrides));
        for problem in problems {
            tracing::error!(problem, "a setting in the database is not usable");
        }
        Arc::new(settings)
    }
}

fn exposure(settings: &Settings) -> Exposure {
    Exposure {
        schemas: settings.core.schemas.clone(),
        extra_search_path: settings.extra_search_path.clone(),
        hoisted_settings: settings.hoisted_settings.clone(),
    }
}
