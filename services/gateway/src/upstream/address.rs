//! One address of an upstream: its kept connections and its health.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::connection::Connection;
use crate::workers::{self, MAX_WORKERS};

/// Connections one worker keeps for one address.
const MAX_IDLE: usize = 256;

/// Memory a kept connection may hold for what it reads.
const MAX_KEPT_BYTES: usize = 4096;

/// How long after its last request a connection is kept; shorter than services keep theirs.
const IDLE_FOR: Duration = Duration::from_secs(10);

/// Longest time in which an address that failed must accept a connection to be used again.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Boxed, as they come and go with every request and are large.
type Kept = Vec<Box<Connection>>;

/// The kept connections of one worker, on lines of the cache that no other worker writes to.
#[repr(align(128))]
struct Own(Mutex<Kept>);

/// A place where an upstream listens.
pub(crate) struct Address {
    socket: SocketAddr,
    host: Box<str>,
    /// By the worker that opened them.
    idle: Box<[Own]>,
    failures: AtomicU32,
}

impl Address {
    /// An address nothing is known about yet; requests to it say `host`.
    pub(crate) fn new(socket: SocketAddr, host: &str) -> Self {
        Self {
            socket,
            host: host.into(),
            idle: (0..MAX_WORKERS).map(|_| Own(Mutex::default())).collect(),
            failures: AtomicU32::new(0),
        }
    }

    /// Where it is.
    pub(crate) fn socket(&self) -> SocketAddr {
        self.socket
    }

    /// The `Host` header of requests to it.
    pub(crate) fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }

    /// Whether the last attempt to connect to it failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures() > 0
    }

    /// Connection attempts that failed since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Connections waiting for a request.
    pub(crate) fn idle_connections(&self) -> usize {
        self.idle.iter().map(|idle| lock(idle).len()).sum()
    }

    /// A kept connection. It may have ended a moment ago, which shows before anything is sent on it.
    pub(crate) fn take_idle(&self, now: Instant) -> Option<Box<Connection>> {
        let connection = lock(self.own_idle()?).pop()?;
        (now - connection.last_used() < IDLE_FOR).then_some(connection)
    }

    /// Keeps a connection for the next request.
    pub(crate) fn keep(&self, mut connection: Box<Connection>) {
        connection.inbox.shrink(MAX_KEPT_BYTES);
        let Some(idle) = self.own_idle() else { return };
        let mut idle = lock(idle);
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }

    /// Closes connections that were not needed for a while.
    pub(crate) fn drop_stale(&self) {
        for idle in &self.idle {
            lock(idle).retain(|connection| connection.last_used().elapsed() < IDLE_FOR);
        }
    }

    /// A new connection; the outcome is remembered.
    pub(crate) async fn connect(&self, limit: Duration) -> io::Result<Box<Connection>> {
        let connected = tokio::time::timeout(limit, Connection::open(self.socket)).await;
        match connected.unwrap_or_else(|elapsed| Err(elapsed.into())) {
            Ok(connection) => {
                if self.failures.swap(0, Ordering::Relaxed) > 0 {
                    tracing::info!(address = %self.socket, "upstream address is back");
                }
                Ok(connection)
            }
            Err(error) => {
                self.failed(&error);
                Err(error)
            }
        }
    }

    /// Looks whether it can be reached again.
    pub(crate) async fn probe(&self) {
        // The outcome is remembered, which is all that matters.
        self.connect(PROBE_TIMEOUT).await.ok();
    }

    fn failed(&self, error: &io::Error) {
        let before = self.failures.fetch_add(1, Ordering::Relaxed);
        for idle in &self.idle {
            lock(idle).clear();
        }
        if before == 0 {
            tracing::warn!(address = %self.socket, %error, "upstream address fails");
        }
    }

    /// The connections of this worker.
    fn own_idle(&self) -> Option<&Own> {
        self.idle.get(workers::current())
    }
}

fn lock(own: &Own) -> MutexGuard<'_, Kept> {
    own.0.lock().unwrap_or_else(PoisonError::into_inner)
}
