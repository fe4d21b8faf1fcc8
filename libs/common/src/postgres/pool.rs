//! A bounded pool of wire-protocol connections.

use std::{str::FromStr, time::Duration};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{NoTls, error::DbError};

use crate::config::Env;

/// How to connect, and how much.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Connection URL, password included.
    pub url: SecretString,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
}

impl PoolConfig {
    /// Reads the URL from `url_name` and leaves the rest at its defaults.
    pub fn from_env(env: &mut Env, url_name: &str) -> Self {
        let url = env.required(url_name);
        if !url.is_empty() && tokio_postgres::Config::from_str(&url).is_err() {
            env.problem(format!("{url_name} is not a PostgreSQL connection URL"));
        }
        Self {
            url: SecretString::from(url),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(10),
        }
    }
}

/// Why no answer came from the database.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// All connections stayed busy for the acquire timeout.
    #[error("timed out waiting for a free database connection")]
    Exhausted,
    /// No connection can be made, or it was lost.
    #[error("the database is unreachable")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database answered with an error.
    #[error("the database refused the statement")]
    Statement(#[source] tokio_postgres::Error),
}

impl Failure {
    /// The database's own error, if it answered.
    pub fn database(&self) -> Option<&DbError> {
        match self {
            Self::Statement(error) => error.as_db_error(),
            Self::Unreachable(_) | Self::Exhausted => None,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let lost = match error.as_db_error() {
            Some(answer) => is_farewell(answer),
            None => error.is_closed() || has_io_source(&error),
        };
        if lost {
            Self::Unreachable(Box::new(error))
        } else {
            Self::Statement(error)
        }
    }
}

/// Whether the server is going away or not there yet: class 08 (connection exceptions) and the
/// shutdown and start-up conditions of class 57.
fn is_farewell(answer: &DbError) -> bool {
    let code = answer.code().code();
    code.starts_with("08") || ["57P01", "57P02", "57P03"].contains(&code)
}

fn has_io_source(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// A bounded pool of connections, made when first needed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool(deadpool_postgres::Pool);

impl Pool {
    /// A pool; connects to nothing yet.
    pub fn new(config: &PoolConfig) -> anyhow::Result<Self> {
        let mut target = tokio_postgres::Config::from_str(config.url.expose_secret())?;
        target
            .connect_timeout(Duration::from_secs(5))
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(30));
        let manager = Manager::from_config(
            target,
            NoTls,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(config.max_connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(config.acquire_timeout))
            .create_timeout(Some(config.acquire_timeout))
            .build()?;
        Ok(Self(pool))
    }

    /// A connection of one's own until it is dropped.
    pub async fn get(&self) -> Result<Object, Failure> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => Failure::Exhausted,
            other => Failure::Unreachable(Box::new(other)),
        })
    }

    /// Asks the database for a sign of life; the text tells what is wrong and holds no secret.
    pub async fn ping(&self) -> Result<(), String> {
        let connection = self.get().await.map_err(|error| error.to_string())?;
        connection
            .simple_query("")
            .await
            .map_err(|_| "the database does not answer".to_owned())?;
        Ok(())
    }

    /// Closes idle connections and refuses new ones.
    pub fn close(&self) {
        self.0.close();
    }
}
