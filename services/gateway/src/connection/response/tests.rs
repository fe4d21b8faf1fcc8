use http::StatusCode;
use tokio::io::AsyncReadExt;

use super::*;
use crate::{body::RequestBody, http1::Decoder};

#[tokio::test]
async fn a_client_is_not_told_to_go_on_in_the_midst_of_its_response() {
    let (near, mut far) = tokio::io::duplex(16);
    let mut client = Client::new(near);
    let incoming = client.begin_body(Decoder::length(5), true);
    let mut body = RequestBody::new(incoming, 5);
    let is_wanted = poll_fn(|cx| Poll::Ready(body.poll_piece(cx).is_pending()));
    assert!(is_wanted.await);
    let asked = Asked {
        method: Method::POST,
        version: Version::HTTP_11,
        keeps_alive: true,
    };
    let response = Response::of(StatusCode::OK, "text/plain", vec![b'x'; 10_000]);
    let sending = async move {
        send(&mut client, &asked, response).await;
    };
    let mut received = String::new();
    let ((), read) = tokio::join!(sending, far.read_to_string(&mut received));
    read.unwrap();
    assert!(received.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(received.matches("HTTP/1.1").count(), 1, "{received}");
}
