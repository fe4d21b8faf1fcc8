//! A request body on its way from the client's connection to the upstream's.
//!
//! Both are driven by one task: the reader asks, and whoever polls the reader then reads from the
//! client and polls the reader again. So nobody has to be woken, and nothing is read that has no
//! place to go.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use bytes::Bytes;

use super::BodyError;

/// The hand-over of one body, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Pipe(Mutex<Slot>);

#[derive(Debug, Default)]
struct Slot {
    piece: Option<Bytes>,
    end: Option<Result<(), BodyError>>,
    is_wanted: bool,
}

impl Pipe {
    /// Whether the reader waits for something.
    pub(crate) fn is_wanted(&self) -> bool {
        self.slot().is_wanted
    }

    /// Hands over a piece, after the one before was taken.
    pub(crate) fn put(&self, piece: Bytes) {
        let mut slot = self.slot();
        slot.piece = Some(piece);
        slot.is_wanted = false;
    }

    /// Says that there are no more pieces, and why.
    pub(crate) fn end(&self, end: Result<(), BodyError>) {
        let mut slot = self.slot();
        slot.end = Some(end);
        slot.is_wanted = false;
    }

    /// The next piece; asks for it, if it is not there.
    pub(super) fn poll_piece(&self) -> Poll<Option<Result<Bytes, BodyError>>> {
        let mut slot = self.slot();
        if let Some(piece) = slot.piece.take() {
            return Poll::Ready(Some(Ok(piece)));
        }
        match slot.end.take() {
            None => {
                slot.is_wanted = true;
                Poll::Pending
            }
            Some(Ok(())) => {
                slot.end = Some(Ok(()));
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                slot.end = Some(Ok(()));
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
