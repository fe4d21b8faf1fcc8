//! The proxy that misbehaves.

use std::time::Duration;

use testkit::{chaos::Proxy, wait::eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(10);

/// A server that sends back what it gets, behind a proxy.
async fn echo() -> (Proxy, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                let (mut reader, mut writer) = stream.split();
                copy(&mut reader, &mut writer).await.ok();
            });
        }
    });
    (Proxy::start(target).await.unwrap(), tasks)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// Whether a byte comes back within `patience`.
async fn is_served(stream: &mut TcpStream, patience: Duration) -> bool {
    let exchange = async {
        stream.write_all(b"x").await?;
        stream.read_u8().await
    };
    matches!(timeout(patience, exchange).await, Ok(Ok(b'x')))
}

#[tokio::test]
async fn it_forwards() {
    let (proxy, _server) = echo().await;
    assert!(is_served(&mut connect(&proxy).await, LONG).await);
}

#[tokio::test]
async fn what_hung_goes_on() {
    let (proxy, _server) = echo().await;
    let mut old = connect(&proxy).await;
    assert!(is_served(&mut old, LONG).await);
    proxy.hang();
    assert!(!is_served(&mut old, SHORT).await);
    assert!(!is_served(&mut connect(&proxy).await, SHORT).await);
    proxy.forward();
    assert_eq!(timeout(LONG, old.read_u8()).await.unwrap().unwrap(), b'x');
}

#[tokio::test]
async fn a_cut_ends_connections_and_serves_new_ones() {
    let (proxy, _server) = echo().await;
    let mut old = connect(&proxy).await;
    assert!(is_served(&mut old, LONG).await);
    proxy.cut();
    assert!(!is_served(&mut old, LONG).await);
    assert!(is_served(&mut connect(&proxy).await, LONG).await);
}

#[tokio::test]
async fn a_refusal_is_as_when_nobody_listens_and_can_be_taken_back() {
    let (proxy, _server) = echo().await;
    let mut old = connect(&proxy).await;
    assert!(is_served(&mut old, LONG).await);
    proxy.refuse();
    assert!(!is_served(&mut old, LONG).await);
    let refused = async || TcpStream::connect(proxy.address()).await.err();
    eventually("a refusal", LONG, refused).await;
    proxy.forward();
    let accepted = async || TcpStream::connect(proxy.address()).await.ok();
    let mut stream = eventually("a connection", LONG, accepted).await;
    assert!(is_served(&mut stream, LONG).await);
}
