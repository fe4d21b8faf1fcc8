//! Prepares PostgreSQL for the services: roles, schemas, helper functions, the rule that exposed
//! tables are closed until a policy opens them, and the tables of the quick start.
//!
//! The job connects as superuser, changes what is not as it should be, tells what it changed and
//! ends. It can run again at any time, also while the services run: everything happens in one
//! transaction under an advisory lock, and what is right already is not touched.

mod config;
mod connect;
mod replication;
mod report;
mod roles;
mod schemas;
mod scram;
mod scripts;

use std::process::ExitCode;

use anyhow::Context;
use common::job;
use tokio_postgres::Client;

pub use config::Config;
pub use report::Report;

/// The scripts mean the same whatever the superuser's own settings are.
const SESSION: &str = "set search_path = pg_catalog; set client_min_messages = warning";

/// Held while a run changes things, so that two runs do not meet.
const LOCK: &str = "select pg_advisory_xact_lock(hashtext('ferrobase.db-bootstrap'))";

/// Brings the database to the state the services expect.
pub async fn run(config: &Config) -> anyhow::Result<Report> {
    let (mut client, connection) = connect::patiently(config).await?;
    tokio::select! {
        biased;
        report = prepare(&mut client, config) => report,
        end = connection => {
            end?;
            anyhow::bail!("PostgreSQL closed the connection")
        }
    }
}

/// The whole of the job's `main`.
pub fn main() -> ExitCode {
    job::main(async |config: Config| {
        run(&config).await?.log();
        Ok(())
    })
}

async fn prepare(client: &mut Client, config: &Config) -> anyhow::Result<Report> {
    client.batch_execute(SESSION).await?;
    require_superuser(client).await?;
    let mut report = Report::default();

    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCK).await?;
    roles::apply(&transaction, config, &mut report)
        .await
        .context("roles")?;
    schemas::apply(&transaction, &mut report)
        .await
        .context("schemas")?;
    scripts::apply(&transaction, config, &mut report).await?;
    transaction.commit().await?;

    replication::apply(client, &mut report)
        .await
        .context("replication settings")?;
    Ok(report)
}

async fn require_superuser(client: &Client) -> anyhow::Result<()> {
    let row = client
        .query_one(
            "select rolsuper from pg_roles where rolname = current_user",
            &[],
        )
        .await?;
    anyhow::ensure!(
        row.get::<_, bool>(0),
        "DATABASE_ADMIN_URL names a role that is not a superuser"
    );
    Ok(())
}
