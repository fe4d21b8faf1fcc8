//! Reads what a handler left of a request's body.
//!
//! A response that is given before the body has come, as refusals are, would otherwise end the
//! connection: hyper closes it, TCP resets it when the rest arrives, and the reset can take the
//! response away from a client that has not read it yet (RFC 9112, 9.6).

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use http::header::EXPECT;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

/// Most that is read, in bytes. Ending the connection is cheaper than to read more.
const MOST: usize = 256 * 1024;

/// Longest wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A body that can be taken back.
#[derive(Clone)]
struct Lent(Arc<Mutex<Body>>);

/// Answers the request, and reads what is left of its body before the response is on its way.
pub(crate) async fn read(request: Request, next: Next) -> Response {
    // A client that waits to be asked for its body sends none after a refusal.
    if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = Lent(Arc::new(Mutex::new(body)));
    let lent = Body::new(body.clone());
    let response = next.run(Request::from_parts(head, lent)).await;
    body.read_out().await;
    response
}

impl Lent {
    /// Reads to the end, unless somebody else still does.
    async fn read_out(self) {
        let Some(body) = Arc::into_inner(self.0) else {
            return;
        };
        let mut body = body.into_inner().unwrap_or_else(PoisonError::into_inner);
        let reading = async {
            let mut read = 0;
            while read < MOST && !body.is_end_stream() {
                let Some(Ok(frame)) = body.frame().await else {
                    return;
                };
                read += frame.data_ref().map_or(0, Bytes::len);
            }
        };
        if tokio::time::timeout(PATIENCE, reading).await.is_err() {
            tracing::debug!("the rest of a request did not come");
        }
    }

    fn with<T>(&self, look: impl FnOnce(Pin<&mut Body>) -> T) -> T {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(Pin::new(&mut *body))
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|body| body.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, middleware, routing::post};
    use http::StatusCode;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::Notify,
    };

    use super::*;
    use crate::{lifecycle::Lifecycle, server};

    #[tokio::test]
    async fn a_refusal_before_the_body_came_keeps_the_connection() {
        let refused = Arc::new(Notify::new());
        let refusing = Arc::clone(&refused);
        let refuse = move || async move {
            refusing.notify_one();
            StatusCode::FORBIDDEN
        };
        let router = Router::new()
            .route("/", post(refuse))
            .layer(middleware::from_fn(read));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let lifecycle = Lifecycle::default();
        let limits = server::ConnectionLimits::default();
        let serving = server::serve(listener, router, limits, lifecycle.clone());
        lifecycle.spawn("server", serving);

        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n";
        for _ in 0..3 {
            connection.write_all(head).await.unwrap();
            refused.notified().await;
            connection.write_all(b"abcdef").await.unwrap();
            let mut answer = [0; 1024];
            let length = connection.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            assert!(answer.starts_with("HTTP/1.1 403"), "{answer:?}");
            assert!(!answer.contains("connection: close"), "{answer:?}");
        }
        lifecycle.stop();
    }
}
