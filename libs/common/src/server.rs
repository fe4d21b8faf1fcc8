//! The HTTP server loop: accepts connections, bounds them, and drains them on a stop.

mod listen;

use std::{convert::Infallible, future::Future, net::SocketAddr, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;

use crate::lifecycle::Lifecycle;

pub use self::listen::{Listen, UnixSocket};

/// Pause after a failed `accept` (out of file descriptors, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Address of the socket a request came from. Present on every request that came by a port.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddr(pub SocketAddr);

/// What a connection may cost.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Time a client has to send a complete head.
    pub header_timeout: Duration,
    /// Bytes of one request head.
    pub max_header_bytes: usize,
    /// Header lines of one request.
    pub max_headers: usize,
    /// Streams one HTTP/2 connection may have open.
    pub max_streams: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(15),
            max_header_bytes: 64 * 1024,
            max_headers: 100,
            max_streams: 200,
        }
    }
}

/// Serves `router` on `listener` until `lifecycle` stops, then lets open requests finish.
pub async fn serve<L: Listen>(
    listener: L,
    router: Router,
    limits: ConnectionLimits,
    lifecycle: Lifecycle,
) {
    let builder = connection_builder(&limits);
    accept(listener, &lifecycle, |socket, peer, watcher| {
        let builder = builder.clone();
        let router = router.clone();
        async move {
            let service = service_fn(move |request| answer(router.clone(), request, peer));
            serve_connection(&builder, socket, service, watcher).await;
        }
    })
    .await;
}

/// Accepts connections until `lifecycle` stops and has `connection` serve each; then tells them to
/// end after the open requests, and waits for that.
///
/// What waits in the accept queue at that moment is still served: its sender was told that the
/// connection stands.
pub async fn accept<L, F, C>(listener: L, lifecycle: &Lifecycle, connection: F)
where
    L: Listen,
    F: Fn(L::Stream, L::Peer, Watcher) -> C,
    C: Future<Output = ()> + Send + 'static,
{
    let connections = GracefulShutdown::new();
    let begin = |socket, peer| {
        lifecycle.spawn(
            "connection",
            connection(socket, peer, connections.watcher()),
        );
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = lifecycle.stopping() => break,
            accepted = listener.next() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => begin(socket, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    while let Some(Ok((socket, peer))) = accept_waiting(&listener).await {
        begin(socket, peer);
    }
    drop(listener);
    connections.shutdown().await;
}

/// Takes a connection that is in the queue already; never waits for a new one.
async fn accept_waiting<L: Listen>(listener: &L) -> Option<std::io::Result<(L::Stream, L::Peer)>> {
    tokio::time::timeout(Duration::ZERO, listener.next())
        .await
        .ok()
}

/// The protocol settings every connection starts with.
fn connection_builder(limits: &ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(limits.max_headers)
        .max_buf_size(limits.max_header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}

/// Serves one connection to its end; on a shutdown of `watcher` it ends after the open requests.
async fn serve_connection<I, S, B>(
    builder: &auto::Builder<TokioExecutor>,
    stream: I,
    service: S,
    watcher: Watcher,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "connection ended early");
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    peer: impl Into<Option<SocketAddr>>,
) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    if let Some(address) = peer.into() {
        request.extensions_mut().insert(PeerAddr(address));
    }
    router.oneshot(request).await
}
