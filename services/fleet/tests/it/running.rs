//! The real binary on private data.

use std::{
    fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio, time::Duration,
};

use fleet::dotenv;
use serde_json::Value;
use tempfile::TempDir;
use testkit::wait::eventually;
use tokio::process::{Child, Command};

/// `ferrobase up` in a directory of its own. Dropping it kills the process.
pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) anon_key: String,
    pub(crate) admin_url: String,
    state: Value,
    home: TempDir,
}

impl Running {
    /// A stack that is ready.
    pub(crate) async fn start() -> Self {
        // PostgreSQL may have to run as another user, who must be able to pass through.
        let home = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        let process = command(&home)
            .arg("up")
            .env("GATEWAY_PORT", "0")
            .env("GATEWAY_ADMIN_LISTEN", "off")
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let state_file = home.path().join("data/stack.json");
        let state: Value = eventually("the stack is up", Duration::from_mins(1), async || {
            serde_json::from_slice(&std::fs::read(&state_file).ok()?).ok()
        })
        .await;
        let variables = dotenv::load(&env_file(&home)).unwrap();
        Self {
            admin_url: format!(
                "postgres://postgres:{}@127.0.0.1:{}/postgres",
                variables["POSTGRES_PASSWORD"], state["postgres_port"]
            ),
            anon_key: variables["ANON_KEY"].clone(),
            process,
            state,
            home,
        }
    }

    /// Base URL of a service.
    pub(crate) fn url(&self, service: &str) -> &str {
        self.state["services"][service].as_str().unwrap()
    }

    /// Runs another command on the same stack; gives whether it succeeded, and what it printed.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (bool, Value) {
        let output = command(&self.home).args(arguments).output().await.unwrap();
        let printed = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.success(), printed)
    }
}

fn env_file(home: &TempDir) -> PathBuf {
    home.path().join(".env")
}

fn command(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrobase"));
    command
        .arg("--env-file")
        .arg(env_file(home))
        .arg("--data")
        .arg(home.path().join("data"))
        // A proxy is for the world outside; through this one nothing is reached.
        .env("HTTP_PROXY", "http://127.0.0.1:9");
    command
}
