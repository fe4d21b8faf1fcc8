//! Threads that serve connections, each with a runtime of its own.
//!
//! A request never changes threads: no queue is shared, and nothing has to be woken elsewhere. A
//! connection to an upstream belongs to the thread that opened it, so each keeps its own.

use std::{
    cell::Cell,
    fmt,
    future::Future,
    io,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use arc_swap::ArcSwap;
use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Most threads there can be.
pub(crate) const MAX_WORKERS: usize = 64;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// The threads. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    handles: Vec<Handle>,
    turn: AtomicUsize,
    _stop: DropGuard,
}

/// A value that all threads share and that can be replaced, with a handle for each of them. Cores
/// that counted references in the same place would wait for each other at every request.
pub(crate) struct PerWorker<T> {
    handles: Vec<ArcSwap<Handed<T>>>,
    /// For all other threads.
    spare: ArcSwap<Handed<T>>,
}

/// One thread's handle, on lines of the cache that no other thread writes to.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Handed<T>(Arc<T>);

impl<T> PerWorker<T> {
    /// Hands out `value`.
    pub(crate) fn new(value: T) -> Self {
        let value = Arc::new(value);
        let handle = || ArcSwap::from_pointee(Handed(Arc::clone(&value)));
        Self {
            handles: (0..MAX_WORKERS).map(|_| handle()).collect(),
            spare: handle(),
        }
    }

    /// The handle of this thread.
    pub(crate) fn load(&self) -> Arc<Handed<T>> {
        let own = self.handles.get(current());
        own.unwrap_or(&self.spare).load_full()
    }

    /// Hands out another value.
    pub(crate) fn store(&self, value: T) {
        let value = Arc::new(value);
        for handle in self.handles.iter().chain([&self.spare]) {
            handle.store(Arc::new(Handed(Arc::clone(&value))));
        }
    }
}

impl Workers {
    /// Starts `count` threads.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let numbers = 0..count.clamp(1, MAX_WORKERS);
        let handles = numbers.map(|number| start(number, stop.clone()));
        Ok(Self {
            handles: handles.collect::<Result<_, _>>()?,
            turn: AtomicUsize::new(0),
            _stop: stop.drop_guard(),
        })
    }

    /// Hands `socket` to the thread whose turn it is; completes when `serve` has.
    pub(crate) fn serve<F, C>(
        &self,
        socket: TcpStream,
        serve: F,
    ) -> impl Future<Output = ()> + use<F, C>
    where
        F: FnOnce(TcpStream) -> C + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.handles.len().max(1);
        let handle = self.handles.get(turn).cloned();
        async move {
            let (Some(handle), Ok(socket)) = (handle, socket.into_std()) else {
                return;
            };
            let serving = handle.spawn(async move {
                match TcpStream::from_std(socket) {
                    Ok(socket) => serve(socket).await,
                    Err(error) => tracing::warn!(%error, "a connection could not be served"),
                }
            });
            // It fails when the connection's task panicked, which the panic itself reports.
            serving.await.ok();
        }
    }
}

/// The number of the current thread among the workers; zero for any other.
pub(crate) fn current() -> usize {
    NUMBER.get()
}

impl<T> Deref for Handed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for PerWorker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerWorker")
    }
}

fn start(number: usize, stop: CancellationToken) -> io::Result<Handle> {
    // Of what a runtime can do, no more than is used: it looks at all of it whenever it has nothing to do.
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name(format!("gateway-{number}"))
        .spawn(move || {
            NUMBER.set(number);
            runtime.block_on(stop.cancelled());
        })?;
    Ok(handle)
}
