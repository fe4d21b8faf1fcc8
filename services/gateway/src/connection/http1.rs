//! Requests of HTTP/1, one after the other.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Version};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Connections, End,
    client::{Client, Fed, Sent},
};
use crate::{
    body::{BodyError, ResponseBody, Silence},
    client_address::Peer,
    http1::{self, BadHead, RequestHead},
    message::{Request, Response},
    upstream::Connection,
};

/// Time between two looks at a connection; one on which nothing came between them is idle.
const TICK: Duration = Duration::from_millis(100);

/// Longest time in which a client takes nothing of its response.
const LONGEST_STALL: Duration = Duration::from_mins(1);

/// Time a client has to take in the end of a connection.
const FINISH: Duration = Duration::from_secs(2);

/// What follows a response.
enum Next {
    /// Another request.
    Request,
    /// Nothing.
    End,
    /// Nothing, and the client must not take what it got for the whole.
    Abort,
    /// Another protocol, with this upstream.
    Tunnel(Box<Connection>),
}

/// What matters of a request to its response.
struct Asked {
    method: Method,
    version: Version,
    keeps_alive: bool,
}

/// How a response's body is framed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// It has none.
    Nothing,
    /// It is as long as the head says.
    Length,
    /// It comes in chunks.
    Chunks,
    /// It ends with the connection.
    UntilEnd,
}

/// Why no more of a response could be made ready to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gathered {
    /// That was all.
    All,
    /// The rest is not there yet.
    Part,
    /// What there is has to be sent first.
    Plenty,
}

impl Connections {
    /// Serves what `client` sends, until it is idle or the connection is over.
    pub(super) async fn serve_http1<S>(&self, client: &mut Client<S>, peer: Peer) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut tick = pin!(sleep_until(Instant::now() + TICK));
        let mut was_idle;
        loop {
            let next = match client.take_head(self.head_limits) {
                Ok(Sent::Head(head)) => self.serve_request(client, head, peer).await,
                Ok(Sent::Part) => return End::Idle,
                Ok(Sent::Http2) => return End::Http2,
                Err(error) => self.refuse(client, error).await,
            };
            match next {
                Next::Request => {}
                Next::End => {
                    timeout(FINISH, client.finish()).await.ok();
                    return End::Over;
                }
                Next::Abort => return End::Over,
                Next::Tunnel(upstream) => return End::Tunnel(upstream),
            }
            was_idle = false;
            if client.has_sent() {
                continue;
            }
            if self.is_crowd() {
                return End::Idle;
            }
            let read = poll_fn(|cx| {
                if let Poll::Ready(read) = client.poll_read(cx) {
                    return Poll::Ready(Some(read));
                }
                // Looking now and then spares every request a timer of its own.
                while tick.as_mut().poll(cx).is_ready() {
                    if was_idle {
                        return Poll::Ready(None);
                    }
                    was_idle = true;
                    tick.as_mut().reset(Instant::now() + TICK);
                }
                Poll::Pending
            });
            match read.await {
                None => return End::Idle,
                Some(Ok(())) => {}
                Some(Err(_)) => return End::Over,
            }
        }
    }

    async fn serve_request<S>(
        &self,
        client: &mut Client<S>,
        mut head: RequestHead,
        peer: Peer,
    ) -> Next
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (decoder, must_end) = match head.body() {
            Ok(body) => body,
            Err(error) => return self.refuse(client, error).await,
        };
        let (method, version) = (head.method.clone(), head.version);
        let keeps_alive = head.keeps_alive() && !must_end;
        let body = client.begin_body(decoder, head.expects_continue());
        let Some(response) = self.answer(client, Request { head, body }, peer).await else {
            return Next::Abort;
        };
        let keeps_alive = keeps_alive
            && !self.lifecycle.is_stopping()
            && (client.has_finished_body() || client.has_reader());
        let asked = Asked {
            method,
            version,
            keeps_alive,
        };
        respond(client, &asked, response).await
    }

    /// The response, unless the client goes before.
    async fn answer<S>(
        &self,
        client: &mut Client<S>,
        request: Request,
        peer: Peer,
    ) -> Option<Response>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut answer = pin!(self.proxy.answer(request, peer));
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(response) = answer.as_mut().poll(cx) {
                    return Poll::Ready(Some(response));
                }
                match client.poll_feed(cx) {
                    Poll::Ready(Fed::Reader) => {}
                    Poll::Ready(Fed::Gone) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Answers what is no request.
    async fn refuse<S>(&self, client: &mut Client<S>, error: BadHead) -> Next
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        client.give_up();
        let asked = Asked {
            method: Method::GET,
            version: Version::HTTP_11,
            keeps_alive: false,
        };
        respond(client, &asked, self.proxy.refuse(error.into())).await
    }
}

/// Sends `response`, its body as it comes.
async fn respond<S>(client: &mut Client<S>, asked: &Asked, mut response: Response) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    client.begin_response();
    let (frame, keeps_alive) = write_head(client.outbox.text(), asked, &response);
    let tunnel = response.tunnel.take();
    let mut stall = Silence::of(LONGEST_STALL);
    let mut body = (frame != Frame::Nothing).then_some(response.body);
    let is_sent = poll_fn(|cx| {
        loop {
            let gathered = match gather(client, &mut body, frame, cx) {
                Ok(gathered) => gathered,
                Err(error) => {
                    tracing::debug!(%error, "a response ended early");
                    return Poll::Ready(false);
                }
            };
            let sent_before = client.outbox.total();
            let flushed = client.poll_flush(cx);
            if flushed.is_ready() || client.outbox.total() > sent_before {
                stall.end();
            }
            match (flushed, gathered) {
                (Poll::Ready(Err(_)), _) => return Poll::Ready(false),
                (Poll::Ready(Ok(())), Gathered::All) => return Poll::Ready(true),
                (Poll::Ready(Ok(())), Gathered::Plenty) => continue,
                (Poll::Ready(Ok(())), Gathered::Part) => {}
                (Poll::Pending, _) => {
                    if stall.poll(cx).is_ready() {
                        tracing::debug!("a client takes nothing of its response");
                        return Poll::Ready(false);
                    }
                }
            }
            match client.poll_feed(cx) {
                Poll::Ready(Fed::Reader) => {}
                Poll::Ready(Fed::Gone) => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    match tunnel {
        _ if !is_sent => Next::Abort,
        Some(upstream) => Next::Tunnel(upstream),
        None if keeps_alive && client.has_finished_body() => Next::Request,
        None => Next::End,
    }
}

/// Makes as much of `body` ready to be sent as there is, and as is good at once.
fn gather<S>(
    client: &mut Client<S>,
    body: &mut Option<ResponseBody>,
    frame: Frame,
    cx: &mut Context<'_>,
) -> Result<Gathered, BodyError> {
    let is_chunked = frame == Frame::Chunks;
    while let Some(rest) = body {
        if !client.outbox.has_room() {
            return Ok(Gathered::Plenty);
        }
        match rest.poll_piece(cx) {
            Poll::Ready(Some(piece)) => client.outbox.add(piece?, is_chunked),
            Poll::Ready(None) => {
                if is_chunked {
                    client.outbox.end_chunks();
                }
                *body = None;
            }
            Poll::Pending => return Ok(Gathered::Part),
        }
    }
    Ok(Gathered::All)
}

/// Writes the head; tells how the body has to be sent, and whether the connection goes on.
fn write_head(text: &mut Vec<u8>, asked: &Asked, response: &Response) -> (Frame, bool) {
    let is_old = asked.version == Version::HTTP_10;
    let status = response.status;
    text.reserve(2048);
    text.extend_from_slice(if is_old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    text.extend_from_slice(status.as_str().as_bytes());
    text.push(b' ');
    text.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    text.extend_from_slice(b"\r\n");
    let mut has_length = false;
    for (name, value) in response.fields.iter() {
        has_length |= name == b"content-length";
        http1::write(text, name, value);
    }
    let has_body = response.has_body(&asked.method) && response.tunnel.is_none();
    let own_length = response.body.own_length();
    if let Some(length) = own_length.filter(|length| *length > 0 || has_body)
        && !has_length
    {
        let mut digits = itoa::Buffer::new();
        http1::write(text, b"content-length", digits.format(length).as_bytes());
    }
    let frame = match () {
        () if !has_body => Frame::Nothing,
        () if has_length || own_length.is_some() => Frame::Length,
        () if is_old => Frame::UntilEnd,
        () => Frame::Chunks,
    };
    if frame == Frame::Chunks {
        http1::write(text, b"transfer-encoding", b"chunked");
    }
    let keeps_alive = asked.keeps_alive && frame != Frame::UntilEnd;
    if response.tunnel.is_none() {
        if !keeps_alive {
            http1::write(text, b"connection", b"close");
        } else if is_old {
            http1::write(text, b"connection", b"keep-alive");
        }
    }
    text.extend_from_slice(b"\r\n");
    (frame, keeps_alive)
}

#[cfg(test)]
mod tests;
