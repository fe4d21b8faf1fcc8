//! A connection to a server that may still be starting.

use std::time::{Duration, Instant};

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio_postgres::{Client, Connection, Error, NoTls, Socket, error::SqlState, tls::NoTlsStream};

use crate::Config;

const PAUSE: Duration = Duration::from_millis(250);

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects, again and again until the configured time is over when nobody answers.
pub(crate) async fn patiently(
    config: &Config,
) -> anyhow::Result<(Client, Connection<Socket, NoTlsStream>)> {
    let mut server: tokio_postgres::Config = config
        .admin_url
        .expose_secret()
        .parse()
        .context("DATABASE_ADMIN_URL")?;
    server
        .application_name("db-bootstrap")
        .connect_timeout(ATTEMPT_TIMEOUT);
    let deadline = Instant::now() + config.patience;
    loop {
        match server.connect(NoTls).await {
            Ok(connected) => return Ok(connected),
            Err(error) if !is_absence(&error) => {
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

/// Whether the server is not there yet, rather than there and refusing.
fn is_absence(error: &Error) -> bool {
    error
        .code()
        .is_none_or(|code| *code == SqlState::CANNOT_CONNECT_NOW)
}
