//! Prepares MongoDB for the services: the replica set that change streams need, the administrator,
//! and the user of each service.
//!
//! A new server that demands logins lets nobody in but a client on its own machine, and that one
//! only to make the first user. So this job runs in the network of the server (in Compose:
//! `network_mode: service:mongo`). It changes what is not as it should be and ends; it can run again
//! at any time, and gives the services' users the passwords it is told.

mod config;
mod server;

use std::{process::ExitCode, time::Instant};

use common::job;

pub use config::Config;
use server::Server;

/// The user of the service `mongo-api`.
const MONGO_API: &str = "mongo_api";

/// Brings the server to the state the services expect.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let deadline = Instant::now() + config.patience;
    let stranger = Server::new(&config.server, None)?;
    stranger.answers(deadline).await?;
    if stranger
        .form_set(&config.replica_set, &config.member)
        .await?
    {
        tracing::info!(set = config.replica_set, "made the replica set");
    }
    stranger.is_primary(deadline).await?;
    if stranger.create_root(&config.root_password).await? {
        tracing::info!("made the administrator");
    }

    let root = Server::new(&config.server, Some(&config.root_password))?;
    root.answers(deadline).await?;
    let is_new = root
        .ensure_user(MONGO_API, &config.password, &config.database)
        .await?;
    tracing::info!(user = MONGO_API, is_new, "MongoDB is prepared");
    Ok(())
}

/// The whole of the job's `main`.
pub fn main() -> ExitCode {
    job::main(async |config: Config| run(&config).await)
}
