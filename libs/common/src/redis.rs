//! Redis, for what several replicas of a service share.
//!
//! It is never needed to answer a request: whoever uses it knows what to do without. So a call ends
//! soon, one that fails is not repeated, and for a moment after a failure no call is made at all.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fred::{
    clients::{Client, WithOptions},
    error::Error,
    interfaces::{ClientLike, LuaInterface},
    types::{
        Builder,
        config::{Config, Options, ReconnectPolicy},
        scripts,
    },
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use crate::lifecycle::Lifecycle;

/// Longest time a call may take.
const CALL_TIMEOUT: Duration = Duration::from_millis(100);

/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time without calls after one that failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Pauses between two attempts to connect, in milliseconds.
const FIRST_RETRY_MS: u32 = 100;
const LONGEST_RETRY_MS: u32 = 2_000;

/// A connection that restores itself. Cheap to clone; calls from all clones share it.
#[derive(Clone)]
pub struct Redis {
    client: WithOptions<Client>,
    pause: Arc<Pause>,
}

/// A Lua script that runs inside Redis, sent once and called by its hash.
#[derive(Debug)]
pub struct Script(scripts::Script);

/// Redis did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("Redis is not available: {0}")]
pub struct Unavailable(String);

/// Until when no calls are made, in milliseconds after `started`.
struct Pause {
    started: Instant,
    until_ms: AtomicU64,
}

impl Redis {
    /// The server at `url`, such as `redis://:password@host:6379/0` or `rediss://…`; it need not be
    /// there yet. An error repeats nothing of the URL.
    pub fn connect(url: &SecretString, lifecycle: &Lifecycle) -> Result<Self, String> {
        let mut config = Config::from_url(url.expose_secret()).map_err(|_| {
            "not of the form redis://[user:password@]host:port[/database]".to_owned()
        })?;
        config.fail_fast = false;
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                connection.connection_timeout = CONNECT_TIMEOUT;
                connection.internal_command_timeout = CONNECT_TIMEOUT;
                connection.max_command_attempts = 1;
                connection.tcp.nodelay = Some(true);
            })
            .set_policy(ReconnectPolicy::new_exponential(
                0,
                FIRST_RETRY_MS,
                LONGEST_RETRY_MS,
                2,
            ))
            .build()
            .map_err(|error| error.to_string())?;
        let (running, stop) = (client.clone(), lifecycle.clone());
        lifecycle.spawn("redis", async move {
            let _connected = running.connect();
            stop.stopping().await;
            timeout(CALL_TIMEOUT, running.quit()).await.ok();
        });
        let options = Options {
            fail_fast: true,
            max_attempts: Some(1),
            ..Options::default()
        };
        Ok(Self {
            client: client.with_options(&options),
            pause: Arc::new(Pause {
                started: Instant::now(),
                until_ms: AtomicU64::new(0),
            }),
        })
    }

    /// Runs `script` with one key and whole numbers as arguments; it must return whole numbers.
    pub async fn run(
        &self,
        script: &Script,
        key: String,
        arguments: Vec<i64>,
    ) -> Result<Vec<i64>, Unavailable> {
        if !self.is_used() {
            return Err(Unavailable("not connected".to_owned()));
        }
        let called = timeout(CALL_TIMEOUT, self.call(script, key, arguments)).await;
        let reason = match called {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        self.pause.begin(&reason);
        Err(Unavailable(reason))
    }

    async fn call(
        &self,
        script: &Script,
        key: String,
        arguments: Vec<i64>,
    ) -> Result<Vec<i64>, Error> {
        let hash = script.0.sha1().clone();
        let called = self
            .client
            .evalsha(hash, key.as_str(), arguments.clone())
            .await;
        // A server that was started since then does not know the script.
        if let (Err(error), Some(source)) = (&called, script.0.lua())
            && error.details().starts_with("NOSCRIPT")
        {
            return self.client.eval(source.clone(), key, arguments).await;
        }
        called
    }

    /// Whether the server answers.
    pub async fn check(&self) -> Result<(), String> {
        if !self.client.is_connected() {
            return Err("not connected".to_owned());
        }
        match timeout(CALL_TIMEOUT, self.client.ping::<String>(None)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.details().to_owned()),
            Err(late) => Err(late.to_string()),
        }
    }

    /// Whether calls are made, or will fail without being tried.
    pub fn is_used(&self) -> bool {
        self.client.is_connected() && !self.pause.is_on()
    }
}

impl Script {
    /// The script with this source.
    pub fn new(source: &'static str) -> Self {
        Self(scripts::Script::from_lua(source))
    }
}

impl Pause {
    fn is_on(&self) -> bool {
        self.now_ms() < self.until_ms.load(Ordering::Relaxed)
    }

    fn begin(&self, reason: &str) {
        let was_on = self.is_on();
        let until = self.now_ms() + u64::try_from(PAUSE.as_millis()).unwrap_or(0);
        self.until_ms.store(until, Ordering::Relaxed);
        if !was_on {
            tracing::warn!(reason, "Redis is not available");
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis")
    }
}
