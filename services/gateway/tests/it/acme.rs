//! Certificates from a real ACME server: Pebble, which the authors of Let's Encrypt test clients with.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::json;
use testkit::wait::eventually;
use tokio::net::TcpStream;

use crate::{
    kit::{Gateway, Setup, echo, listener},
    tls::{certificate, connect},
};

/// A running Pebble.
struct Pebble {
    process: Child,
    port: u16,
}

impl Pebble {
    /// Starts one that looks for challenges on `http_port`; its files go to `directory`.
    async fn start(directory: &Path, http_port: u16) -> Self {
        let [port, management] = [free_port().await, free_port().await];
        let (certificate, key) = certificate();
        let file = |name: &str, text: &str| {
            std::fs::write(directory.join(name), text).unwrap();
            directory.join(name)
        };
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": file("root.pem", &certificate.pem()),
            "privateKey": file("key.pem", &key.serialize_pem()),
            "httpPort": http_port,
            "tlsPort": 1,
        }});
        let process = Command::new("pebble")
            .arg("-config")
            .arg(file("pebble.json", &config.to_string()))
            .env("PEBBLE_VA_NOSLEEP", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Pebble is installed");
        let pebble = Self { process, port };
        eventually("Pebble", Duration::from_mins(1), async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        pebble
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

async fn free_port() -> u16 {
    listener().await.local_addr().unwrap().port()
}

fn path(directory: &Path, name: &str) -> String {
    directory.join(name).to_str().unwrap().to_owned()
}

/// Waits for a certificate.
async fn certified(gateway: &Gateway) {
    eventually("a certificate", Duration::from_mins(2), async || {
        let told = gateway.admin.get("/certificate").send().await.json();
        (told["data"]["names"] == json!(["localhost"])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_is_obtained_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let public = listener().await;
    let http_port = public.local_addr().unwrap().port();
    let pebble = Pebble::start(directory.path(), http_port).await;
    let state = path(directory.path(), "state");
    let setup = |upstream| {
        Setup::route(upstream, "")
            .set("GATEWAY_ACME_DOMAINS", "localhost")
            .set("GATEWAY_ACME_EMAIL", "operator@example.com")
            .set("GATEWAY_ACME_STATE", &state)
            .set(
                "GATEWAY_ACME_ROOT_PATH",
                &path(directory.path(), "root.pem"),
            )
            .set(
                "GATEWAY_ACME_DIRECTORY",
                &format!("https://localhost:{}/dir", pebble.port),
            )
    };
    let gateway = setup(echo().await).on(public).start().await;
    certified(&gateway).await;
    let kept = std::fs::read(Path::new(&state).join("certificate.pem")).unwrap();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&kept)
        .collect::<Result<_, _>>()
        .unwrap();
    let issuer = [chain[1].clone()];
    connect(&gateway, &issuer, "http/1.1").await.unwrap();
    drop(gateway);

    let again = setup(echo().await);
    drop(pebble);
    let gateway = again.start().await;
    connect(&gateway, &issuer, "http/1.1").await.unwrap();
    let now = std::fs::read(Path::new(&state).join("certificate.pem")).unwrap();
    assert_eq!(now, kept, "none was asked for");
}
