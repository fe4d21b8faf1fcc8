//! A connection to a server that may still be starting.

use std::{
    future::Future,
    io,
    time::{Duration, Instant},
};

use anyhow::Context;
use common::postgres::Target;
use tokio::time::timeout;
use tokio_postgres::{Client, Error, NoTls, error::SqlState};

use crate::Config;

const PAUSE: Duration = Duration::from_millis(250);

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("nobody can be reached there")]
    Unreachable(#[from] io::Error),
    #[error("it does not answer in time")]
    Silent(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Refused(#[from] Error),
}

/// Connects, again and again until the configured time is over when nobody answers. The second part has to
/// be polled for the first to get answers.
pub(crate) async fn patiently(
    config: &Config,
) -> anyhow::Result<(Client, impl Future<Output = Result<(), Error>> + use<>)> {
    let deadline = Instant::now() + config.patience;
    loop {
        match attempt(&config.admin).await {
            Ok(connected) => return Ok(connected),
            Err(error) if !error.is_absence() => {
                return Err(error).context("PostgreSQL refuses DATABASE_ADMIN_URL");
            }
            Err(error) if Instant::now() + PAUSE > deadline => {
                return Err(error).context("PostgreSQL does not answer");
            }
            Err(error) => tracing::info!(%error, "waiting for PostgreSQL"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attempt(
    target: &Target,
) -> Result<(Client, impl Future<Output = Result<(), Error>> + use<>), Failure> {
    let mut server = target.config().clone();
    server.application_name("db-bootstrap");
    let connecting = async {
        let stream = target.open().await?;
        Ok::<_, Failure>(server.connect_raw(stream, NoTls).await?)
    };
    timeout(ATTEMPT_TIMEOUT, connecting).await?
}

impl Failure {
    /// Whether the server is not there yet, rather than there and refusing.
    fn is_absence(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Silent(_) => true,
            Self::Refused(error) => error
                .code()
                .is_none_or(|code| *code == SqlState::CANNOT_CONNECT_NOW),
        }
    }
}
