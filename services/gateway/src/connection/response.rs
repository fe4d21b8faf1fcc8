//! A response of HTTP/1 on its way to the client.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use http::{Method, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    LONGEST_STALL,
    client::{Client, Fed},
};
use crate::{
    body::{BodyError, ResponseBody, Silence},
    http1,
    message::Response,
    upstream::Connection,
};

/// What matters of a request to its response.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) keeps_alive: bool,
}

/// What follows a response.
pub(super) enum Next {
    /// Another request.
    Request,
    /// Nothing.
    End,
    /// Nothing, and the client must not take what it got for the whole.
    Abort,
    /// Another protocol, with this upstream.
    Tunnel(Box<Connection>),
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

/// Sends `response`, its body as it comes.
pub(super) async fn send<S>(client: &mut Client<S>, asked: &Asked, mut response: Response) -> Next
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
