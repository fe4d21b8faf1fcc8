//! The tables of schema `auth`; the only place with SQL.
//!
//! Functions take a connection, so that a request joins as many of them as it needs in one
//! transaction. Locks are taken in one order: user, identity, session, refresh tokens.

pub mod audit;
pub mod cleanup;
pub mod custom_providers;
pub mod factors;
pub mod flow_states;
pub mod hooks;
pub mod identities;
pub mod oauth_authorizations;
pub mod oauth_clients;
pub mod oauth_consents;
pub mod oauth_flows;
pub mod one_time_tokens;
pub mod passkeys;
pub mod recovery_codes;
pub mod refresh_tokens;
pub mod saml_flows;
pub mod sessions;
pub mod sso_providers;
pub mod users;
pub mod webauthn_challenges;

use sqlx::{PgConnection, PgPool, Postgres, Transaction, migrate::Migrator};

/// The migrations of schema `auth`.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// The pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(PgPool);

impl Store {
    /// A store over `pool`.
    pub fn new(pool: PgPool) -> Self {
        Self(pool)
    }

    /// Begins a transaction; dropping it rolls back.
    pub async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.0.begin().await
    }

    /// A connection for statements that need no transaction.
    pub async fn connection(&self) -> sqlx::Result<sqlx::pool::PoolConnection<Postgres>> {
        self.0.acquire().await
    }
}

/// Bounds how long this transaction waits for a row another one has locked.
pub async fn bound_lock_waits(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select set_config('lock_timeout', '5s', true)")
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether the statement gave up waiting for a locked row, or was chosen to end a deadlock.
pub fn is_contention(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(answer)
        if answer.code().is_some_and(|code| code == "55P03" || code == "40P01"))
}
