use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::*;
use crate::body::Incoming;

#[tokio::test]
async fn a_connection_that_still_owes_a_part_of_its_request_gets_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Arc::new(Address::new(listener.local_addr().unwrap(), "upstream"));
    for (owed, kept) in [("", 1), ("rest", 0)] {
        let connection = address.connect(Duration::from_secs(10)).await.unwrap();
        let (mut upstream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        upstream.write_all(answer).await.unwrap();
        let request = Outgoing {
            method: &Method::GET,
            path: "/x",
            query: None,
            fields: Vec::new(),
        };
        let way = (Arc::clone(&address), connection);
        let body = RequestBody::new(Incoming::None, 0);
        let began = Exchange::begin(way, &request, body, Instant::now(), Duration::from_mins(1));
        let (_, mut exchange) = began.await.ok().unwrap();
        let text = exchange.connection.outbox.text();
        text.extend_from_slice(owed.as_bytes());
        exchange.finish();
        assert_eq!(address.idle_connections(), kept, "{owed}");
        address.take_idle(Instant::now());
    }
}
