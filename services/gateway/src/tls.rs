//! TLS towards clients, ended here with a certificate that may change at any time.

use std::{io, sync::Arc, time::Duration};

use rustls::{ServerConfig, crypto::aws_lc_rs};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub(crate) use self::{
    acme::Challenges, certificates::Certificates, plain::PlainDoor, settings::Settings,
};

pub(crate) mod acme;
mod certificates;
mod plain;
mod settings;

/// The protocols spoken inside, the preferred one first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Performs handshakes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    patience: Duration,
}

impl Tls {
    /// Shows whatever certificate is current; a handshake may take `patience`.
    pub(crate) fn new(certificates: Arc<Certificates>, patience: Duration) -> io::Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        // Clients resume without anything being kept for them here.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            patience,
        })
    }

    /// The encrypted stream, unless the client does not finish its handshake.
    pub(crate) async fn accept(&self, socket: TcpStream) -> Option<TlsStream<TcpStream>> {
        match timeout(self.patience, self.acceptor.accept(socket)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => None,
        }
    }
}
