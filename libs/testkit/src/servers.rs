//! Private database servers, started from locally installed programs.
//!
//! Each can be temporary (random port, everything deleted at the end) or persistent (a directory
//! and a port of the caller's choice). In both forms the server ends with this process, however
//! that ends.

mod binary;
pub mod postgres;
mod process;
mod user;

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

pub use postgres::Postgres;
pub use process::Signal;

/// A port that nobody listened on a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
