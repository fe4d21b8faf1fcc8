//! Small messages, sent as a whole.
//!
//! A head and its body come as two buffers. To the system, one buffer is cheaper than a list of two,
//! by more than it costs to put them together when they are short.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are put together.
const SMALL_BYTES: usize = 4096;

/// A stream that sends small messages as a whole.
pub(crate) struct Whole<S>(pub(crate) S);

/// Writes `buffers` to `stream`, in one piece if they are small.
pub(crate) fn poll_write<S: AsyncWrite>(
    stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    buffers: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let mut filled = buffers.iter().filter(|buffer| !buffer.is_empty());
    if let (Some(only), None) = (filled.next(), filled.next()) {
        return stream.poll_write(cx, only);
    }
    let length: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    if length > SMALL_BYTES {
        return stream.poll_write_vectored(cx, buffers);
    }
    let mut space = [MaybeUninit::uninit(); SMALL_BYTES];
    let mut whole = ReadBuf::uninit(&mut space);
    for buffer in buffers {
        whole.put_slice(buffer);
    }
    stream.poll_write(cx, whole.filled())
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Whole<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_write(Pin::new(&mut self.0), cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Whole<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}
