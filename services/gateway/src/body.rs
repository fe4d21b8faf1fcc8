//! Bodies on their way through: never collected, but counted and timed.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::upstream::Lease;

/// Longest silence of a client in the middle of its request.
const CLIENT_SILENCE: Duration = Duration::from_mins(1);

/// A client's request body, counted.
pub(crate) struct RequestBody {
    incoming: Incoming,
    left: u64,
    silence: Silence,
    progress: Option<Arc<Progress>>,
}

/// When a body was last seen to move.
pub(crate) struct Progress {
    started: Instant,
    last_ms: AtomicU64,
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
    incoming: Incoming,
    lease: Option<Lease>,
    silence: Silence,
}

/// Ends a wait that takes too long; costs nothing while data flows.
struct Silence {
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
    /// The upstream stopped sending.
    #[error("the response body did not arrive in time")]
    UpstreamSilent,
    /// A connection broke.
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
}

impl BodyError {
    /// The body's error that made `error`, if one did.
    pub(crate) fn behind<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        std::iter::successors(Some(error), |&error| error.source())
            .find_map(|error| error.downcast_ref())
    }
}

impl RequestBody {
    /// `incoming`, of which at most `max_bytes` are let through.
    pub(crate) fn new(incoming: Incoming, max_bytes: u64) -> Self {
        let progress = (!incoming.is_end_stream()).then(Arc::default);
        Self {
            incoming,
            left: max_bytes,
            silence: Silence::of(CLIENT_SILENCE),
            progress,
        }
    }

    /// Shows when the body last moved; absent when there is none.
    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        self.progress.clone()
    }
}

impl Progress {
    /// When the body last moved.
    pub(crate) fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    fn touch(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            last_ms: AtomicU64::new(0),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) else {
            ready!(this.silence.poll(cx));
            return Poll::Ready(Some(Err(BodyError::ClientSilent)));
        };
        this.silence.end();
        if let Some(progress) = &this.progress {
            progress.touch();
        }
        let Some(frame) = frame.transpose()? else {
            return Poll::Ready(None);
        };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match this.left.checked_sub(length) {
            Some(left) => this.left = left,
            None => return Poll::Ready(Some(Err(BodyError::TooLarge))),
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl ResponseBody {
    /// No body.
    pub(crate) const EMPTY: Self = Self::Own(None);

    /// A body that is known already.
    pub(crate) fn of(bytes: impl Into<Bytes>) -> Self {
        Self::Own(Some(bytes.into()))
    }

    /// A body whose connection is driven by another task.
    pub(crate) fn from_driven(incoming: Incoming, silence: Duration) -> Self {
        Self::Upstream(Box::new(UpstreamBody {
            incoming,
            lease: None,
            silence: Silence::of(silence),
        }))
    }

    /// The body of an upstream's response, which may pause for `silence`.
    pub(crate) fn from_upstream(incoming: Incoming, lease: Lease, silence: Duration) -> Self {
        if incoming.is_end_stream() {
            lease.give_back();
            return Self::EMPTY;
        }
        Self::Upstream(Box::new(UpstreamBody {
            incoming,
            lease: Some(lease),
            silence: Silence::of(silence),
        }))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Upstream(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Upstream(body) => body.incoming.size_hint(),
        }
    }
}

impl UpstreamBody {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = self.poll_incoming(cx) else {
            ready!(self.silence.poll(cx));
            self.lease = None;
            return Poll::Ready(Some(Err(BodyError::UpstreamSilent)));
        };
        self.silence.end();
        match &frame {
            Some(Err(_)) => self.lease = None,
            // Hyper does not ask again after the last frame, so the connection goes back now.
            _ if frame.is_none() || self.incoming.is_end_stream() => {
                if let Some(lease) = self.lease.take() {
                    lease.give_back();
                }
            }
            _ => {}
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)))
    }

    /// Asks for a frame, drives the connection, and looks again. The frame comes out of the driver,
    /// whose wake-up is enough; see [`crate::upstream::connection`].
    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(lease) = &mut self.lease else {
            return Pin::new(&mut self.incoming).poll_frame(cx);
        };
        let quiet = &mut Context::from_waker(Waker::noop());
        let early = Pin::new(&mut self.incoming).poll_frame(quiet);
        if early.is_ready() {
            return early;
        }
        lease.connection().drive(cx);
        Pin::new(&mut self.incoming).poll_frame(quiet)
    }
}

impl Silence {
    fn of(longest: Duration) -> Self {
        Self {
            longest,
            timer: None,
        }
    }

    /// Ready when the silence has lasted too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let longest = self.longest;
        self.timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)))
            .as_mut()
            .poll(cx)
    }

    fn end(&mut self) {
        self.timer = None;
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseBody")
    }
}
