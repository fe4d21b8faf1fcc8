//! A bounded pool of connections, opened when first needed.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::{config::Env, lifecycle::Lifecycle};

use super::{
    Connection, Failure, InvalidTarget, Target,
    connect::{cancel, connect},
};

/// How often idle connections are looked through for ones to close.
const REAP_EVERY: Duration = Duration::from_secs(5);

/// Statements each connection keeps prepared. They cost memory on both sides, and with user-made
/// shapes of requests their number must have a bound.
const CACHED_STATEMENTS: usize = 250;

/// How to connect, and how much.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Connection URL, password included.
    pub url: SecretString,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
    /// How long a connection may stay unused.
    pub max_idle: Duration,
    /// How long a connection may live.
    pub max_lifetime: Duration,
    /// Statements each connection keeps prepared; none when zero.
    pub cached_statements: usize,
}

impl PoolConfig {
    /// Reads the URL from `url_name` and leaves the rest at its defaults.
    pub fn from_env(env: &mut Env, url_name: &str) -> Self {
        let url = env.required(url_name);
        Self::checked(env, url_name, url)
    }

    /// The defaults for the URL that `url_name` stands for; notes when it cannot be used.
    pub fn checked(env: &mut Env, url_name: &str, url: String) -> Self {
        if !url.is_empty()
            && let Err(problem) = url.parse::<Target>()
        {
            env.problem(format!("{url_name} is not usable: {problem}"));
        }
        Self::new(url)
    }

    /// The defaults for a URL.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            max_idle: Duration::from_mins(1),
            max_lifetime: Duration::from_mins(30),
            cached_statements: CACHED_STATEMENTS,
        }
    }
}

/// A bounded pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    target: Target,
    config: PoolConfig,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    generation: AtomicU64,
    epoch: AtomicU64,
    keeps_statements: AtomicBool,
    waiting: AtomicUsize,
    timeouts: AtomicU64,
    lifecycle: Lifecycle,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    age: Age,
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Age {
    born: Instant,
    /// Which tables its statements were prepared for.
    generation: u64,
    /// Which settings of the database it began with.
    epoch: u64,
}

/// How much of a pool is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Open connections that nobody uses.
    pub available: usize,
    /// Those who wait for a connection.
    pub waiting: usize,
    /// Most connections at a time.
    pub max: usize,
    /// Waits that were given up since the start.
    pub timeouts: u64,
}

/// Counts one who waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection on loan. It goes back when dropped, unless it was left in the middle of something:
/// then the server is told to cancel that, and the connection is closed.
#[derive(Debug)]
pub struct Lease {
    /// Present until dropped.
    connection: Option<Connection>,
    age: Age,
    pool: Pool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool; connects to nothing yet.
    pub fn new(config: &PoolConfig, lifecycle: &Lifecycle) -> Result<Self, InvalidTarget> {
        let pool = Self(Arc::new(Inner {
            target: config.url.expose_secret().parse()?,
            config: config.clone(),
            permits: Arc::new(Semaphore::new(config.max_connections)),
            idle: Mutex::default(),
            generation: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            keeps_statements: AtomicBool::new(true),
            waiting: AtomicUsize::new(0),
            timeouts: AtomicU64::new(0),
            lifecycle: lifecycle.clone(),
        }));
        let reaped = pool.clone();
        lifecycle.spawn_until_stop("connection reaper", async move {
            loop {
                tokio::time::sleep(REAP_EVERY).await;
                reaped.close_expired();
            }
        });
        Ok(pool)
    }

    /// A connection of one's own, waiting for a free one if need be.
    pub async fn acquire(&self) -> Result<Lease, Failure> {
        if let Ok(permit) = Arc::clone(&self.0.permits).try_acquire_owned()
            && let Some(idle) = self.take_idle()
        {
            return Ok(self.lend(idle.connection, idle.age, permit));
        }
        let waiting = Waiting::new(&self.0.waiting);
        let acquired = timeout(self.0.config.acquire_timeout, self.wait()).await;
        drop(waiting);
        acquired.unwrap_or_else(|_| {
            self.0.timeouts.fetch_add(1, Ordering::Relaxed);
            Err(Failure::PoolTimeout)
        })
    }

    /// How much of it is in use, as of now.
    pub fn state(&self) -> PoolState {
        PoolState {
            available: self.idle().len(),
            waiting: self.0.waiting.load(Ordering::Relaxed),
            max: self.0.config.max_connections,
            timeouts: self.0.timeouts.load(Ordering::Relaxed),
        }
    }

    /// A new connection outside the pool, for listening.
    pub async fn connect_apart(&self) -> Result<Connection, Failure> {
        connect(&self.0.target, self.cached_statements()).await
    }

    /// Has every connection prepare its statements anew, because tables changed.
    pub fn forget_statements(&self) {
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    /// Has every connection keep its statements prepared from now on, or none.
    pub fn keep_statements(&self, keep: bool) {
        if self.0.keeps_statements.swap(keep, Ordering::AcqRel) != keep {
            self.forget_statements();
        }
    }

    /// Has every connection replaced, because it began with settings that have changed. What runs
    /// goes on.
    pub fn renew(&self) {
        self.0.epoch.fetch_add(1, Ordering::Release);
        let outdated = std::mem::take(&mut *self.idle());
        drop(outdated);
    }

    /// Asks the database for a sign of life; the text tells what is wrong and holds no secret.
    pub async fn ping(&self) -> Result<(), String> {
        let away = |_| "the database does not answer".to_owned();
        let mut lease = self.acquire().await.map_err(away)?;
        lease.run(&[]).await.map(drop).map_err(away)
    }

    async fn wait(&self) -> Result<Lease, Failure> {
        let permit = Arc::clone(&self.0.permits).acquire_owned().await;
        // The semaphore is never closed.
        let permit = permit.map_err(|_| Failure::PoolTimeout)?;
        if let Some(idle) = self.take_idle() {
            return Ok(self.lend(idle.connection, idle.age, permit));
        }
        let age = Age {
            born: Instant::now(),
            generation: self.0.generation.load(Ordering::Acquire),
            epoch: self.epoch(),
        };
        let connection = connect(&self.0.target, self.cached_statements()).await?;
        Ok(self.lend(connection, age, permit))
    }

    /// The connection used last, so that the others can grow old and go.
    fn take_idle(&self) -> Option<Idle> {
        loop {
            let idle = self.idle().pop()?;
            let is_young = idle.age.born.elapsed() < self.0.config.max_lifetime;
            if is_young && idle.age.epoch == self.epoch() && idle.connection.is_reusable() {
                return Some(idle);
            }
        }
    }

    fn lend(
        &self,
        mut connection: Connection,
        mut age: Age,
        permit: OwnedSemaphorePermit,
    ) -> Lease {
        let generation = self.0.generation.load(Ordering::Acquire);
        if age.generation != generation {
            connection.keep_statements(self.cached_statements());
            age.generation = generation;
        }
        Lease {
            connection: Some(connection),
            age,
            pool: self.clone(),
            _permit: permit,
        }
    }

    fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    fn cached_statements(&self) -> usize {
        if self.0.keeps_statements.load(Ordering::Acquire) {
            self.0.config.cached_statements
        } else {
            0
        }
    }

    fn close_expired(&self) {
        let config = &self.0.config;
        let expired = {
            let mut idle = self.idle();
            idle.extract_if(.., |idle| {
                idle.since.elapsed() >= config.max_idle
                    || idle.age.born.elapsed() >= config.max_lifetime
            })
            .collect::<Vec<_>>()
        };
        drop(expired);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if let Some(key) = connection.running() {
            let pool = self.pool.clone();
            self.pool.0.lifecycle.spawn("cancel request", async move {
                if let Err(error) = cancel(&pool.0.target, key).await {
                    tracing::debug!(%error, "an abandoned statement could not be cancelled");
                }
                drop(connection);
            });
        } else if connection.is_idle() && self.age.epoch == self.pool.epoch() {
            self.pool.idle().push(Idle {
                connection,
                age: self.age,
                since: Instant::now(),
            });
        }
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .unwrap_or_else(|| unreachable!("only dropping takes it"))
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
            .as_mut()
            .unwrap_or_else(|| unreachable!("only dropping takes it"))
    }
}
