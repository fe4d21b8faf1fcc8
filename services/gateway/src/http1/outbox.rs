//! What is to be sent to the other side.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Bytes up to which pieces are put together. To the system, one buffer is cheaper than a list of
/// them, by more than copying costs.
const SMALL_BYTES: usize = 4096;

/// Bytes that wait at most, beside one large piece.
const FULL_BYTES: usize = 16 * 1024;

/// Messages on their way out: text and, after it, one large piece of a body.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    text: Vec<u8>,
    /// How much of the text was sent.
    sent: usize,
    piece: Bytes,
    /// What ends the large piece.
    piece_end: &'static [u8],
    /// Whether the stream may hold back what it took: TLS does, until it is flushed.
    is_held: bool,
    /// Bytes sent since it was made.
    total: u64,
}

impl Outbox {
    /// The text, to be added to; only while no large piece waits.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Whether another piece may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.piece.is_empty() && self.piece_end.is_empty() && self.text.len() < FULL_BYTES
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_written() && !self.is_held
    }

    /// Bytes sent so far.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Adds a piece of a body, as a chunk or as it is.
    pub(crate) fn add(&mut self, piece: Bytes, is_chunk: bool) {
        if piece.is_empty() {
            return;
        }
        let mut end: &[u8] = b"";
        if is_chunk {
            write_size(&mut self.text, piece.len());
            end = b"\r\n";
        }
        if piece.len() <= SMALL_BYTES {
            self.text.extend_from_slice(&piece);
            self.text.extend_from_slice(end);
        } else {
            self.piece = piece;
            self.piece_end = end;
        }
    }

    /// Ends a body of chunks; only while no large piece waits.
    pub(crate) fn end_chunks(&mut self) {
        self.text.extend_from_slice(b"0\r\n\r\n");
    }

    /// Sends everything.
    pub(crate) fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.is_written() {
            let text = self.text.get(self.sent..).unwrap_or_default();
            let written = if self.piece.is_empty() && self.piece_end.is_empty() {
                ready!(Pin::new(&mut *stream).poll_write(cx, text))?
            } else {
                let all = [text, &self.piece, self.piece_end].map(IoSlice::new);
                ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &all))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.note_sent(written);
        }
        self.text.clear();
        self.sent = 0;
        ready!(Pin::new(stream).poll_flush(cx))?;
        self.is_held = false;
        Poll::Ready(Ok(()))
    }

    /// Whether the stream took everything.
    fn is_written(&self) -> bool {
        self.sent == self.text.len() && self.piece.is_empty() && self.piece_end.is_empty()
    }

    fn note_sent(&mut self, written: usize) {
        self.is_held = true;
        self.total += written as u64;
        let of_text = written.min(self.text.len() - self.sent);
        self.sent += of_text;
        let of_piece = (written - of_text).min(self.piece.len());
        self.piece.advance(of_piece);
        let of_end = written - of_text - of_piece;
        self.piece_end = self.piece_end.get(of_end..).unwrap_or_default();
        if self.piece.is_empty() {
            // Lets go of the memory behind it.
            self.piece = Bytes::new();
        }
    }
}

/// The line before a chunk.
fn write_size(text: &mut Vec<u8>, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4);
    for position in (0..digits).rev() {
        let digit = u32::try_from(size >> (4 * position) & 15).unwrap_or_default();
        let digit = char::from_digit(digit, 16).unwrap_or('0');
        text.extend(u8::try_from(digit));
    }
    text.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use tokio::io::BufWriter;

    use super::*;

    /// What `outbox` sends to somebody who takes so many bytes at once.
    async fn sent(mut outbox: Outbox, at_once: usize) -> Vec<u8> {
        let (mut near, mut far) = tokio::io::duplex(at_once);
        let sending = async move {
            std::future::poll_fn(|cx| outbox.poll_flush(&mut near, cx))
                .await
                .unwrap();
            assert!(outbox.is_empty() && outbox.has_room());
        };
        let mut received = Vec::new();
        let receiving = tokio::io::AsyncReadExt::read_to_end(&mut far, &mut received);
        let ((), outcome) = tokio::join!(sending, receiving);
        outcome.unwrap();
        received
    }

    #[tokio::test]
    async fn pieces_of_every_size_leave_whole_and_in_order() {
        for size in [1, 15, 16, SMALL_BYTES, SMALL_BYTES + 1, 100_000] {
            for at_once in [1000, 1_000_000] {
                let mut outbox = Outbox::default();
                outbox.text().extend_from_slice(b"head");
                outbox.add(Bytes::from_static(b"small"), true);
                outbox.add(Bytes::from(vec![b'x'; size]), true);
                let chunk = format!("{size:x}\r\n{}\r\n", "x".repeat(size));
                let expected = format!("head5\r\nsmall\r\n{chunk}");
                assert_eq!(sent(outbox, at_once).await, expected.as_bytes(), "{size}");
            }
        }
    }

    #[tokio::test]
    async fn what_the_stream_holds_back_leaves_too() {
        let (near, mut far) = tokio::io::duplex(10);
        let mut near = BufWriter::with_capacity(1000, near);
        let mut outbox = Outbox::default();
        outbox.text().extend_from_slice(&[b'x'; 500]);
        let sending =
            async move { std::future::poll_fn(|cx| outbox.poll_flush(&mut near, cx)).await };
        let mut received = Vec::new();
        let receiving = tokio::io::AsyncReadExt::read_to_end(&mut far, &mut received);
        let (sent, outcome) = tokio::join!(sending, receiving);
        sent.and(outcome.map(drop)).unwrap();
        assert_eq!(received.len(), 500);
    }

    #[test]
    fn a_large_piece_leaves_before_another_is_added() {
        let mut outbox = Outbox::default();
        assert!(outbox.has_room());
        outbox.add(Bytes::from(vec![0; SMALL_BYTES + 1]), false);
        assert!(!outbox.has_room());
    }
}
