//! A server process that cannot outlive the process that started it.
//!
//! Rust's destructors do not run when a process is killed, so the server gets a guard of its own:
//! a shell that waits on a pipe from this process. A line on the pipe names a signal to send (an
//! orderly stop); the end of the pipe, which the kernel guarantees whatever becomes of this
//! process, makes the shell end the server and delete its directory.
//!
//! The server inherits the other pipe, the shell's standard output. It reaches its end when the
//! last process of the server has exited, which is how [`Process`] knows that it is really gone.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use tokio::{sync::watch, time::timeout};

use super::user::User;

/// How long a start may take; recovery after a crash is part of it.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// Pause between two questions to a server that is starting.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How long an earlier server on the same data may take to end.
const PREDECESSOR_DEADLINE: Duration = Duration::from_secs(3);

/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server may take to end before the wait for it is an error.
const EXIT_DEADLINE: Duration = Duration::from_secs(30);

/// Runs the server, waits for word or the end of the pipe, and ends it. The server gets what the
/// shell has as standard error as file 3.
const GUARD: &str = r#"
directory=$1 log=$2 last_signal=$3
shift 3
"$@" </dev/null 3<&2 2>>"$log" &
server=$!
echo "$server"
exec >/dev/null 2>&1
orphaned=
read -r signal || { signal=$last_signal orphaned=yes; }
kill -s "$signal" "$server"
wait "$server"
[ -z "$orphaned" ] || rm -rf -- "$directory"
"#;

/// Leads a server to a directory that was opened for it, though it could not go there itself.
pub(crate) const HANDED_OVER: &str = "/proc/self/fd/3";

/// What to run, and as whom.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) args: Vec<String>,
    /// The user to become; none keeps the current one.
    pub(crate) user: Option<User>,
    /// Working directory, deleted when nobody is left to use it.
    pub(crate) directory: &'a Path,
    /// Receives what the server writes to its standard error.
    pub(crate) log: PathBuf,
    /// A directory the server can use as [`HANDED_OVER`].
    pub(crate) handed_over: Option<File>,
    /// Ends the server when this process is gone; must work without fail.
    pub(crate) last_signal: Signal,
}

/// Waits for the server named in a lock file, which may be ending because its parent was killed.
/// One that stays is for the new server to complain about.
pub(crate) async fn wait_for_predecessor(lock: &Path) {
    let deadline = Instant::now() + PREDECESSOR_DEADLINE;
    let is_running = || {
        let text = std::fs::read_to_string(lock).ok()?;
        let pid: u32 = text.lines().next()?.trim().parse().ok()?;
        Path::new(&format!("/proc/{pid}")).exists().then_some(())
    };
    while is_running().is_some() && Instant::now() < deadline {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Signals a server is ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// An orderly end.
    Term,
    /// PostgreSQL's fast shutdown: clients are sent away, data is written.
    Int,
    /// PostgreSQL's immediate shutdown: nothing is written, the next start recovers.
    Quit,
    /// A crash.
    Kill,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    guard: Child,
    orders: Option<ChildStdin>,
    pid: u32,
    // Closed when the server has gone.
    running: watch::Receiver<()>,
    log: PathBuf,
}

impl Launch<'_> {
    /// Starts the server; it may still refuse to work, see [`Process::ready`].
    pub(crate) fn start(self) -> Result<Process> {
        let mut command = Command::new("sh");
        command
            .args(["-c", GUARD, "guard"])
            .args([self.directory, &self.log])
            .arg(self.last_signal.name())
            .arg(self.program)
            .args(self.args)
            .current_dir(self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(self.handed_over.map_or_else(Stdio::null, Stdio::from))
            // A terminal's Ctrl-C reaches this process alone, which then stops things in order.
            .process_group(0);
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        let mut guard = command.spawn().context("the guard shell did not start")?;
        let orders = guard.stdin.take();
        let output = guard.stdout.take().context("the guard has no output")?;

        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let pid = line.trim().parse().context("the guard named no process")?;

        let (alive, running) = watch::channel(());
        std::thread::spawn(move || {
            // Ends, with or without an error, when no process holds the pipe any more.
            let _ = std::io::copy(&mut output, &mut std::io::sink());
            drop(alive);
        });
        Ok(Process {
            guard,
            orders,
            pid,
            running,
            log: self.log,
        })
    }
}

impl Process {
    /// The server's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Asks until the server answers. When it exits or takes too long, it is ended, and the error
    /// has the end of its log; its files stay, so that another start can be tried.
    pub(crate) async fn ready<T>(self, ask: impl AsyncFn() -> Result<T>) -> Result<(Self, T)> {
        match self.answer(ask).await {
            Ok(answer) => Ok((self, answer)),
            Err(error) => {
                let error = error.context(format!("its log ends with:\n{}", self.log_tail()));
                self.end(Signal::Kill).await?;
                Err(error)
            }
        }
    }

    /// Sends `signal` and waits until every process of the server has gone; keeps its files.
    pub(crate) async fn end(mut self, signal: Signal) -> Result<()> {
        if let Some(orders) = &mut self.orders {
            writeln!(orders, "{}", signal.name()).context("the guard is gone")?;
        }
        // The channel carries no values: it can only close.
        let gone = timeout(EXIT_DEADLINE, self.running.changed()).await;
        if gone.is_err() {
            bail!("the server did not exit within {EXIT_DEADLINE:?}");
        }
        self.guard.wait().context("the guard was lost")?;
        Ok(())
    }

    async fn answer<T>(&self, ask: impl AsyncFn() -> Result<T>) -> Result<T> {
        let deadline = Instant::now() + START_DEADLINE;
        while self.running.has_changed().is_ok() {
            let answer = timeout(ANSWER_TIMEOUT, ask()).await;
            match answer.unwrap_or_else(|_| Err(anyhow!("no answer in {ANSWER_TIMEOUT:?}"))) {
                Ok(answer) => return Ok(answer),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context("the server does not answer"));
                }
                Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
        bail!("the server exited");
    }

    /// The last lines of the log.
    fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.guard.wait();
    }
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
        }
    }
}
