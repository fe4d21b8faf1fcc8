//! Log lines on their way to standard output, written together.
//!
//! A system call for every request costs more than the line itself. Lines wait for a moment and
//! leave together; a warning or an error takes everything before it along at once.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait.
const DELAY: Duration = Duration::from_millis(50);

/// Bytes that are not held back any longer.
const ENOUGH: usize = 64 * 1024;

/// Bytes from which on whoever has a line to add waits until they are written.
const TOO_MUCH: usize = 16 * ENOUGH;

/// The lines that wait. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    bytes: Mutex<Vec<u8>>,
    first: Condvar,
    /// Held while lines are taken and written, so that none can overtake another; what was written
    /// last, for its room. Nobody who only adds a line waits for a system call.
    writing: Mutex<Vec<u8>>,
}

/// Takes one line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    lines: &'a Lines,
    is_urgent: bool,
}

impl Lines {
    /// Lines that a thread of their own carries out.
    pub(super) fn begin() -> Self {
        let lines = Self::default();
        let carrier = lines.clone();
        let thread = thread::Builder::new().name("log".to_owned());
        // Without the thread, lines leave when there are enough of them or one is urgent.
        thread.spawn(move || carrier.carry()).ok();
        lines
    }

    /// Writes everything that waits.
    pub(super) fn flush(&self) {
        self.write_out(&mut lock(&self.0.writing));
    }

    /// Adds text that ends with a line; an urgent one leaves at once, with all before it.
    pub(super) fn append(&self, text: &[u8], is_urgent: bool) {
        let mut bytes = lock(&self.0.bytes);
        let was_empty = bytes.is_empty();
        bytes.extend_from_slice(text);
        let waiting = bytes.len();
        drop(bytes);
        if is_urgent || waiting >= TOO_MUCH {
            self.flush();
        } else if waiting >= ENOUGH {
            // Otherwise somebody is at it, and this line leaves with the next.
            if let Ok(mut writing) = self.0.writing.try_lock() {
                self.write_out(&mut writing);
            }
        } else if was_empty {
            self.0.first.notify_one();
        }
    }

    fn write_out(&self, taken: &mut Vec<u8>) {
        mem::swap(taken, &mut *lock(&self.0.bytes));
        let mut out = io::stdout().lock();
        // When standard output is gone, there is nobody left to tell.
        out.write_all(taken).and_then(|()| out.flush()).ok();
        taken.clear();
        taken.shrink_to(4 * ENOUGH);
    }

    fn carry(&self) {
        loop {
            let bytes = lock(&self.0.bytes);
            let wait = self.0.first.wait_while(bytes, |bytes| bytes.is_empty());
            drop(wait.unwrap_or_else(PoisonError::into_inner));
            thread::park_timeout(DELAY);
            self.flush();
        }
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            lines: self,
            is_urgent: true,
        }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Line<'a> {
        Line {
            lines: self,
            is_urgent: *about.level() <= Level::WARN,
        }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.lines.append(text, self.is_urgent);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_waits_and_an_urgent_one_takes_it_along() {
        let lines = Lines::default();
        let mut calm = Line {
            lines: &lines,
            is_urgent: false,
        };
        calm.write_all(b"{}\n").unwrap();
        assert_eq!(*lock(&lines.0.bytes), b"{}\n");
        lines.make_writer().write_all(b"{}\n").unwrap();
        assert!(lock(&lines.0.bytes).is_empty());
    }
}
