//! A private PostgreSQL.

mod cluster;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use postgres_protocol::password::scram_sha_256;
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use super::{
    free_port,
    process::{Launch, Process, Signal},
    user::User,
};

/// The superuser of every cluster made here.
pub const SUPERUSER: &str = "postgres";

/// How long a start may take; recovery after a crash is part of it.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// Pause between two attempts to connect to a server that is starting.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Attempts to find a port that nobody takes between choosing and using it.
const PORT_ATTEMPTS: u32 = 5;

/// Longest directory a Unix socket fits in (the kernel allows 107 bytes for the whole path).
const MAX_SOCKET_DIRECTORY_BYTES: usize = 80;

/// Who may connect: everybody with a password by TCP, the server's own account by socket.
const HBA: &str = "\
local all         all              trust
local replication all              trust
host  all         all 127.0.0.1/32 scram-sha-256
host  replication all 127.0.0.1/32 scram-sha-256
";

/// Settings of both forms.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_permissions=0700",
    "password_encryption=scram-sha-256",
    "wal_level=logical",
    "max_connections=200",
    "max_wal_senders=20",
    "max_replication_slots=20",
    "jit=off",
    "log_line_prefix=%m [%p] %q%u@%d ",
];

/// Settings of a server whose data nobody will miss.
const TEMPORARY_SETTINGS: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=64MB",
];

/// Where and how a server runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Directory of `postgres` and `initdb`; searched for when not given.
    pub programs: Option<PathBuf>,
    /// Port on 127.0.0.1; a free one when not given.
    pub port: Option<u16>,
    /// Password of the superuser; a random one when not given.
    pub password: Option<String>,
    /// Where the data stays; without it everything is deleted at the end.
    pub data: Option<PathBuf>,
    /// More settings, as `name=value`.
    pub settings: Vec<String>,
}

/// A running server. Dropping it, or the end of this process, ends the server.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    programs: PathBuf,
    data: PathBuf,
    user: Option<User>,
    port: u16,
    password: String,
    settings: Vec<String>,
    // Last: deleted after the server has ended.
    runtime: TempDir,
}

impl Postgres {
    /// A server with random port and password, no regard for crashes, and no trace left behind.
    pub async fn temporary() -> Result<Self> {
        Self::start(Options::default()).await
    }

    /// A server as described, accepting connections.
    pub async fn start(options: Options) -> Result<Self> {
        let fixed_port = options.port.is_some();
        let mut server = tokio::task::spawn_blocking(|| Self::prepare(options)).await??;
        let mut attempt = 1;
        while let Err(error) = server.resume().await {
            if fixed_port || attempt == PORT_ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
            server.port = free_port()?;
        }
        Ok(server)
    }

    /// A URL for `role` and `database`.
    pub fn url_for(&self, role: &str, password: &str, database: &str) -> String {
        format!(
            "postgres://{role}:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// A URL for the superuser and `database`.
    pub fn url(&self, database: &str) -> String {
        self.url_for(SUPERUSER, &self.password, database)
    }

    /// The port on 127.0.0.1, the same after every restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the running server.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Where the data is.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A connection as superuser that needs no password, by Unix socket.
    pub async fn connect(&self, database: &str) -> Result<Client> {
        let mut config = Config::new();
        config
            .host_path(self.runtime.path())
            .port(self.port)
            .user(SUPERUSER)
            .dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        crate::postgres::drive(connection);
        Ok(client)
    }

    /// Ends the server in an orderly way: clients are sent away, data is written.
    pub async fn stop(&mut self) -> Result<()> {
        self.end(Signal::Int).await
    }

    /// Ends the server as a crash would.
    pub async fn kill(&mut self) -> Result<()> {
        self.end(Signal::Kill).await
    }

    /// Starts a stopped server again, on the same port and data.
    pub async fn resume(&mut self) -> Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        let process = self.launch()?;
        let deadline = Instant::now() + START_DEADLINE;
        let client = loop {
            process.check()?;
            match self.connect("postgres").await {
                Ok(client) => break client,
                Err(error) if Instant::now() > deadline => {
                    bail!(
                        "PostgreSQL does not answer: {error:#}\n{}",
                        process.log_tail()
                    )
                }
                Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        };
        let verifier = scram_sha_256(self.password.as_bytes());
        client
            .batch_execute(&format!("alter role {SUPERUSER} password '{verifier}'"))
            .await
            .context("the superuser's password cannot be set")?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops and starts the server.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.resume().await
    }

    async fn end(&mut self, signal: Signal) -> Result<()> {
        match self.process.take() {
            Some(process) => process.end(signal).await,
            None => Ok(()),
        }
    }

    /// Everything that comes before the first start.
    fn prepare(options: Options) -> Result<Self> {
        let programs = cluster::programs(options.programs)?;
        let user = User::unprivileged()?;
        let runtime = runtime_directory(user)?;
        std::fs::write(runtime.path().join("hba.conf"), HBA)?;

        let mut settings: Vec<String> = SETTINGS.iter().map(ToString::to_string).collect();
        let data = if let Some(data) = options.data {
            cluster::create_once(&programs, &data, user)?;
            data.canonicalize()?
        } else {
            let data = runtime.path().join("data");
            cluster::copy_prepared(&programs, &data, user)?;
            settings.extend(TEMPORARY_SETTINGS.iter().map(ToString::to_string));
            data
        };
        settings.extend(options.settings);
        Ok(Self {
            process: None,
            programs,
            data,
            user,
            port: options.port.map_or_else(free_port, Ok)?,
            password: options
                .password
                .unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string()),
            settings,
            runtime,
        })
    }

    fn launch(&self) -> Result<Process> {
        let runtime = self.runtime.path();
        let mut args = vec!["-D".to_owned(), self.data.display().to_string()];
        let own = [
            format!("port={}", self.port),
            format!("unix_socket_directories={}", runtime.display()),
            format!("hba_file={}", runtime.join("hba.conf").display()),
        ];
        for setting in own.iter().chain(&self.settings) {
            args.extend(["-c".to_owned(), setting.clone()]);
        }
        Launch {
            program: &self.programs.join("postgres"),
            args,
            user: self.user,
            directory: runtime,
            log: runtime.join("postgres.log"),
            last_signal: Signal::Quit,
        }
        .start()
        .context("PostgreSQL cannot be started")
    }
}

/// A new directory for socket, log and temporary data, owned by the account the server runs as.
fn runtime_directory(user: Option<User>) -> Result<TempDir> {
    let preferred = std::env::temp_dir();
    let base = if preferred.as_os_str().len() > MAX_SOCKET_DIRECTORY_BYTES
        || user.is_some_and(|user| !user.can_reach(&preferred.join("new")))
    {
        PathBuf::from("/tmp")
    } else {
        preferred
    };
    let runtime = tempfile::Builder::new()
        .prefix("ferrobase-postgres-")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(base)?;
    if let Some(user) = user {
        user.own(runtime.path())?;
    }
    Ok(runtime)
}
