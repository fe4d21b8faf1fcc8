//! One connection of a client, from its first byte to its last.
//!
//! Most connections of a door are idle most of the time. So one that is idle holds nothing but its
//! socket and waits in a small future; what serving requests takes is there only while they come.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{lifecycle::Lifecycle, server::ConnectionLimits};
use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};

use self::client::Client;
use crate::{
    client_address::Peer, http1::HeadLimits, proxy::Proxy, tls::Tls, tunnel, upstream::Connection,
};

mod client;
mod http1;
mod http2;
mod response;

/// How long an idle connection waits for the next request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Longest time in which a client takes nothing of its response.
const LONGEST_STALL: Duration = Duration::from_mins(1);

/// How long a connection waits for a request after a stop.
const LINGER: Duration = Duration::from_millis(50);

/// The share of all connections that may keep their buffers until they are looked at: one in so many.
/// With more of them, one is taken back as soon as it is idle.
const CROWD: usize = 40;

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
    head_limits: HeadLimits,
    http2: Builder<TokioExecutor>,
    /// Time for a complete head, and for the first byte of the first one.
    head_timeout: Duration,
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

/// How serving requests ended.
enum End {
    /// What comes next is not there yet.
    Idle,
    /// HTTP/2 is spoken.
    Http2,
    /// Another protocol is spoken from now on.
    Tunnel(Box<Connection>),
    /// The connection is over.
    Over,
}

impl Connections {
    /// Connections whose requests `proxy` answers, within `bounds`.
    pub(crate) fn new(proxy: Arc<Proxy>, bounds: &Bounds, lifecycle: Lifecycle) -> Self {
        let limits = &bounds.each;
        let mut http2 = Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.max_streams)
            .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(Some(limits.header_timeout));
        Self {
            proxy,
            head_limits: HeadLimits {
                bytes: limits.max_header_bytes,
                fields: limits.max_headers,
            },
            http2,
            head_timeout: limits.header_timeout,
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
        let mut client = Client::new(stream);
        let mut patience = self.head_timeout;
        loop {
            if self.wait(&mut client, patience).await.is_none() {
                return;
            }
            // Boxed, so that a connection between two requests holds no room for the largest.
            match Box::pin(self.serve_http1(&mut client, peer)).await {
                End::Idle => client.rest(),
                End::Http2 => {
                    return Box::pin(self.serve_http2(client.into_stream(), peer)).await;
                }
                End::Tunnel(upstream) => {
                    let carried = Box::pin(tunnel::carry(client.into_stream(), *upstream));
                    tokio::select! {
                        () = carried => {}
                        () = self.lifecycle.stopping() => {}
                    }
                    return;
                }
                End::Over => return,
            }
            patience = KEEP_ALIVE;
        }
    }

    /// Waits for a request, and for the end of its head.
    async fn wait<S>(&self, client: &mut Client<S>, patience: Duration) -> Option<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let _idle = Counted::begin(&self.counts.0.idle);
        if !client.has_sent() {
            self.within(patience, client.read()).await?;
        }
        let head = async {
            while !client.is_ready(self.head_limits) {
                client.read().await?;
            }
            Ok(())
        };
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

    fn is_crowd(&self) -> bool {
        self.counts.open().saturating_sub(self.counts.idle()) > self.max_open / CROWD
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
