//! What arrived from the other side and was not used yet.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

/// Bytes read at once, as long as little comes.
const FEW_BYTES: usize = 4096;

/// Bytes read at once while there is no end of them.
const MANY_BYTES: usize = 64 * 1024;

/// Bytes that arrived. It holds no more memory than they need until a lot of them come.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) bytes: BytesMut,
    is_flooded: bool,
}

impl Inbox {
    /// Reads what is there and tells how much that was; nothing means that no more will come.
    pub(crate) fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let length = if self.is_flooded {
            self.bytes.reserve(MANY_BYTES);
            ready!(poll_read_buf(Pin::new(stream), cx, &mut self.bytes))?
        } else {
            // On the stack, so that whoever waits holds no buffer.
            let mut space = [MaybeUninit::uninit(); FEW_BYTES];
            let mut read = ReadBuf::uninit(&mut space);
            ready!(Pin::new(stream).poll_read(cx, &mut read))?;
            self.bytes.extend_from_slice(read.filled());
            read.filled().len()
        };
        self.is_flooded = length >= FEW_BYTES;
        Poll::Ready(Ok(length))
    }

    /// Gives memory back, if nothing is in it and it holds more than `most` bytes; takes no more
    /// until a lot comes again.
    pub(crate) fn shrink(&mut self, most: usize) {
        self.is_flooded = false;
        if self.bytes.is_empty() && self.bytes.capacity() > most {
            self.bytes = BytesMut::new();
        }
    }
}
