//! One HTTP/1.1 connection to an upstream.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    http1::{Inbox, Outbox},
    rewound::Rewound,
};

/// A connection with at most one request on it.
pub(crate) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) last_used: Instant,
    /// Ends a silence. It runs on from one exchange to the next, and is set back when it goes off:
    /// to begin a timer for every exchange costs more.
    pub(super) timer: Pin<Box<Sleep>>,
}

impl Connection {
    /// Connects to `address`.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Box<Self>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let now = Instant::now();
        Ok(Box::new(Self {
            stream,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            last_used: now,
            timer: Box::pin(sleep_until(now)),
        }))
    }

    /// When its last exchange began, or the connection itself.
    pub(crate) fn last_used(&self) -> Instant {
        self.last_used
    }

    /// Whether the other side hung up, or says what nobody asked for.
    pub(crate) fn has_ended(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        match self.stream.poll_read_ready(&mut cx) {
            Poll::Pending => false,
            Poll::Ready(Err(_)) => true,
            Poll::Ready(Ok(())) => {
                let read = self.stream.try_read(&mut [0]);
                !matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
        }
    }

    /// The stream, for a connection that will speak another protocol.
    pub(crate) fn into_stream(self) -> Rewound<TcpStream> {
        Rewound::new(self.inbox.bytes, self.stream)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}
