//! A client's stream, and what is known of what goes on on it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::{server::conn::http1, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::{
    body::{BodyError, ResponseBody},
    tunnel, whole,
};

/// How a client says that it speaks HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A client's stream, with what was read ahead of it.
pub(super) struct ClientStream<S> {
    stream: S,
    ahead: Bytes,
    activity: Arc<Activity>,
}

/// What goes on on a connection.
#[derive(Default)]
pub(super) struct Activity {
    exchanges: AtomicUsize,
    /// Whether bytes of a request came that was not answered yet.
    has_begun: AtomicBool,
    is_write_blocked: AtomicBool,
    /// Whether a write succeeded since the last look.
    has_written: AtomicBool,
    tunnel: Mutex<Option<OnUpgrade>>,
}

/// An exchange that counts as going on until it is dropped.
pub(super) struct Ongoing(Arc<Activity>);

/// A response body that keeps its exchange going.
pub(super) struct TrackedBody {
    body: ResponseBody,
    _ongoing: Ongoing,
}

impl<S> ClientStream<S> {
    /// Nothing was read of `stream` yet.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            ahead: Bytes::new(),
            activity: Arc::default(),
        }
    }

    /// What goes on on it.
    pub(super) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }

    /// The stream a connection was built on, with what that had read but not used.
    pub(super) fn from_parts<V>(parts: http1::Parts<TokioIo<Self>, V>) -> Self {
        let mut client = parts.io.into_inner();
        let unused = parts.read_buf;
        if !unused.is_empty() {
            client.ahead = [unused, client.ahead.clone()].concat().into();
        }
        client
    }
}

impl<S: AsyncRead + Unpin> ClientStream<S> {
    /// Reads until it is clear which protocol is spoken; tells whether it is HTTP/2.
    pub(super) async fn read_ahead(&mut self) -> io::Result<bool> {
        let mut bytes = [0; PREFACE.len()];
        let mut length = self.ahead.len().min(bytes.len());
        for (to, from) in bytes.iter_mut().zip(&self.ahead) {
            *to = *from;
        }
        if self.ahead.len() > bytes.len() {
            return Ok(self.ahead.starts_with(PREFACE));
        }
        loop {
            let known = bytes.get(..length).unwrap_or_default();
            if length == bytes.len() || !PREFACE.starts_with(known) {
                self.ahead = Bytes::copy_from_slice(known);
                return Ok(known == PREFACE);
            }
            let more = self
                .stream
                .read(bytes.get_mut(length..).unwrap_or_default())
                .await?;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length += more;
        }
    }
}

impl Activity {
    /// Whether nothing is going on, and nothing of a response is still to be sent.
    pub(super) fn is_idle(&self) -> bool {
        self.exchanges.load(Ordering::Relaxed) == 0
            && !self.has_begun.load(Ordering::Relaxed)
            && !self.is_write_blocked.load(Ordering::Relaxed)
    }

    /// Whether a head was begun and is not complete.
    pub(super) fn is_receiving_head(&self) -> bool {
        self.exchanges.load(Ordering::Relaxed) == 0 && self.has_begun.load(Ordering::Relaxed)
    }

    /// Whether something is to be sent, and nothing could be since the last call.
    pub(super) fn is_stalled(&self) -> bool {
        let has_written = self.has_written.swap(false, Ordering::Relaxed);
        self.is_write_blocked.load(Ordering::Relaxed) && !has_written
    }

    pub(super) fn put_tunnel(&self, tunnel::Agreed(upstream): tunnel::Agreed) {
        *self.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    pub(super) fn take_tunnel(&self) -> Option<OnUpgrade> {
        self.tunnel
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl TrackedBody {
    /// `body`, during whose life `ongoing` goes on.
    pub(super) fn new(body: ResponseBody, ongoing: Ongoing) -> Self {
        Self {
            body,
            _ongoing: ongoing,
        }
    }
}

impl Ongoing {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.exchanges.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.0.has_begun.store(false, Ordering::Relaxed);
        self.0.exchanges.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.has_remaining() {
            self.activity.has_begun.store(true, Ordering::Relaxed);
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            if buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            // The rest of the request is here already, mostly: one pass instead of two.
            return match Pin::new(&mut self.stream).poll_read(cx, buffer) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Ready(Ok(())),
            };
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.has_begun.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> ClientStream<S> {
    fn note(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let is_blocked = outcome.is_pending();
        self.activity
            .is_write_blocked
            .store(is_blocked, Ordering::Relaxed);
        if !is_blocked {
            self.activity.has_written.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = whole::poll_write(Pin::new(&mut self.stream), cx, buffers);
        self.note(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
