//! One connection of a client, from its first byte to its last.
//!
//! Most connections of a door are idle most of the time, and the HTTP implementation keeps its
//! buffers as long as it has a connection. So it gets one only when a request's head is complete,
//! and an idle one is taken back from it and merely waited on: thousands of them then cost little
//! more than their sockets.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use common::{lifecycle::Lifecycle, server::ConnectionLimits};
use http::{Request, Response};
use http_body::Body as _;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use self::stream::{Activity, ClientStream, Ongoing, TrackedBody};
use crate::{client_address::Peer, proxy::Proxy, tls::Tls, tunnel};

mod framing;
mod stream;

/// How long an idle connection waits for the next request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a connection waits for a request after a stop.
const LINGER: Duration = Duration::from_millis(50);

/// Time between two looks at a connection; one that is idle at two of them is taken back.
const TICK: Duration = Duration::from_millis(100);

/// The share of all connections that may keep their buffers until they are looked at: one in so many.
/// With more of them, one is taken back as soon as it is idle.
const CROWD: usize = 40;

/// Longest time in which a client takes nothing of its response.
const LONGEST_STALL: Duration = Duration::from_mins(1);

/// Connections that made room for others, or found none.
const SHED: &str = "gateway_connections_shed_total";

/// What clients' connections may cost.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// One of them.
    pub(crate) each: ConnectionLimits,
    /// How many there may be.
    pub(crate) all: usize,
}

/// Serves connections. Each holds a reference to it.
pub(crate) struct Connections {
    proxy: Arc<Proxy>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    /// Time for a complete head, and for the first byte of the first one.
    head_timeout: Duration,
    max_head_bytes: usize,
    max_open: usize,
    /// Tells the connection that has been idle longest to make room.
    crowded: Arc<Notify>,
    counts: Counts,
    lifecycle: Lifecycle,
}

/// How many connections there are. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    open: AtomicUsize,
    idle: AtomicUsize,
}

/// One connection, or one idle connection, as long as it is held.
struct Counted<'a>(&'a AtomicUsize);

/// How serving a stream ended.
enum End<S> {
    /// The connection is idle and may be waited on.
    Idle(ClientStream<S>),
    /// It is over.
    Over,
}

impl Connections {
    /// Connections whose requests `proxy` answers, within `bounds`.
    pub(crate) fn new(proxy: Arc<Proxy>, bounds: &Bounds, lifecycle: Lifecycle) -> Self {
        let limits = &bounds.each;
        let mut http1 = http1::Builder::new();
        http1
            // A head is complete when it is given this, or is taken back and waited for.
            .header_read_timeout(None)
            .max_headers(limits.max_headers)
            .max_buf_size(limits.max_header_bytes);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.max_streams)
            .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(Some(limits.header_timeout));
        Self {
            proxy,
            http1,
            http2,
            head_timeout: limits.header_timeout,
            max_head_bytes: limits.max_header_bytes,
            max_open: bounds.all,
            crowded: Arc::default(),
            counts: Counts::default(),
            lifecycle,
        }
    }

    /// How many there are.
    pub(crate) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Serves `socket` to its end, through `tls` if given.
    pub(crate) async fn serve(
        self: Arc<Self>,
        socket: TcpStream,
        address: SocketAddr,
        tls: Option<Tls>,
    ) {
        let counts = self.counts.clone();
        let _open = Counted::begin(&counts.0.open);
        if counts.open() > self.max_open {
            metrics::counter!(SHED).increment(1);
            if counts.idle() == 0 {
                return;
            }
            self.crowded.notify_one();
        }
        let is_secure = tls.is_some();
        let peer = Peer { address, is_secure };
        match tls {
            None => self.serve_stream(socket, peer).await,
            // Boxed, so that a connection without TLS holds no room for it.
            Some(tls) => {
                let encrypted = async {
                    if let Some(stream) = tls.accept(socket).await {
                        self.serve_stream(stream, peer).await;
                    }
                };
                Box::pin(encrypted).await;
            }
        }
    }

    async fn serve_stream<S>(self: &Arc<Self>, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut client = ClientStream::new(stream);
        let mut patience = self.head_timeout;
        loop {
            let Some(is_http2) = self.wait(&mut client, patience).await else {
                return;
            };
            if is_http2 {
                return Box::pin(self.serve_http2(client, peer)).await;
            }
            match Box::pin(self.serve_http1(client, peer)).await {
                End::Idle(idle) => client = idle,
                End::Over => return,
            }
            patience = KEEP_ALIVE;
        }
    }

    /// Waits for a request, and for the end of its head; tells whether they begin HTTP/2.
    async fn wait<S>(&self, client: &mut ClientStream<S>, patience: Duration) -> Option<bool>
    where
        S: AsyncRead + Unpin,
    {
        let _idle = Counted::begin(&self.counts.0.idle);
        self.within(patience, client.first_bytes()).await?;
        let head = client.whole_head(self.max_head_bytes);
        self.within(self.head_timeout, head).await
    }

    /// What `reading` yields, unless it takes too long or has to make room.
    async fn within<T>(
        &self,
        patience: Duration,
        reading: impl Future<Output = io::Result<T>>,
    ) -> Option<T> {
        let mut reading = pin!(timeout(patience, reading));
        let read = tokio::select! {
            biased;
            read = &mut reading => read,
            () = self.crowded.notified() => return None,
            // A request may be on its way at this moment: whoever sent it saw an open connection.
            () = self.lifecycle.stopping() => timeout(LINGER, reading).await.ok()?,
        };
        read.ok()?.ok()
    }

    async fn serve_http1<S>(&self, client: ClientStream<S>, peer: Peer) -> End<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = client.activity();
        // Boxed, so that a connection between two requests holds no room for the largest.
        let service = service_fn(|request| Box::pin(self.answer(request, peer, &activity)));
        let mut connection = self.http1.serve_connection(TokioIo::new(client), service);
        let mut tick = pin!(sleep_until(Instant::now() + TICK));
        let mut was_idle = false;
        let mut stalled = Duration::ZERO;
        let outcome = loop {
            let serving = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
                Poll::Pending if activity.is_between_requests() && self.is_crowd() => {
                    Poll::Ready(None)
                }
                outcome => outcome.map(Some),
            });
            // Looking now and then, also for a stop, spares every request the look.
            tokio::select! {
                biased;
                outcome = serving => break outcome,
                () = &mut tick => {}
            }
            let is_idle = activity.is_idle();
            if self.lifecycle.is_stopping() {
                Pin::new(&mut connection).graceful_shutdown();
            } else if is_idle && was_idle {
                break None;
            }
            was_idle = is_idle;
            stalled = if activity.is_stalled() {
                stalled + TICK
            } else {
                Duration::ZERO
            };
            if stalled >= LONGEST_STALL {
                tracing::debug!("a client takes nothing of its response");
                return End::Over;
            }
            tick.as_mut().reset(Instant::now() + TICK);
        };
        let Some(outcome) = outcome else {
            // It was given a whole head. Whatever it takes for less must not be waited for without end.
            if !activity.take_has_begun() {
                tracing::debug!("a head was neither served nor refused");
                return End::Over;
            }
            return End::Idle(ClientStream::from_parts(connection.into_parts()));
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "connection ended early");
            return End::Over;
        }
        if let Some(upstream) = activity.take_tunnel() {
            let client = ClientStream::from_parts(connection.into_parts());
            let carried = tunnel::carry(client, upstream);
            tokio::select! {
                () = carried => {}
                () = self.lifecycle.stopping() => {}
            }
        }
        End::Over
    }

    async fn serve_http2<S>(self: &Arc<Self>, client: ClientStream<S>, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = client.activity();
        let connections = Arc::clone(self);
        let service = service_fn(move |request| {
            let (connections, activity) = (Arc::clone(&connections), Arc::clone(&activity));
            async move { connections.answer(request, peer, &activity).await }
        });
        let mut connection = pin!(self.http2.serve_connection(TokioIo::new(client), service));
        let outcome = tokio::select! {
            outcome = &mut connection => outcome,
            () = self.lifecycle.stopping() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "connection ended early");
        }
    }

    fn is_crowd(&self) -> bool {
        self.counts.open().saturating_sub(self.counts.idle()) > self.max_open / CROWD
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        activity: &Arc<Activity>,
    ) -> Result<Response<TrackedBody>, Infallible> {
        let ongoing = Ongoing::begin(activity, !request.body().is_end_stream());
        let mut response = self.proxy.answer(request, peer).await;
        if let Some(upstream) = response.extensions_mut().remove::<tunnel::Agreed>() {
            activity.put_tunnel(upstream);
        }
        Ok(response.map(|body| TrackedBody::new(body, ongoing)))
    }
}

impl Counts {
    /// Connections that are open.
    pub(crate) fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Connections on which nothing happens, and that cost next to nothing.
    pub(crate) fn idle(&self) -> usize {
        self.0.idle.load(Ordering::Relaxed)
    }
}

impl<'a> Counted<'a> {
    fn begin(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
