//! Requests of HTTP/2, many at a time.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep},
};

use super::{Connections, LONGEST_STALL};
use crate::{
    body::{BodyError, ResponseBody},
    client_address::Peer,
    message::Request,
    rewound::Rewound,
};

/// Time between two looks at the responses of a connection.
const LOOK: Duration = Duration::from_secs(5);

/// The responses of one connection that are under way.
#[derive(Clone, Default)]
struct Responses(Arc<Mutex<Vec<Weak<Turn>>>>);

/// Since when it is the client's turn to take something of a response; nothing while it is not.
struct Turn(Mutex<Option<Instant>>);

/// The body of one response. It is asked for a piece when the client has room for one.
struct Watched {
    body: ResponseBody,
    turn: Arc<Turn>,
}

impl Connections {
    /// Serves what `client` sends until one side ends it.
    pub(super) async fn serve_http2<S>(self: &Arc<Self>, client: Rewound<S>, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (proxy, responses) = (Arc::clone(&self.proxy), Responses::default());
        let watching = responses.clone();
        let service = service_fn(move |request| {
            let (proxy, request) = (Arc::clone(&proxy), Request::from_http2(request));
            let responses = responses.clone();
            async move {
                let response = proxy.answer(request, peer).await.into_http2();
                Ok::<_, Infallible>(response.map(|body| responses.watch(body)))
            }
        });
        let mut connection = pin!(self.http2.serve_connection(TokioIo::new(client), service));
        let outcome = tokio::select! {
            outcome = &mut connection => outcome,
            () = watching.stall() => {
                tracing::debug!("a client takes nothing of its response");
                return;
            }
            () = self.lifecycle.stopping() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "connection ended early");
        }
    }
}

impl Responses {
    fn watch(&self, body: ResponseBody) -> Watched {
        let turn = Arc::new(Turn(Mutex::new(Some(Instant::now()))));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|turn| turn.strong_count() > 0);
        all.push(Arc::downgrade(&turn));
        Watched { body, turn }
    }

    /// Completes when the client takes nothing of one of them for too long.
    async fn stall(&self) {
        while !self.are_stalled() {
            sleep(LOOK).await;
        }
    }

    fn are_stalled(&self) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter_map(Weak::upgrade)
            .any(|turn| turn.has_lasted(LONGEST_STALL))
    }
}

impl Turn {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn has_lasted(&self, time: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() >= time)
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let piece = self.body.poll_piece(cx);
        let is_clients = matches!(piece, Poll::Ready(Some(Ok(_))));
        self.turn.set(is_clients.then(Instant::now));
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.body.own_length();
        length.map_or_else(SizeHint::default, |length| {
            SizeHint::with_exact(length as u64)
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_response_of_which_nothing_is_taken_ends_the_connection() {
        let responses = Responses::default();
        let began = Instant::now();
        let mut taken = responses.watch(ResponseBody::of("a piece"));
        assert!(taken.frame().await.is_some());
        assert!(taken.frame().await.is_none());
        let left = responses.watch(ResponseBody::of("another"));
        responses.stall().await;
        assert!((LONGEST_STALL..LONGEST_STALL + 2 * LOOK).contains(&began.elapsed()));
        drop(left);
        assert!(!responses.are_stalled());
    }
}
