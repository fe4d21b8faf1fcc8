//! Threads that serve connections, each with a runtime of its own.
//!
//! A request never changes threads: no queue is shared, and nothing has to be woken elsewhere. A
//! connection to an upstream belongs to the thread that opened it, so each keeps its own.

use std::{
    cell::Cell,
    future::Future,
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

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

fn start(number: usize, stop: CancellationToken) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name(format!("gateway-{number}"))
        .spawn(move || {
            NUMBER.set(number);
            runtime.block_on(stop.cancelled());
        })?;
    Ok(handle)
}
