//! Upstreams: several addresses each, kept-alive connections, failing addresses left out.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use common::lifecycle::Lifecycle;
use http::Method;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::names::Names;
use self::{address::Address, budget::Budget, exchange::ExchangeError};
pub(crate) use self::{
    connection::Connection, exchange::Exchange, outgoing::Outgoing, target::Target,
};
use crate::{
    body::{BodyError, Incoming, RequestBody},
    http1::ResponseHead,
};

pub(crate) mod address;
mod budget;
mod connection;
mod exchange;
mod names;
mod outgoing;
mod target;

/// Time between two look-ups of an upstream's names.
const RESOLVE_EVERY: Duration = Duration::from_secs(10);

/// The same, and between two looks at an address, while one fails.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Longest time a look-up may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses tried for one request.
const MAX_ATTEMPTS: usize = 3;

/// All upstreams of the process; they outlive a change of routes as long as a route needs them.
pub(crate) struct Upstreams {
    lifecycle: Lifecycle,
    names: Names,
    known: Mutex<HashMap<Vec<Target>, Weak<Upstream>>>,
}

/// A service behind the gateway.
pub(crate) struct Upstream {
    name: Arc<str>,
    targets: Vec<Target>,
    names: Names,
    addresses: ArcSwap<Vec<Arc<Address>>>,
    /// Grows with every request.
    turn: AtomicUsize,
    budget: Budget,
    /// Told when an address fails.
    trouble: Notify,
    _stop_upkeep: DropGuard,
}

/// A connection, and where it goes back to.
type Way = (Arc<Address>, Box<Connection>);

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// To reach an address.
    pub(crate) connect: Duration,
    /// For the next sign of life.
    pub(crate) read: Duration,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No address could be reached; the request was not sent.
    #[error("the upstream cannot be reached")]
    Unreachable(#[source] std::io::Error),
    /// The connection broke, or what came was not HTTP.
    #[error("the upstream did not answer properly")]
    Broken(#[source] std::io::Error),
    /// The request itself broke off on its way.
    #[error("the client did not finish its request")]
    Client(#[source] BodyError),
    /// Nothing came for too long.
    #[error("the upstream did not answer in time")]
    TimedOut,
}

impl Upstreams {
    /// None yet; `names` are looked up, and background work ends with `lifecycle`.
    pub(crate) fn new(names: Names, lifecycle: &Lifecycle) -> Self {
        Self {
            lifecycle: lifecycle.clone(),
            names,
            known: Mutex::default(),
        }
    }

    /// The upstream at `targets`, the same one as long as somebody holds it.
    pub(crate) fn get(&self, targets: &[Target]) -> Arc<Upstream> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, upstream| upstream.strong_count() > 0);
        if let Some(upstream) = known.get(targets).and_then(Weak::upgrade) {
            return upstream;
        }
        let upstream = Upstream::begin(targets.to_vec(), self.names.clone(), &self.lifecycle);
        known.insert(targets.to_vec(), Arc::downgrade(&upstream));
        upstream
    }
}

impl Upstream {
    fn begin(targets: Vec<Target>, names: Names, lifecycle: &Lifecycle) -> Arc<Self> {
        let stop = CancellationToken::new();
        let name = targets.iter().map(ToString::to_string);
        let upstream = Arc::new(Self {
            name: name.collect::<Vec<_>>().join(",").into(),
            addresses: ArcSwap::from_pointee(target::literal_addresses(&targets)),
            targets,
            names,
            turn: AtomicUsize::new(0),
            budget: Budget::new(),
            trouble: Notify::new(),
            _stop_upkeep: stop.clone().drop_guard(),
        });
        let weak = Arc::downgrade(&upstream);
        lifecycle.spawn_until_stop("upstream upkeep", async move {
            stop.run_until_cancelled_owned(upkeep(weak)).await;
        });
        upstream
    }

    /// Its addresses as they were configured.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The addresses its names stand for at the moment.
    pub(crate) fn addresses(&self) -> Arc<Vec<Arc<Address>>> {
        self.addresses.load_full()
    }

    /// Sends `request` to one address; to another only if it may be repeated and none has seen it.
    /// The response's body is still to be read. It is `now`.
    pub(crate) async fn send(
        &self,
        request: &Outgoing<'_>,
        mut body: RequestBody,
        patience: Patience,
        now: Instant,
    ) -> Result<(ResponseHead, Exchange), Failure> {
        let most = most_attempts(request.method);
        let mut attempts = most;
        loop {
            attempts -= 1;
            let (way, is_reused) = match self.kept_connection(now) {
                Some(way) => (way, true),
                // Boxed, so that requests on kept connections hold no room for it.
                None => Box::pin(self.connection(most, patience.connect)).await?,
            };
            let began = if is_reused { now } else { Instant::now() };
            match Exchange::begin(way, request, body, began, patience.read).await {
                Ok(answer) => return Ok(answer),
                // A kept connection that had ended before this request: there was no attempt yet, and
                // there are only so many of them.
                Err(ExchangeError::NotSent(unsent, _)) if is_reused => {
                    body = unsent;
                    attempts += 1;
                }
                Err(ExchangeError::NotSent(unsent, _)) if attempts > 0 && self.may_try_again() => {
                    body = unsent;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends `request`, which has no body, on a new connection that will not be kept: it asks to
    /// change the protocol.
    pub(crate) async fn open(
        &self,
        request: &Outgoing<'_>,
        patience: Patience,
    ) -> Result<(ResponseHead, Exchange), Failure> {
        let way = self.connect(patience).await?;
        let body = RequestBody::new(Incoming::None, 0);
        let answer = Exchange::begin(way, request, body, Instant::now(), patience.read).await?;
        Ok(answer)
    }

    /// A new connection, to one of the addresses a GET may be tried at.
    async fn connect(&self, patience: Patience) -> Result<Way, Failure> {
        let mut refused = None;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let most = MAX_ATTEMPTS;
        for address in self.candidates(turn, most, patience.connect).await? {
            if refused.is_some() && !self.may_try_again() {
                break;
            }
            match address.connect(patience.connect).await {
                Ok(connection) => return Ok((address, connection)),
                Err(error) => refused = Some(self.note_trouble(error)),
            }
        }
        Err(unreachable_because(refused))
    }

    /// A connection that was kept, to the address whose turn it is.
    fn kept_connection(&self, now: Instant) -> Option<Way> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let address = next_healthy(&self.addresses.load(), turn)?;
        let connection = address.take_idle(now)?;
        Some((address, connection))
    }

    /// A connection that is ready, kept or new, and whether it was kept; to the first of `most`
    /// addresses that can be reached.
    async fn connection(&self, most: usize, limit: Duration) -> Result<(Way, bool), Failure> {
        let turn = self.turn.load(Ordering::Relaxed).wrapping_sub(1);
        let mut refused = None;
        for address in self.candidates(turn, most, limit).await? {
            if let Some(connection) = address.take_idle(Instant::now()) {
                return Ok(((address, connection), true));
            }
            if refused.is_some() && !self.may_try_again() {
                break;
            }
            match address.connect(limit).await {
                Ok(connection) => return Ok(((address, connection), false)),
                Err(error) => refused = Some(self.note_trouble(error)),
            }
        }
        Err(unreachable_because(refused))
    }

    /// Has the names looked up, and the address looked at, soon.
    fn note_trouble(&self, error: std::io::Error) -> std::io::Error {
        self.trouble.notify_one();
        error
    }

    /// Whether a request that reached nobody may be tried at another address.
    fn may_try_again(&self) -> bool {
        self.budget.take(self.turn.load(Ordering::Relaxed))
    }

    /// At most `most` addresses to try for one request, the next in turn first and failing ones last.
    async fn candidates(
        &self,
        turn: usize,
        most: usize,
        limit: Duration,
    ) -> Result<Vec<Arc<Address>>, Failure> {
        if self.addresses.load().is_empty() {
            self.resolve(limit).await.map_err(Failure::Unreachable)?;
        }
        let addresses = self.addresses.load();
        let mut candidates: Vec<_> = in_turn(&addresses, turn).map(Arc::clone).collect();
        candidates.sort_by_key(|address| address.is_failing());
        candidates.truncate(most);
        Ok(candidates)
    }

    /// Looks the names up and keeps what is known about addresses that stay.
    async fn resolve(&self, limit: Duration) -> std::io::Result<()> {
        let old = self.addresses.load_full();
        let found = timeout(limit, target::look_up(&self.targets, &self.names, &old)).await??;
        if !found
            .iter()
            .map(|a| a.socket())
            .eq(old.iter().map(|a| a.socket()))
        {
            tracing::info!(
                upstream = &*self.name,
                addresses = found.len(),
                "addresses changed"
            );
            self.addresses.store(Arc::new(found));
        }
        Ok(())
    }
}

/// The addresses, beginning with the one whose turn it is.
fn in_turn(addresses: &[Arc<Address>], turn: usize) -> impl Iterator<Item = &Arc<Address>> {
    let (later, first) = addresses.split_at(turn % addresses.len().max(1));
    first.iter().chain(later)
}

/// The first address in turn that does not fail.
fn next_healthy(addresses: &[Arc<Address>], turn: usize) -> Option<Arc<Address>> {
    in_turn(addresses, turn)
        .find(|address| !address.is_failing())
        .map(Arc::clone)
}

/// How many addresses a request may be tried at. Of one that must not be done twice there is but one
/// attempt (RFC 9110, 9.2.2), even where it could not be sent.
fn most_attempts(method: &Method) -> usize {
    if method.is_idempotent() {
        MAX_ATTEMPTS
    } else {
        1
    }
}

/// Looks names up now and then, or when an address fails; looks at failing addresses until they are
/// back, so that no request has to find out; and drops connections idle for long.
async fn upkeep(upstream: Weak<Upstream>) {
    loop {
        let Some(current) = upstream.upgrade() else {
            return;
        };
        if let Err(error) = current.resolve(RESOLVE_TIMEOUT).await {
            tracing::debug!(%error, upstream = &*current.name, "look-up failed");
        }
        let addresses = current.addresses();
        for address in &*addresses {
            address.drop_stale();
            if address.is_failing() {
                address.probe().await;
            }
        }
        // A failing address must not turn into a storm of look-ups.
        tokio::time::sleep(RETRY_EVERY).await;
        if !addresses.iter().any(|address| address.is_failing()) {
            let trouble = current.trouble.notified();
            timeout(RESOLVE_EVERY, trouble).await.ok();
        }
    }
}

fn unreachable_because(error: Option<std::io::Error>) -> Failure {
    Failure::Unreachable(error.unwrap_or_else(|| std::io::Error::other("the name has no address")))
}

impl From<ExchangeError> for Failure {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::NotSent(_, error) | ExchangeError::Broken(error) => Self::Broken(error),
            ExchangeError::Client(error) => Self::Client(error),
            ExchangeError::TimedOut => Self::TimedOut,
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Upstream").field(&self.name).finish()
    }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upstreams")
    }
}

#[cfg(test)]
mod tests;
