//! A client's stream, and what is known of what goes on on it.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::{server::conn::http1, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;
use crate::{
    body::{BodyError, ResponseBody},
    tunnel, whole,
};

/// How a client says that it speaks HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a head that are read at once.
const READ_BYTES: usize = 4096;

/// A client's stream, with what was read ahead of it.
pub(super) struct ClientStream<S> {
    stream: S,
    /// Bytes for the next reader.
    ahead: BytesMut,
    /// Up to the last byte read.
    framing: Framing,
    activity: Arc<Activity>,
}

/// What goes on on a connection.
#[derive(Default)]
pub(super) struct Activity {
    exchanges: AtomicUsize,
    /// Whether there was one since this was last asked.
    has_begun: AtomicBool,
    /// Whether the last request came with a body.
    had_body: AtomicBool,
    is_write_blocked: AtomicBool,
    /// Whether a write succeeded since the last look.
    has_written: AtomicBool,
    /// Whether another protocol is spoken from now on.
    is_tunnel: AtomicBool,
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
            ahead: BytesMut::new(),
            framing: Framing::default(),
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
        if !parts.read_buf.is_empty() {
            let mut unused = BytesMut::from(parts.read_buf);
            unused.extend_from_slice(&client.ahead);
            client.ahead = unused;
        }
        client
    }
}

impl<S: AsyncRead + Unpin> ClientStream<S> {
    /// Waits until there is something of a request.
    pub(super) async fn first_bytes(&mut self) -> io::Result<()> {
        if self.ahead.is_empty() {
            self.read_ahead().await?;
        }
        Ok(())
    }

    /// Reads a head to its end, or as much of it as is allowed; tells whether HTTP/2 is spoken.
    ///
    /// Only then the HTTP implementation gets the connection: a client that takes its time, or never
    /// sends the rest, holds no more than it sent.
    pub(super) async fn whole_head(&mut self, max_bytes: usize) -> io::Result<bool> {
        // A whole message ends before what was read ahead begins.
        self.framing = Framing::default();
        let mut seen = 0;
        loop {
            if self.ahead.starts_with(PREFACE) {
                self.framing = Framing::unknown();
                return Ok(true);
            }
            if !PREFACE.starts_with(&self.ahead) {
                let new = self.ahead.get_mut(seen..).unwrap_or_default();
                seen += new.len();
                self.framing.see(new);
                if self.framing.has_seen_head() || seen > max_bytes {
                    return Ok(false);
                }
            }
            self.read_ahead().await?;
        }
    }

    async fn read_ahead(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            // On the stack, so that whoever waits holds no buffer.
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut read = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.ahead.extend_from_slice(read.filled());
            Poll::Ready(Ok(()))
        })
        .await
    }
}

impl Activity {
    /// Whether nothing is going on, and nothing of a response is still to be sent.
    pub(super) fn is_idle(&self) -> bool {
        self.exchanges.load(Ordering::Relaxed) == 0
            && !self.is_write_blocked.load(Ordering::Relaxed)
    }

    /// Whether an exchange began since the last call.
    pub(super) fn take_has_begun(&self) -> bool {
        self.has_begun.swap(false, Ordering::Relaxed)
    }

    /// Whether, besides, nothing of a request can be left unread: a body that nobody wanted may be.
    pub(super) fn is_between_requests(&self) -> bool {
        self.is_idle() && !self.had_body.load(Ordering::Relaxed)
    }

    /// Whether something is to be sent, and nothing could be since the last call.
    pub(super) fn is_stalled(&self) -> bool {
        let has_written = self.has_written.swap(false, Ordering::Relaxed);
        self.is_write_blocked.load(Ordering::Relaxed) && !has_written
    }

    pub(super) fn put_tunnel(&self, tunnel::Agreed(upstream): tunnel::Agreed) {
        self.is_tunnel.store(true, Ordering::Relaxed);
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
    /// Of a request that comes with a body or without.
    pub(super) fn begin(activity: &Arc<Activity>, has_body: bool) -> Self {
        activity.had_body.store(has_body, Ordering::Relaxed);
        activity.has_begun.store(true, Ordering::Relaxed);
        activity.exchanges.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
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
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            if self.ahead.is_empty() {
                self.ahead = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if !self.activity.is_tunnel.load(Ordering::Relaxed) {
            let new = buffer.filled_mut().get_mut(before..);
            self.framing.see(new.unwrap_or_default());
        }
        Poll::Ready(Ok(()))
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
