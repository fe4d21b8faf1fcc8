//! A private PostgreSQL.

mod cluster;
mod tls;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postgres_protocol::password::scram_sha_256;
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

pub use self::tls::Certificate;
use super::{
    port::Port,
    process::{HANDED_OVER, Launch, Process, Signal, wait_for_predecessor},
    runtime,
    user::User,
};

/// The superuser of every cluster made here.
pub const SUPERUSER: &str = "postgres";

/// What cannot stand for itself in a part of a URL.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// The file of [`HBA`].
const RULES: &str = "hba.conf";

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
    "full_page_writes=off",
    "shared_buffers=64MB",
    "max_wal_size=128MB",
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
    port: Port,
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
        let mut server = tokio::task::spawn_blocking(|| Self::prepare(options)).await??;
        server.resume().await?;
        Ok(server)
    }

    /// A URL for `role` and `database`.
    pub fn url_for(&self, role: &str, password: &str, database: &str) -> String {
        let [role, password, database] =
            [role, password, database].map(|part| utf8_percent_encode(part, ESCAPED));
        let port = self.port();
        format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}")
    }

    /// A URL for the superuser and `database`.
    pub fn url(&self, database: &str) -> String {
        self.url_for(SUPERUSER, &self.password, database)
    }

    /// The port on 127.0.0.1, the same after every restart.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process id of the running server.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Where the data is.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What the server has logged since it was first started.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.log_file())?)
    }

    /// A connection as superuser that needs no password, by Unix socket.
    pub async fn connect(&self, database: &str) -> Result<Client> {
        let mut config = Config::new();
        config
            .host_path(self.runtime.path())
            .port(self.port())
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
        wait_for_predecessor(&self.data.join("postmaster.pid")).await;
        let process = self.launch()?;
        let (process, client) = process.ready(|| self.connect("postgres")).await?;
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
        let runtime = runtime::fast_directory("postgres", user)?;
        std::fs::write(runtime.path().join(RULES), HBA)?;

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
            port: Port::choose(options.port)?,
            password: options
                .password
                .unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string()),
            settings,
            runtime,
        })
    }

    fn launch(&self) -> Result<Process> {
        let runtime = self.runtime.path();
        let config = runtime.join("postgresql.conf");
        std::fs::write(&config, self.configuration())?;
        let is_reachable = self.user.is_none_or(|user| user.can_reach(&self.data));
        let (data, handed_over) = if is_reachable {
            (self.data.display().to_string(), None)
        } else {
            (HANDED_OVER.to_owned(), Some(File::open(&self.data)?))
        };
        Launch {
            program: &self.programs.join("postgres"),
            args: vec![
                "-D".to_owned(),
                data,
                format!("--config-file={}", config.display()),
            ],
            user: self.user,
            directory: runtime,
            log: self.log_file(),
            handed_over,
            last_signal: Signal::Quit,
        }
        .start()
        .context("PostgreSQL cannot be started")
    }

    fn log_file(&self) -> PathBuf {
        self.runtime.path().join("postgres.log")
    }

    fn rules(&self) -> PathBuf {
        self.runtime.path().join(RULES)
    }

    /// The configuration file. `alter system` has the last word, as on any server.
    fn configuration(&self) -> String {
        let runtime = self.runtime.path();
        let own = [
            format!("port={}", self.port()),
            format!("unix_socket_directories={}", runtime.display()),
            format!("hba_file={}", self.rules().display()),
        ];
        let settings = own.iter().chain(&self.settings);
        settings.fold(String::new(), |text, setting| {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            format!("{text}{name} = '{}'\n", value.replace('\'', "''"))
        })
    }
}
