//! Requests of HTTP/1, one after the other.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
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
    response::{self, Asked, Next},
};
use crate::{
    client_address::Peer,
    http1::{BadHead, RequestHead},
    message::{Request, Response},
};

/// Time between two looks at a connection; one on which nothing came between them is idle.
const TICK: Duration = Duration::from_millis(100);

/// Time a client has to take in the end of a connection.
const FINISH: Duration = Duration::from_secs(2);

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
        response::send(client, &asked, response).await
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
        response::send(client, &asked, self.proxy.refuse(error.into())).await
    }
}
