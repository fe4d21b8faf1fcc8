//! A service's own schema: a sqlx pool, and migrations that are applied at start.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use secrecy::ExposeSecret;
use sqlx::{
    PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

use super::{
    PoolConfig,
    ssl_options::{Mode, SYSTEM, SslOptions},
};
use crate::{lifecycle::Lifecycle, retry};

/// The database of one service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    migrated: Arc<AtomicBool>,
}

impl Database {
    /// Opens the pool without connecting, and migrates `schema` in the background until it is done.
    ///
    /// Migrations run under sqlx's advisory lock, so replicas may start together.
    pub fn open(
        config: &PoolConfig,
        schema: &str,
        migrator: &'static Migrator,
        lifecycle: &Lifecycle,
    ) -> anyhow::Result<Self> {
        let options = connect_options(config.url.expose_secret())?;
        let options = options.options([("search_path", schema)]);
        let max_connections = u32::try_from(config.max_connections)?;
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(config.acquire_timeout)
            .idle_timeout(config.max_idle)
            .max_lifetime(config.max_lifetime)
            .connect_lazy_with(options);
        let database = Self {
            pool,
            migrated: Arc::default(),
        };
        let migrating = database.clone();
        lifecycle.spawn_until_stop("migrations", async move {
            retry::until_ok("migration", || migrator.run(&migrating.pool)).await;
            migrating.migrated.store(true, Ordering::Release);
        });
        Ok(database)
    }

    /// Connections, to run statements on.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether the database answers and the schema is there; the text holds no secret.
    pub async fn check(&self) -> Result<(), String> {
        if !self.migrated.load(Ordering::Acquire) {
            return Err("the schema is not migrated yet".to_owned());
        }
        sqlx::query("select 1")
            .execute(&self.pool)
            .await
            .map_err(|_| "the database does not answer".to_owned())?;
        Ok(())
    }
}

/// The connection string means what it means to [`super::Pool`], whatever the driver makes of it.
fn connect_options(url: &str) -> anyhow::Result<PgConnectOptions> {
    let (rest, ssl) = SslOptions::take(url)?;
    let mode = match (ssl.mode, &ssl.root_certificate) {
        (Mode::Disable, _) => PgSslMode::Disable,
        (Mode::Prefer, _) => PgSslMode::Prefer,
        (Mode::Require, None) => PgSslMode::Require,
        (Mode::Require, Some(_)) | (Mode::VerifyCa, _) => PgSslMode::VerifyCa,
        (Mode::VerifyFull, _) => PgSslMode::VerifyFull,
    };
    let mut options = PgConnectOptions::from_str(&rest)?.ssl_mode(mode);
    if let Some(path) = ssl.root_certificate.filter(|path| path != SYSTEM) {
        options = options.ssl_root_cert(path);
    }
    if let Some(path) = ssl.certificate {
        options = options.ssl_client_cert(path);
    }
    if let Some(path) = ssl.key {
        options = options.ssl_client_key(path);
    }
    Ok(options)
}

/// Whether an error means that the database is away, rather than that it refused something.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(answer) => answer
            .code()
            .is_some_and(|code| code.starts_with("08") || code.starts_with("57P")),
        _ => false,
    }
}
