//! A private Redis that keeps nothing.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    binary::on_path,
    port::Port,
    process::{Launch, Process, Signal},
    runtime,
};

/// A running server. Dropping it, or the end of this process, ends the server.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    port: Port,
    // Last: deleted after the server has ended.
    runtime: TempDir,
}

impl Redis {
    /// A server with a random port.
    pub async fn temporary() -> Result<Self> {
        let mut server = Self {
            process: None,
            port: Port::choose(None)?,
            runtime: runtime::directory("redis", None)?,
        };
        server.resume().await?;
        Ok(server)
    }

    /// A connection string.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// The port on 127.0.0.1, the same after every restart.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process id of the running server.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.runtime.path()
    }

    /// Ends the server in an orderly way.
    pub async fn stop(&mut self) -> Result<()> {
        self.end(Signal::Term).await
    }

    /// Ends the server as a crash would.
    pub async fn kill(&mut self) -> Result<()> {
        self.end(Signal::Kill).await
    }

    /// Starts a stopped server again, empty and on the same port.
    pub async fn resume(&mut self) -> Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        let process = self.launch()?;
        let (process, ()) = process.ready(async || ping(self.port()).await).await?;
        self.process = Some(process);
        Ok(())
    }

    async fn end(&mut self, signal: Signal) -> Result<()> {
        match self.process.take() {
            Some(process) => process.end(signal).await,
            None => Ok(()),
        }
    }

    fn launch(&self) -> Result<Process> {
        let program = on_path("redis-server").context("Redis is not installed")?;
        let directory = self.runtime.path();
        let log = directory.join("redis.log");
        let settings = [
            ("--bind", "127.0.0.1".to_owned()),
            ("--port", self.port().to_string()),
            ("--dir", directory.display().to_string()),
            ("--logfile", log.display().to_string()),
            ("--save", String::new()),
            ("--appendonly", "no".to_owned()),
        ];
        let args = settings
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        Launch {
            program: &program,
            args: args.collect(),
            user: None,
            directory,
            log,
            handed_over: None,
            last_signal: Signal::Kill,
        }
        .start()
        .context("Redis cannot be started")
    }
}

async fn ping(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    ensure!(&answer == b"+PONG\r\n", "Redis is not ready");
    Ok(())
}
