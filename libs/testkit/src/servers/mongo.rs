//! A private MongoDB: a replica set of one, since change streams and transactions need a set; or of
//! several members, where a test needs one to take over from another.

mod set;
mod wire;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{
    binary::{cache_directory, on_path},
    port::Port,
    process::{Launch, Process, Signal, wait_for_predecessor},
    runtime,
};
pub use set::ReplicaSet;
use wire::{Document, Reply};

/// Name of the replica set.
const REPLICA_SET: &str = "rs0";

/// The field of an answer to `hello` that is true of the member that takes writes.
const PRIMARY: &str = "isWritablePrimary";

/// What both forms are started with.
const ARGUMENTS: &[&str] = &[
    "--bind_ip=127.0.0.1",
    "--nounixsocket",
    "--quiet",
    "--wiredTigerCacheSizeGB=0.25",
    // Nobody takes over from a set of one, so it need not wait for that when it stops.
    "--setParameter=shutdownTimeoutMillisForSignaledShutdown=0",
    "--setParameter=diagnosticDataCollectionEnabled=false",
];

/// Where and how a server runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The program `mongod`; searched for when not given.
    pub program: Option<PathBuf>,
    /// Port on 127.0.0.1; a free one when not given.
    pub port: Option<u16>,
    /// Where the data stays; without it everything is deleted at the end.
    pub data: Option<PathBuf>,
}

/// A running server. Dropping it, or the end of this process, ends the server.
#[derive(Debug)]
pub struct Mongo {
    process: Option<Process>,
    program: PathBuf,
    data: PathBuf,
    port: Port,
    // Last: deleted after the server has ended.
    runtime: TempDir,
}

impl Mongo {
    /// A server with a random port that leaves no trace.
    pub async fn temporary() -> Result<Self> {
        Self::start(Options::default()).await
    }

    /// A server as described, with an elected primary.
    pub async fn start(options: Options) -> Result<Self> {
        let mut server = Self::prepare(options)?;
        server.resume().await?;
        Ok(server)
    }

    /// A server as described, not running yet.
    fn prepare(options: Options) -> Result<Self> {
        let runtime = runtime::directory("mongo", None)?;
        let data = options.data.unwrap_or_else(|| runtime.path().join("data"));
        std::fs::create_dir_all(&data)
            .with_context(|| format!("cannot create {}", data.display()))?;
        Ok(Self {
            process: None,
            program: options.program.or_else(program).context(
                "MongoDB is not installed: no mongod in MONGOD, on PATH or in the cache directory",
            )?,
            data: data.canonicalize()?,
            port: Port::choose(options.port)?,
            runtime,
        })
    }

    /// A connection string.
    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port())
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

    /// Ends the server in an orderly way.
    pub async fn stop(&mut self) -> Result<()> {
        self.end(Signal::Term).await
    }

    /// Ends the server as a crash would.
    pub async fn kill(&mut self) -> Result<()> {
        self.end(Signal::Kill).await
    }

    /// Starts a stopped server again, on the same port and data.
    pub async fn resume(&mut self) -> Result<()> {
        self.run_until(async |server| server.become_primary().await)
            .await
    }

    /// Starts a stopped server again and waits until it is as wanted.
    async fn run_until(&mut self, wanted: impl AsyncFn(&Self) -> Result<()>) -> Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        wait_for_predecessor(&self.data.join("mongod.lock")).await;
        let process = self.launch()?;
        let (process, ()) = process.ready(async || wanted(self).await).await?;
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

    fn launch(&self) -> Result<Process> {
        let mut args = vec![
            format!("--dbpath={}", self.data.display()),
            format!("--port={}", self.port()),
            format!("--replSet={REPLICA_SET}"),
            format!("--logpath={}", self.log().display()),
            "--logappend".to_owned(),
        ];
        args.extend(ARGUMENTS.iter().map(ToString::to_string));
        Launch {
            program: &self.program,
            args,
            user: None,
            directory: self.runtime.path(),
            log: self.log(),
            handed_over: None,
            last_signal: Signal::Kill,
        }
        .start()
        .context("MongoDB cannot be started")
    }

    fn log(&self) -> PathBuf {
        self.runtime.path().join("mongod.log")
    }

    /// Fails until the server is the primary of its set, which is made when there is none.
    async fn become_primary(&self) -> Result<()> {
        let hello = self.hello().await?;
        if hello.is_true("isreplicaset") {
            self.form_set().await?;
        }
        ensure!(hello.is_true(PRIMARY), "no primary yet");
        Ok(())
    }

    /// Makes the set, or puts this server's port into one that was made with another.
    async fn form_set(&self) -> Result<()> {
        let initiate = Document::default().document("replSetInitiate", self.set(1));
        if self.run(initiate).await?.is_ok() {
            return Ok(());
        }
        let change = Document::default()
            .document("replSetReconfig", self.set(2))
            .flag("force", true);
        let reply = self.run(change).await?;
        ensure!(reply.is_ok(), "no replica set: {}", reply.text());
        Ok(())
    }

    fn set(&self, version: i32) -> Document {
        configuration(version, [self.address()])
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    async fn hello(&self) -> Result<Reply> {
        self.run(Document::default().int("hello", 1)).await
    }

    async fn run(&self, command: Document) -> Result<Reply> {
        wire::run(self.port(), command).await
    }
}

/// The configuration of a set of members at these addresses.
fn configuration(version: i32, addresses: impl IntoIterator<Item = String>) -> Document {
    let members = (0..)
        .zip(addresses)
        .map(|(id, address)| Document::default().int("_id", id).text("host", &address));
    Document::default()
        .text("_id", REPLICA_SET)
        .int("version", version)
        .list("members", members)
}

/// `mongod` as named by the variable `MONGOD`, on the path, or where the installer puts it.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("MONGOD").map(PathBuf::from);
    let installed = || cache_directory().join("mongodb/bin/mongod");
    named
        .filter(|program| program.is_file())
        .or_else(|| on_path("mongod"))
        .or_else(|| Some(installed()).filter(|program| program.is_file()))
}
