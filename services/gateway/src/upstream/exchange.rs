//! One request on a connection to an upstream, and its response.
//!
//! No task of its own stands between the client's connection and this one: whoever wants the
//! response or its body sends the request's body too.

use std::{
    future::{Future, poll_fn},
    io,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::time::Instant;

use super::{Outgoing, address::Address, connection::Connection};
use crate::{
    body::{BodyError, RequestBody},
    http1::{BadHead, Decoder, HeadLimits, HeadReader, ResponseHead},
};

/// What an upstream's head may be.
const LIMITS: HeadLimits = HeadLimits {
    bytes: 64 * 1024,
    fields: 100,
};

/// A request under way.
pub(crate) struct Exchange {
    connection: Box<Connection>,
    address: Arc<Address>,
    body: RequestBody,
    is_chunked: bool,
    /// Whether the request was sent to its end.
    is_sent: bool,
    /// Why the upstream takes no more of the request. It may have answered all the same.
    refused: Option<io::Error>,
    /// What is left of the response's body.
    decoder: Decoder,
    /// Whether the upstream takes another request after this one.
    is_kept: bool,
}

/// Why a request got no response.
pub(crate) enum ExchangeError {
    /// Not a byte of the request was written.
    NotSent(RequestBody, io::Error),
    /// The client's side of the request's body ended early.
    Client(BodyError),
    /// The connection broke, or what came was not HTTP.
    Broken(io::Error),
    /// The upstream was silent for too long.
    TimedOut,
}

impl Exchange {
    /// Sends `request` with `body` and waits for the head of the response, as long as there are
    /// signs of life at least every `silence`, from when it `began`.
    pub(crate) async fn begin(
        (address, mut connection): (Arc<Address>, Box<Connection>),
        request: &Outgoing<'_>,
        body: RequestBody,
        began: Instant,
        silence: Duration,
    ) -> Result<(ResponseHead, Self), ExchangeError> {
        if connection.has_ended() {
            let hung_up = io::ErrorKind::ConnectionReset.into();
            return Err(ExchangeError::NotSent(body, hung_up));
        }
        let is_chunked = !body.is_none() && !request.has_length();
        request.write(address.host(), is_chunked, connection.outbox.text());
        connection.last_used = began;
        if connection.timer.deadline() > began + silence {
            connection.timer.as_mut().reset(began + silence);
        }
        let sent_before = connection.outbox.total();
        let mut exchange = Self {
            connection,
            address,
            is_chunked,
            is_sent: body.is_none(),
            body,
            refused: None,
            decoder: Decoder::Done,
            is_kept: false,
        };
        let mut reader = HeadReader::default();
        let head = poll_fn(|cx| exchange.poll_head(cx, &mut reader, began, silence)).await;
        let nothing_sent = exchange.connection.outbox.total() == sent_before;
        let error = match head {
            Ok(head) if !nothing_sent => return exchange.receive(head, request.method),
            // What is said before anything was asked is no answer.
            Ok(_) => ExchangeError::Broken(io::ErrorKind::InvalidData.into()),
            Err(error) => error,
        };
        Err(match error {
            ExchangeError::Broken(error)
                if nothing_sent && exchange.body.last_moved().is_none() =>
            {
                ExchangeError::NotSent(exchange.body, error)
            }
            error => error,
        })
    }

    /// Takes in the final head of the response.
    fn receive(
        mut self,
        mut head: ResponseHead,
        method: &Method,
    ) -> Result<(ResponseHead, Self), ExchangeError> {
        let (decoder, must_end) = head.body(method).map_err(ExchangeError::from)?;
        self.is_kept = head.keeps_alive() && !must_end;
        self.decoder = decoder;
        Ok((head, self))
    }

    /// Whether the response was read to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.decoder.is_done()
    }

    /// Gives the connection back, if it can be used again.
    pub(crate) fn finish(self) {
        let Connection { inbox, outbox, .. } = &*self.connection;
        // What is left in either would be taken for a part of what follows.
        let is_empty = inbox.bytes.is_empty() && outbox.is_empty();
        let is_clean = self.is_sent && self.refused.is_none() && self.is_over();
        if is_clean && is_empty && self.is_kept {
            self.address.keep(self.connection);
        }
    }

    /// The connection, for another protocol.
    pub(crate) fn into_connection(self) -> Box<Connection> {
        self.connection
    }

    /// The next piece of the response's body.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.poll_send(cx)?;
        loop {
            let arrived = &mut self.connection.inbox.bytes;
            let piece = self.decoder.decode(arrived).map_err(broke)?;
            if piece.is_some() || self.decoder.is_done() {
                return Poll::Ready(piece.map(Ok));
            }
            if ready!(self.poll_fill(cx)).map_err(BodyError::UpstreamBroke)? == 0 {
                self.decoder.end().map_err(broke)?;
            }
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut HeadReader,
        began: Instant,
        silence: Duration,
    ) -> Poll<Result<ResponseHead, ExchangeError>> {
        self.poll_send(cx).map_err(ExchangeError::Client)?;
        loop {
            let arrived = &mut self.connection.inbox.bytes;
            match reader.response(arrived, LIMITS)? {
                // What comes before the response is for the gateway (RFC 9110, 15.2).
                Some(head) if is_interim(head.status) => continue,
                Some(head) => return Poll::Ready(Ok(head)),
                None => {}
            }
            match self.poll_fill(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) => {
                    let hung_up = io::ErrorKind::UnexpectedEof.into();
                    let error = self.refused.take().unwrap_or(hung_up);
                    return Poll::Ready(Err(ExchangeError::Broken(error)));
                }
                Poll::Ready(Err(error)) => {
                    let error = self.refused.take().unwrap_or(error);
                    return Poll::Ready(Err(ExchangeError::Broken(error)));
                }
            }
        }
        while self.connection.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let last = self.last_owed(now).unwrap_or(began);
            if last + silence <= now {
                return Poll::Ready(Err(ExchangeError::TimedOut));
            }
            self.connection.timer.as_mut().reset(last + silence);
        }
        Poll::Pending
    }

    /// Until when silence was the client's, who was still sending the request. It is `now`.
    pub(crate) fn last_owed(&self, now: Instant) -> Option<Instant> {
        let waits = !self.is_sent && self.refused.is_none();
        if waits && self.connection.outbox.is_empty() {
            return Some(now);
        }
        self.body.last_moved()
    }

    /// Sends what there is of the request. An error is the client's; the upstream's is noted.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), BodyError> {
        let Connection { stream, outbox, .. } = &mut *self.connection;
        if self.refused.is_some() {
            return Ok(());
        }
        loop {
            let mut waits = self.is_sent;
            while !waits && outbox.has_room() {
                match self.body.poll_piece(cx) {
                    Poll::Pending => waits = true,
                    Poll::Ready(Some(piece)) => outbox.add(piece?, self.is_chunked),
                    Poll::Ready(None) => {
                        if self.is_chunked {
                            outbox.end_chunks();
                        }
                        self.is_sent = true;
                        waits = true;
                    }
                }
            }
            match outbox.poll_flush(stream, cx) {
                Poll::Ready(Ok(())) if !waits => {}
                Poll::Ready(Ok(())) | Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => {
                    self.refused = Some(error);
                    return Ok(());
                }
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Connection { stream, inbox, .. } = &mut *self.connection;
        inbox.poll_fill(stream, cx)
    }
}

fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

fn broke(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BodyError {
    BodyError::UpstreamBroke(io::Error::new(io::ErrorKind::InvalidData, error))
}

impl From<BadHead> for ExchangeError {
    fn from(error: BadHead) -> Self {
        Self::Broken(io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exchange")
    }
}

#[cfg(test)]
mod tests;
