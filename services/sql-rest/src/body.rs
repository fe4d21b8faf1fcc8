//! Bodies of requests, in one piece each.

use std::{future::poll_fn, pin::Pin};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;

/// A body: as it arrived when it arrived in one piece, or else in a buffer of its size. Nothing when
/// it is longer than `limit` or broken off.
pub(crate) async fn whole(mut body: Body, limit: usize) -> Option<Bytes> {
    let announced = usize::try_from(body.size_hint().lower()).ok()?;
    if announced > limit {
        return None;
    }
    let first = next(&mut body).await.ok()?.unwrap_or_default();
    let Some(mut part) = next(&mut body).await.ok()? else {
        return (first.len() <= limit).then_some(first);
    };
    let mut whole = BytesMut::with_capacity(announced.max(first.len() + part.len()));
    whole.extend_from_slice(&first);
    drop(first);
    loop {
        if whole.len() + part.len() > limit {
            return None;
        }
        whole.extend_from_slice(&part);
        match next(&mut body).await.ok()? {
            Some(next) => part = next,
            None => return Some(whole.freeze()),
        }
    }
}

/// The next part of a body, if there is one.
async fn next(body: &mut Body) -> Result<Option<Bytes>, axum::Error> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
        let Some(frame) = frame.await.transpose()? else {
            return Ok(None);
        };
        // Trailers mean nothing here.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        task::{Context, Poll},
    };

    use http_body::Frame;

    use super::*;

    /// A body of unknown length that arrives in parts.
    struct Parts(Vec<&'static str>);

    impl http_body::Body for Parts {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let next = (!self.0.is_empty()).then(|| self.0.remove(0));
            Poll::Ready(next.map(|part| Ok(Frame::data(part.into()))))
        }
    }

    #[tokio::test]
    async fn parts_are_put_together_up_to_the_limit() {
        for (parts, limit, expected) in [
            (vec![], 0, Some("")),
            (vec!["abc"], 3, Some("abc")),
            (vec!["abc"], 2, None),
            (vec!["ab", "", "c", "d"], 4, Some("abcd")),
            (vec!["ab", "c", "d"], 3, None),
        ] {
            let found = whole(Body::new(Parts(parts)), limit).await;
            assert_eq!(found.as_deref(), expected.map(str::as_bytes));
        }
    }

    #[tokio::test]
    async fn a_body_that_is_announced_as_too_long_is_not_read() {
        assert_eq!(whole(Body::from("abc"), 2).await, None);
    }
}
