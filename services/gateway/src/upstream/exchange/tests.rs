use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::*;
use crate::body::Incoming;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

const REQUEST: Outgoing<'static> = Outgoing {
    method: &Method::GET,
    path: "/x",
    query: None,
    fields: Vec::new(),
};

/// Where an upstream listens, a connection to it, and its end of that.
async fn connected() -> (Arc<Address>, Box<Connection>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Arc::new(Address::new(listener.local_addr().unwrap(), "upstream"));
    let connection = address.connect(Duration::from_secs(10)).await.unwrap();
    let (upstream, _) = listener.accept().await.unwrap();
    (address, connection, upstream)
}

async fn begin(
    address: &Arc<Address>,
    connection: Box<Connection>,
) -> Result<(ResponseHead, Exchange), ExchangeError> {
    let way = (Arc::clone(address), connection);
    let body = RequestBody::new(Incoming::None, 0);
    Exchange::begin(way, &REQUEST, body, Instant::now(), Duration::from_mins(1)).await
}

#[tokio::test]
async fn a_connection_that_still_owes_a_part_of_its_request_gets_no_other() {
    for (owed, kept) in [("", 1), ("rest", 0)] {
        let (address, connection, mut upstream) = connected().await;
        let answering = upstream.write_all(ANSWER);
        let (began, answered) = tokio::join!(begin(&address, connection), answering);
        answered.unwrap();
        let (_, mut exchange) = began.ok().unwrap();
        let text = exchange.connection.outbox.text();
        text.extend_from_slice(owed.as_bytes());
        exchange.finish();
        assert_eq!(address.idle_connections(), kept, "{owed}");
    }
}

#[tokio::test]
async fn what_is_said_before_anything_was_asked_is_no_answer() {
    let (address, connection, mut upstream) = connected().await;
    // Until nothing can be sent any more.
    let moment = Duration::from_millis(100);
    while timeout(moment, connection.stream.writable()).await.is_ok() {
        connection.stream.try_write(&[b'x'; 10_000]).ok();
    }
    let answering = upstream.write_all(ANSWER);
    let (began, answered) = tokio::join!(begin(&address, connection), answering);
    answered.unwrap();
    assert!(matches!(began, Err(ExchangeError::NotSent(..))));
}
