//! What a running stack leaves for the other commands: where everything listens. No secrets.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Addresses of a running stack.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// Process id of `ferrobase up`.
    pub(crate) pid: u32,
    /// Base URL of each service, by name.
    pub(crate) services: BTreeMap<String, String>,
    /// Port of the private PostgreSQL on 127.0.0.1.
    pub(crate) postgres_port: u16,
}

impl State {
    /// The state that a running stack wrote to `data`.
    pub(crate) fn read(data: &Path) -> Result<Self> {
        let path = file(data);
        let text = std::fs::read_to_string(&path)
            .context("no stack is running here; start one with `ferrobase up`")?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Writes the state for others to read.
    pub(crate) fn write(&self, data: &Path) -> Result<()> {
        std::fs::write(file(data), serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }

    /// Removes what [`State::write`] left.
    pub(crate) fn remove(data: &Path) {
        if let Err(error) = std::fs::remove_file(file(data)) {
            tracing::debug!(%error, "no state to remove");
        }
    }
}

/// Held while a stack runs, so that two never share a data directory. Ends with the process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `data`, creating the directory first.
    pub(crate) fn take(data: &Path) -> Result<Self> {
        std::fs::create_dir_all(data)
            .with_context(|| format!("{} cannot be created", data.display()))?;
        let file = File::create(data.join("lock"))?;
        if file.try_lock().is_err() {
            bail!("another `ferrobase up` runs on {}", data.display());
        }
        Ok(Self { _file: file })
    }
}

fn file(data: &Path) -> PathBuf {
    data.join("stack.json")
}
