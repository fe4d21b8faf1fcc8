use std::{path::PathBuf, sync::Arc, time::Duration};

use http::StatusCode;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use testkit::wait::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::kit::{Gateway, RawResponse, Setup, code, echo};

/// A directory with a certificate for `localhost` and its key.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> (Self, CertificateDer<'static>) {
        let files = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let certificate = files.renew();
        (files, certificate)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts a new certificate in place of the old one.
    fn renew(&self) -> CertificateDer<'static> {
        let (certificate, key) = certificate();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(self.path("chain.pem"), certificate.pem()).unwrap();
        certificate.der().clone()
    }

    fn setup(&self, setup: Setup) -> Setup {
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| self.path(name));
        setup
            .set("GATEWAY_TLS_CERTIFICATE_PATH", chain.to_str().unwrap())
            .set("GATEWAY_TLS_KEY_PATH", key.to_str().unwrap())
    }
}

/// A certificate for `localhost` that vouches for itself.
pub(crate) fn certificate() -> (rcgen::Certificate, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap(), key)
}

/// A TLS connection to the gateway, whose certificate must be, or come from, one of `roots`.
pub(crate) async fn connect(
    gateway: &Gateway,
    roots: &[CertificateDer<'static>],
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let socket = TcpStream::connect(gateway.tls_address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, socket).await
}

/// What the upstream received for a request over `stream`.
async fn ask(gateway: &Gateway, stream: &mut TlsStream<TcpStream>) -> serde_json::Value {
    let key = &gateway.anon_key;
    let text = format!("GET /a/v1/x HTTP/1.1\r\nHost: localhost\r\napikey: {key}\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let response = RawResponse::read(stream).await;
    assert_eq!(response.status, 200, "{}", response.body);
    serde_json::from_str(&response.body).unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let (_, connection) = stream.get_ref();
    let chain = connection.peer_certificates().unwrap();
    chain[0].clone().into_owned()
}

#[tokio::test]
async fn a_client_chooses_its_protocol_and_the_upstream_learns_that_there_was_tls() {
    let (files, certificate) = Files::new();
    let gateway = files.setup(Setup::route(echo().await, "")).start().await;
    let roots = [certificate];
    let mut stream = connect(&gateway, &roots, "http/1.1").await.unwrap();
    let headers = ask(&gateway, &mut stream).await["headers"].clone();
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-port"], "443");

    let stream = connect(&gateway, &roots, "h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    gateway.lifecycle.spawn_until_stop("client", async move {
        connection.await.ok();
    });
    let request = http::Request::get("https://localhost/a/v1/x")
        .header("apikey", &gateway.anon_key)
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["headers"]["x-forwarded-proto"], "https");

    let none = connect(&gateway, &roots, "smtp").await;
    assert!(none.is_err(), "no other protocol is spoken");
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_open_ones_go_on() {
    let (files, first) = Files::new();
    let gateway = files.setup(Setup::route(echo().await, "")).start().await;
    let mut open = connect(&gateway, std::slice::from_ref(&first), "http/1.1")
        .await
        .unwrap();
    ask(&gateway, &mut open).await;
    assert_eq!(shown(&open), first);

    let second = files.renew();
    let roots = [first, second.clone()];
    let deadline = Duration::from_secs(20);
    eventually("the new certificate", deadline, async || {
        let stream = connect(&gateway, &roots, "http/1.1").await.unwrap();
        (shown(&stream) == second).then_some(())
    })
    .await;
    ask(&gateway, &mut open).await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_changes_nothing() {
    let (files, first) = Files::new();
    let gateway = files.setup(Setup::route(echo().await, "")).start().await;
    let (other, _) = certificate();
    for spoilt in [other.pem(), "rubbish".to_owned(), String::new()] {
        std::fs::write(files.path("chain.pem"), spoilt).unwrap();
        let refused = gateway.admin.post("/reload").send().await;
        let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(code(&refused), "invalid_configuration");
        assert!(refused.text().contains("chain.pem"), "{}", refused.text());
        let stream = connect(&gateway, std::slice::from_ref(&first), "http/1.1").await;
        assert_eq!(shown(&stream.unwrap()), first);
    }
    let second = files.renew();
    let reloaded = gateway.admin.post("/reload").send().await;
    reloaded.expect(StatusCode::OK);
    let stream = connect(&gateway, std::slice::from_ref(&second), "http/1.1").await;
    assert_eq!(shown(&stream.unwrap()), second);
    let told = gateway.admin.get("/certificate").send().await.json();
    assert_eq!(told["data"]["names"], serde_json::json!(["localhost"]));
}

#[tokio::test]
async fn a_certificate_with_the_key_of_another_stops_the_start() {
    let (files, _) = Files::new();
    let (other, _) = certificate();
    std::fs::write(files.path("chain.pem"), other.pem()).unwrap();
    let refused = files.setup(Setup::route(echo().await, "")).config();
    let message = refused.unwrap_err();
    assert!(message.contains("do not go together"), "{message}");

    let alone = Setup::route(echo().await, "").set("GATEWAY_TLS_KEY_PATH", "/nowhere");
    let message = alone.config().unwrap_err();
    assert!(message.contains("go together"), "{message}");
}

#[tokio::test]
async fn a_client_without_tls_is_told_where_to_go() {
    let (files, _) = Files::new();
    let setup = files.setup(Setup::route(echo().await, ""));
    let setup = setup.set("API_EXTERNAL_URL", "https://api.example");
    let gateway = setup.start().await;
    let request = "GET /a/v1/x?y=z HTTP/1.1\nHost: api.example:8000\nConnection: close\n\n";
    let response = gateway.raw(request).await;
    assert_eq!(response.status, 308);
    let place = "location: https://api.example/a/v1/x?y=z";
    assert!(response.head.contains(place), "{}", response.head);
    for host in ["", "a b", "user@evil.example/"] {
        let request = format!("GET /a/v1/x HTTP/1.1\nHost: {host}\nConnection: close\n\n");
        let response = gateway.raw(&request).await;
        assert!([308, 400].contains(&response.status), "{host}");
        assert!(
            !response.head.contains("evil.example/"),
            "{}",
            response.head
        );
    }
    let alive = gateway.client.get("/health/live").send().await;
    alive.expect(StatusCode::OK);
}

#[tokio::test]
async fn what_a_trusted_proxy_received_over_tls_is_served() {
    let (files, _) = Files::new();
    let setup = files.setup(Setup::route(echo().await, ""));
    let setup = setup.set("GATEWAY_TRUSTED_PROXIES", "127.0.0.1");
    let gateway = setup.start().await;
    for (proto, status) in [
        ("https", StatusCode::OK),
        ("http", StatusCode::PERMANENT_REDIRECT),
    ] {
        let request = gateway
            .client
            .get("/a/v1/x")
            .header("apikey", &gateway.anon_key);
        let request = request.header("x-forwarded-proto", proto);
        request.send().await.expect(status);
    }
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_is_cut_off() {
    let (files, _) = Files::new();
    let setup = files.setup(Setup::route(echo().await, ""));
    let gateway = setup
        .set("GATEWAY_HEADER_TIMEOUT_SECONDS", "1")
        .start()
        .await;
    for begun in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut socket = TcpStream::connect(gateway.tls_address).await.unwrap();
        socket.write_all(begun).await.unwrap();
        let mut received = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut received));
        end.await.expect("the connection ends").ok();
    }
}
