//! A client's side of a connection that speaks HTTP/1.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    body::{BodyError, Incoming, Pipe},
    http1::{BadHead, Decoder, HeadLimits, HeadReader, Inbox, Outbox, RequestHead},
    rewound::Rewound,
};

/// How a client says that it speaks HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A client's stream, what it sent, and what it is to be sent.
pub(super) struct Client<S> {
    stream: S,
    inbox: Inbox,
    pub(super) outbox: Outbox,
    reader: HeadReader,
    /// What is left of the body of the request.
    decoder: Decoder,
    /// Where that goes.
    pipe: Option<Arc<Pipe>>,
    /// Whether the client waits to be told that its body is wanted.
    is_waiting: bool,
    /// Whether it has sent a request of HTTP/1, and so will not change to HTTP/2.
    is_http1: bool,
}

/// What a client sent.
pub(super) enum Sent {
    /// A complete head.
    Head(RequestHead),
    /// Less than that.
    Part,
    /// The beginning of HTTP/2.
    Http2,
}

/// What came of reading while a request is served.
pub(super) enum Fed {
    /// The reader of the request's body has something to read.
    Reader,
    /// The client is gone.
    Gone,
}

impl<S> Client<S> {
    /// Nothing was read of `stream` yet.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            reader: HeadReader::default(),
            decoder: Decoder::Done,
            pipe: None,
            is_waiting: false,
            is_http1: false,
        }
    }

    /// The stream, from the first byte that was not used.
    pub(super) fn into_stream(self) -> Rewound<S> {
        Rewound::new(self.inbox.bytes, self.stream)
    }

    /// Whether something was read that was not used yet.
    pub(super) fn has_sent(&self) -> bool {
        !self.inbox.bytes.is_empty()
    }

    /// Gives back the memory that only requests need.
    pub(super) fn rest(&mut self) {
        self.inbox.shrink(0);
        if self.outbox.is_empty() {
            self.outbox = Outbox::default();
        }
    }

    /// Whether there is something to be served: a head that is complete, or none.
    pub(super) fn is_ready(&mut self, limits: HeadLimits) -> bool {
        match self.preface() {
            Some(is_whole) => is_whole,
            None => self.reader.is_ready(&self.inbox.bytes, limits),
        }
    }

    /// Takes the next head out of what was read.
    pub(super) fn take_head(&mut self, limits: HeadLimits) -> Result<Sent, BadHead> {
        match self.preface() {
            Some(true) => return Ok(Sent::Http2),
            Some(false) => return Ok(Sent::Part),
            None => {}
        }
        let head = self.reader.request(&mut self.inbox.bytes, limits)?;
        self.is_http1 |= head.is_some();
        Ok(head.map_or(Sent::Part, Sent::Head))
    }

    /// Whether what was read begins HTTP/2, or may yet do so.
    fn preface(&self) -> Option<bool> {
        let bytes = &self.inbox.bytes;
        if self.is_http1 || bytes.first() != PREFACE.first() {
            return None;
        }
        let is_whole = bytes.starts_with(PREFACE);
        (is_whole || PREFACE.starts_with(bytes)).then_some(is_whole)
    }

    /// The body of the request whose head was taken, framed like this.
    pub(super) fn begin_body(&mut self, decoder: Decoder, is_waiting: bool) -> Incoming {
        self.decoder = decoder;
        self.is_waiting = is_waiting;
        self.pipe = None;
        if self.decoder.is_done() {
            return Incoming::None;
        }
        let pipe = Arc::<Pipe>::default();
        self.pipe = Some(Arc::clone(&pipe));
        // What came with the head goes on with it.
        self.feed(&pipe);
        Incoming::Http1(pipe)
    }

    /// Notes that the response begins: nobody is told any more that a body is wanted.
    pub(super) fn begin_response(&mut self) {
        self.is_waiting = false;
    }

    /// Notes that what comes is no request.
    pub(super) fn give_up(&mut self) {
        self.decoder = Decoder::UntilEnd;
    }

    /// Whether the body was read to its end; what came of a body that nobody reads is passed over.
    pub(super) fn has_finished_body(&mut self) -> bool {
        if !self.has_reader() {
            while let Ok(Some(_)) = self.decoder.decode(&mut self.inbox.bytes) {}
        }
        self.decoder.is_done()
    }

    /// Whether somebody still reads the body.
    pub(super) fn has_reader(&self) -> bool {
        let is_read = |pipe: &Arc<Pipe>| Arc::strong_count(pipe) > 1;
        self.pipe.as_ref().is_some_and(is_read)
    }

    /// Decodes what was read and hands it over; tells whether there was anything.
    fn feed(&mut self, pipe: &Pipe) -> bool {
        match self.decoder.decode(&mut self.inbox.bytes) {
            Ok(piece) => {
                let is_progress = piece.is_some() || self.decoder.is_done();
                if let Some(piece) = piece {
                    pipe.put(piece);
                }
                if self.decoder.is_done() {
                    pipe.end(Ok(()));
                }
                is_progress
            }
            Err(error) => {
                self.break_body(pipe, io::Error::new(io::ErrorKind::InvalidData, error));
                true
            }
        }
    }

    fn break_body(&mut self, pipe: &Pipe, error: io::Error) {
        pipe.end(Err(BodyError::ClientBroke(error)));
        self.pipe = None;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Reads something; nothing more comes when there is an error.
    pub(super) async fn read(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let length = ready!(self.inbox.poll_fill(&mut self.stream, cx))?;
        Poll::Ready(if length == 0 {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        })
    }

    /// Reads on while a request is served: its body, as far as that is wanted, and else whether the
    /// client is still there.
    pub(super) fn poll_feed(&mut self, cx: &mut Context<'_>) -> Poll<Fed> {
        if self.decoder.is_done() {
            return self.poll_gone(cx);
        }
        let Some(pipe) = self.pipe.clone().filter(|pipe| pipe.is_wanted()) else {
            return Poll::Pending;
        };
        if self.is_waiting && !self.has_sent() {
            self.outbox.text().extend_from_slice(CONTINUE);
        }
        self.is_waiting = false;
        if let Poll::Ready(Err(_)) = self.poll_flush(cx) {
            return Poll::Ready(Fed::Gone);
        }
        while !self.feed(&pipe) {
            if let Err(error) = ready!(self.poll_read(cx)) {
                self.break_body(&pipe, error);
                break;
            }
        }
        Poll::Ready(Fed::Reader)
    }

    /// Sends what there is to send.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbox.poll_flush(&mut self.stream, cx)
    }

    /// Says that nothing more will be sent, and passes over what the client still sends: were it
    /// left unread, the response would be taken back from whoever has not read it yet.
    pub(super) async fn finish(&mut self) {
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx))
            .await
            .ok();
        if self.decoder.is_done() && !self.has_sent() {
            return;
        }
        while self.read().await.is_ok() {
            self.inbox.bytes.clear();
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Fed> {
        // What is there already is the next request.
        if self.has_sent() {
            return Poll::Pending;
        }
        match self.poll_read(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(Fed::Gone),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}
