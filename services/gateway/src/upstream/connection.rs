//! One HTTP/1.1 connection to an upstream, driven by the task that waits for its response.
//!
//! No task of its own stands between the client's connection and this one: whoever wants the
//! response or its body polls the connection too. That saves two hand-overs per request.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

use crate::{body::RequestBody, whole::Whole};

/// Bytes of the head of a response, at most.
const MAX_HEAD_BYTES: usize = 64 * 1024;

type Driver = http1::Connection<TokioIo<Whole<TcpStream>>, RequestBody>;

/// A connection with at most one request on it.
pub(crate) struct Connection {
    sender: SendRequest<RequestBody>,
    /// Absent once the connection is over.
    driver: Option<Driver>,
    last_used: Instant,
    /// Ends a silence. It runs on from one exchange to the next, and is set back when it goes off:
    /// to begin a timer for every exchange costs more.
    timer: Pin<Box<Sleep>>,
}

/// Why a request got no response.
pub(crate) enum ExchangeError {
    /// Not a byte of the request was written.
    NotSent(Box<Request<RequestBody>>, hyper::Error),
    /// The connection broke, or the request's body did.
    Broken(hyper::Error),
    /// The upstream was silent for too long.
    TimedOut,
}

impl Connection {
    /// Connects to `address`.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Box<Self>> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(Whole(socket)))
            .await
            .map_err(io::Error::other)?;
        let now = Instant::now();
        Ok(Box::new(Self {
            sender,
            driver: Some(driver),
            last_used: now,
            timer: Box::pin(sleep_until(now)),
        }))
    }

    /// Sends `request` and waits for the head of the response, as long as there are signs of life
    /// at least every `silence`.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        silence: Duration,
    ) -> Result<Response<Incoming>, ExchangeError> {
        let progress = request.body().progress();
        let began = Instant::now();
        self.last_used = began;
        let timer = &mut self.timer;
        if timer.deadline() > began + silence {
            timer.as_mut().reset(began + silence);
        }
        // The response comes out of the driver, which this task polls with its own waker. Another
        // wake-up from the channel between them would only repeat the work, so that side gets a
        // waker that does nothing, and no budget that could make it depend on one.
        let mut response = pin!(unconstrained(self.sender.try_send_request(request)));
        let driver = &mut self.driver;
        poll_fn(|cx| {
            drive(driver, cx);
            let quiet = &mut Context::from_waker(Waker::noop());
            if let Poll::Ready(outcome) = response.as_mut().poll(quiet) {
                return Poll::Ready(outcome.map_err(|mut error| match error.take_message() {
                    Some(request) => ExchangeError::NotSent(Box::new(request), error.into_error()),
                    None => ExchangeError::Broken(error.into_error()),
                }));
            }
            while timer.as_mut().poll(cx).is_ready() {
                // The silence may be the client's, who is still sending the request.
                let last = progress.as_ref().map_or(began, |progress| progress.last());
                if last + silence <= Instant::now() {
                    return Poll::Ready(Err(ExchangeError::TimedOut));
                }
                timer.as_mut().reset(last + silence);
            }
            Poll::Pending
        })
        .await
    }

    /// Does what the connection has to do; `cx` is woken when there is more.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, cx);
    }

    /// When its last exchange began, or the connection itself.
    pub(crate) fn last_used(&self) -> Instant {
        self.last_used
    }

    /// Whether it stands and waits for a request.
    pub(crate) fn is_ready(&mut self) -> bool {
        // Notices that the other side hung up, or that the last exchange is complete.
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }

    /// The two halves, for a connection that will speak another protocol.
    pub(crate) fn into_parts(self) -> Option<(SendRequest<RequestBody>, Driver)> {
        Some((self.sender, self.driver?))
    }
}

/// Polls the driver and drops it at its end, which tells whoever waits for the response.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    if let Some(running) = driver
        && Pin::new(running).poll(cx).is_ready()
    {
        *driver = None;
    }
}
