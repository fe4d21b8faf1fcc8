//! What requests are answered with: the settings in force and the catalogue, replaced as a whole
//! when the database changes.
//!
//! Requests read a snapshot and never wait. Loading happens on a connection of its own, in the
//! background, again and again until it succeeds; until then the snapshot before it stays.

mod listener;
mod settings;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use common::{
    clock::Clock,
    lifecycle::Lifecycle,
    postgres::{Failure, Pool},
    retry,
};
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
    metric,
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
    /// Settings that connections begin with, once they were read.
    pub sessions: Option<String>,
}

/// Keeps the snapshot up to date. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SchemaCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    snapshot: ArcSwap<Snapshot>,
    /// A reload is due. Any number of requests for one make one.
    due: Notify,
    /// The reload that is due reads settings anew.
    settings_due: AtomicBool,
    /// Reloads that were asked for.
    asked: AtomicU64,
    /// How many of them are done.
    done: AtomicU64,
    pool: Pool,
    given: Given,
    settings_in_database: bool,
    channel: Option<String>,
    clock: Clock,
}

impl SchemaCache {
    /// Starts with the configured settings and no catalogue, and loads in the background.
    pub fn start(config: Config, pool: Pool, clock: Clock, lifecycle: &Lifecycle) -> Self {
        let authenticator = Authenticator::new(&config.settings, clock.clone());
        pool.keep_statements(config.settings.keeps_statements);
        let cache = Self(Arc::new(Inner {
            snapshot: ArcSwap::from_pointee(Snapshot {
                settings: Arc::new(config.settings),
                authenticator: Arc::new(authenticator),
                catalog: None,
                roles: Arc::default(),
                sessions: None,
            }),
            due: Notify::new(),
            settings_due: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            done: AtomicU64::new(0),
            pool,
            given: config.given,
            settings_in_database: config.settings_in_database,
            channel: config.channel,
            clock,
        }));
        lifecycle.spawn_until_stop("schema cache", cache.clone().keep_loaded());
        lifecycle.spawn_until_stop("reload signals", cache.clone().obey_signals());
        if let Some(channel) = cache.0.channel.clone() {
            let listening = listener::listen(cache.clone(), channel);
            lifecycle.spawn_until_stop("reload notifications", listening);
        } else {
            cache.reload();
        }
        cache
    }

    /// The snapshot of this moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// Has everything read again, soon.
    pub fn reload(&self) {
        self.0.settings_due.store(true, Ordering::Release);
        self.reload_schema();
    }

    /// Has the catalogue read again, soon, and with it the settings that are in the database.
    pub fn reload_schema(&self) {
        self.0.asked.fetch_add(1, Ordering::AcqRel);
        self.0.due.notify_one();
    }

    /// Whether the snapshot is what the database held when it last announced a change.
    pub fn is_current(&self) -> bool {
        let none_is_due =
            self.0.done.load(Ordering::Acquire) == self.0.asked.load(Ordering::Acquire);
        none_is_due && self.0.snapshot.load().catalog.is_some()
    }

    /// Whether the catalogue was ever read.
    pub fn check(&self) -> Result<(), String> {
        let loaded = self.0.snapshot.load().catalog.is_some();
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
            let asked = self.0.asked.load(Ordering::Acquire);
            let with_settings = self.0.settings_due.swap(false, Ordering::AcqRel);
            let load = || self.load_counted(with_settings);
            retry::until_ok("loading the schema cache", load).await;
            self.0.done.store(asked, Ordering::Release);
        }
    }

    /// As with `PostgREST`, one signal is for the schema and one for settings.
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
                _ = schema.recv() => self.reload_schema(),
                _ = settings.recv() => self.reload(),
            }
        }
    }

    async fn load_counted(&self, with_settings: bool) -> Result<(), LoadError> {
        let start = Instant::now();
        let loaded = self.load(with_settings).await;
        metric::count_load(loaded.is_ok().then(|| start.elapsed()));
        loaded
    }

    async fn load(&self, with_settings: bool) -> Result<(), LoadError> {
        let mut connection = self.pool().connect_apart().await?;
        let before = self.snapshot();
        let settings = if self.0.settings_in_database {
            let pre_config = before.settings.pre_config.as_ref();
            match settings::of_database(&mut connection, pre_config).await {
                Ok(overrides) => self.settings(overrides, &before),
                Err(Failure::Database(error)) => {
                    tracing::error!(%error, "settings cannot be read, so all stay as they were");
                    Arc::clone(&before.settings)
                }
                Err(lost) => return Err(lost.into()),
            }
        } else if with_settings {
            self.settings(Vec::new(), &before)
        } else {
            Arc::clone(&before.settings)
        };
        let roles = settings::of_roles(&mut connection).await?;
        let sessions = settings::of_sessions(&mut connection).await?;
        let is_outdated = before
            .sessions
            .as_ref()
            .is_some_and(|known| *known != sessions);
        let catalog = load(&mut connection, &exposure(&settings)).await?;
        tracing::info!(relations = catalog.relations.len(), "schema cache loaded");
        let authenticator = if Arc::ptr_eq(&settings, &before.settings) {
            Arc::clone(&before.authenticator)
        } else {
            Arc::new(Authenticator::new(&settings, self.0.clock.clone()))
        };
        self.pool().keep_statements(settings.keeps_statements);
        let replaced = self.0.snapshot.swap(Arc::new(Snapshot {
            settings,
            authenticator,
            catalog: Some(Arc::new(catalog)),
            roles: Arc::new(roles),
            sessions: Some(sessions),
        }));
        // Freeing thousands of tables takes a while, in which this thread is to answer requests.
        tokio::task::spawn_blocking(move || drop((before, replaced)));
        if is_outdated {
            self.pool().renew();
        }
        self.pool().forget_statements();
        Ok(())
    }

    /// The configured settings with what the database says instead; those before when they cannot
    /// be used.
    fn settings(&self, overrides: Vec<(String, String)>, before: &Snapshot) -> Arc<Settings> {
        let (settings, problems) = Settings::read(&self.0.given.overlaid(overrides));
        for problem in &problems {
            tracing::error!(problem, "a setting is not usable, so all stay as they were");
        }
        if problems.is_empty() {
            Arc::new(settings)
        } else {
            Arc::clone(&before.settings)
        }
    }
}

fn exposure(settings: &Settings) -> Exposure {
    Exposure {
        schemas: settings.core.schemas.clone(),
        extra_search_path: settings.extra_search_path.clone(),
        hoisted_settings: settings.hoisted_settings.clone(),
    }
}
