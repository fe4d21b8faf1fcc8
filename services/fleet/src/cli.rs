//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use common::config::{EXIT_CONFIGURATION, Invalid};

use crate::{doctor, keys, status, up};

/// Ferrobase: a backend for any front end, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "ferrobase", version)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where a stack lives.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// File with the variables; written with fresh secrets when missing.
    #[arg(long, global = true, default_value = ".env")]
    pub(crate) env_file: PathBuf,
    /// Directory of the private databases.
    #[arg(long, global = true, default_value = ".data")]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every service in this process on private databases; Ctrl-C stops all.
    Up,
    /// Show the gateway URL and the keys; make new ones with --rotate.
    Keys {
        /// Replace the JWT secret and both API keys; running services need a restart.
        #[arg(long)]
        rotate: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask every service of a running stack how it is.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look for what is wrong or unsafe: secrets, ports, disk, row-level security.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command line; a failed check or start gives a non-zero exit status.
pub fn main() -> ExitCode {
    let Cli { place, command } = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let result = runtime.block_on(async {
        match command {
            Command::Up => Box::pin(up::run(&place)).await.map(|()| true),
            Command::Keys { rotate, json } => keys::run(&place, rotate, json).map(|()| true),
            Command::Status { json } => status::run(&place, json).await,
            Command::Doctor { json } => doctor::run(&place, json).await,
        }
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("ferrobase: {error:#}");
    if error.is::<Invalid>() {
        ExitCode::from(EXIT_CONFIGURATION)
    } else {
        ExitCode::FAILURE
    }
}
