//! Bodies on their way through: never collected, but counted and timed.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::Body as _;
use tokio::time::{Instant, Sleep};

pub(crate) use self::pipe::Pipe;
use crate::upstream::Exchange;

mod pipe;

/// Longest silence of a client in the middle of its request.
const CLIENT_SILENCE: Duration = Duration::from_mins(1);

/// A request body as a client's connection provides it.
pub(crate) enum Incoming {
    /// None.
    None,
    /// Of a connection that speaks HTTP/1.
    Http1(Arc<Pipe>),
    /// Of a stream of HTTP/2.
    Http2(Box<hyper::body::Incoming>),
}

/// A client's request body, counted.
pub(crate) struct RequestBody {
    incoming: Incoming,
    left: u64,
    silence: Silence,
    last_moved: Option<Instant>,
}

/// What goes back to the client.
pub(crate) enum ResponseBody {
    /// Nothing, or something made here.
    Own(Option<Bytes>),
    /// The upstream's.
    Upstream(Box<UpstreamBody>),
}

/// A response body, read from a connection that goes back to its pool at the end.
pub(crate) struct UpstreamBody {
    /// Absent once there is nothing more to read.
    exchange: Option<Exchange>,
    silence: Silence,
}

/// Ends a wait that takes too long; costs nothing while data flows.
pub(crate) struct Silence {
    longest: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The client sent more than the route accepts.
    #[error("the request body is larger than this route accepts")]
    TooLarge,
    /// The client stopped sending.
    #[error("the request body did not arrive in time")]
    ClientSilent,
    /// The client broke off, or what it sent was not framed as a body.
    #[error("the request body broke")]
    ClientBroke(#[source] io::Error),
    /// The upstream stopped sending.
    #[error("the response body did not arrive in time")]
    UpstreamSilent,
    /// The upstream broke off, or what it sent was not framed as a body.
    #[error("the response body broke")]
    UpstreamBroke(#[source] io::Error),
}

impl Incoming {
    /// The body of a stream of HTTP/2.
    pub(crate) fn from_http2(incoming: hyper::body::Incoming) -> Self {
        if incoming.is_end_stream() {
            Self::None
        } else {
            Self::Http2(Box::new(incoming))
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match self {
            Self::None => Poll::Ready(None),
            Self::Http1(pipe) => pipe.poll_piece(),
            Self::Http2(incoming) => loop {
                let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
                match frame.transpose() {
                    Ok(None) if incoming.is_end_stream() => return Poll::Ready(None),
                    // The library takes a stream that was cancelled for one that ended.
                    Ok(None) => {
                        let broke = io::ErrorKind::UnexpectedEof.into();
                        return Poll::Ready(Some(Err(BodyError::ClientBroke(broke))));
                    }
                    // Trailers are dropped.
                    Ok(Some(frame)) => {
                        if let Ok(piece) = frame.into_data() {
                            return Poll::Ready(Some(Ok(piece)));
                        }
                    }
                    Err(error) => {
                        let broke = BodyError::ClientBroke(io::Error::other(error));
                        return Poll::Ready(Some(Err(broke)));
                    }
                }
            },
        }
    }
}

impl RequestBody {
    /// `incoming`, of which at most `max_bytes` are let through.
    pub(crate) fn new(incoming: Incoming, max_bytes: u64) -> Self {
        Self {
            incoming,
            left: max_bytes,
            silence: Silence::of(CLIENT_SILENCE),
            last_moved: None,
        }
    }

    /// Whether there is nothing to be sent.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.incoming, Incoming::None)
    }

    /// When a piece of it last arrived, or its end after one.
    pub(crate) fn last_moved(&self) -> Option<Instant> {
        self.last_moved
    }

    /// The next piece.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Poll::Ready(piece) = self.incoming.poll_piece(cx) else {
            ready!(self.silence.poll(cx));
            return Poll::Ready(Some(Err(BodyError::ClientSilent)));
        };
        let was_silent = self.silence.end();
        let Some(piece) = piece.transpose()? else {
            if was_silent {
                self.last_moved = self.last_moved.map(|_| Instant::now());
            }
            return Poll::Ready(None);
        };
        self.last_moved = Some(Instant::now());
        match self.left.checked_sub(piece.len() as u64) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Some(Err(BodyError::TooLarge))),
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

impl ResponseBody {
    /// No body.
    pub(crate) const EMPTY: Self = Self::Own(None);

    /// A body that is known already.
    pub(crate) fn of(bytes: impl Into<Bytes>) -> Self {
        Self::Own(Some(bytes.into()))
    }

    /// The body of an upstream's response, which may pause for `silence`.
    pub(crate) fn from_upstream(exchange: Exchange, silence: Duration) -> Self {
        if exchange.is_over() {
            exchange.finish();
            return Self::EMPTY;
        }
        Self::Upstream(Box::new(UpstreamBody {
            exchange: Some(exchange),
            silence: Silence::of(silence),
        }))
    }

    /// Its length, if it was made here.
    pub(crate) fn own_length(&self) -> Option<usize> {
        match self {
            Self::Own(bytes) => Some(bytes.as_ref().map_or(0, Bytes::len)),
            Self::Upstream(_) => None,
        }
    }

    /// Whether nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Upstream(body) => body.exchange.is_none(),
        }
    }

    /// The next piece.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        match self {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Self::Upstream(body) => body.poll_piece(cx),
        }
    }
}

impl UpstreamBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(exchange) = &mut self.exchange else {
            return Poll::Ready(None);
        };
        let Poll::Ready(piece) = exchange.poll_piece(cx) else {
            while self.silence.poll(cx).is_ready() {
                let now = Instant::now();
                let last = exchange.last_owed(now);
                if last.is_none_or(|last| last + self.silence.longest <= now) {
                    self.exchange = None;
                    return Poll::Ready(Some(Err(BodyError::UpstreamSilent)));
                }
                self.silence.end();
            }
            return Poll::Pending;
        };
        self.silence.end();
        match &piece {
            Some(Err(_)) => self.exchange = None,
            // Nobody has to ask again after the last piece, so the connection goes back now.
            _ if exchange.is_over() => {
                if let Some(exchange) = self.exchange.take() {
                    exchange.finish();
                }
            }
            _ => {}
        }
        Poll::Ready(piece)
    }
}

impl Silence {
    /// Of this length at most.
    pub(crate) fn of(longest: Duration) -> Self {
        Self {
            longest,
            timer: None,
        }
    }

    /// Ready when the silence has lasted too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let longest = self.longest;
        self.timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)))
            .as_mut()
            .poll(cx)
    }

    /// Ends it; tells whether there was one.
    pub(crate) fn end(&mut self) -> bool {
        self.timer.take().is_some()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming")
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseBody")
    }
}
