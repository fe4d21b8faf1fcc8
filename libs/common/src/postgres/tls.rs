//! Encrypted connections, as libpq's options that begin with `ssl` ask for them.

use std::{fmt, io, sync::Arc};

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    ssl_options::{Mode, SYSTEM, SslOptions},
    stream::Stream,
    target::InvalidTarget,
};

/// The server's answers to the request for encryption.
const ACCEPTED: u8 = b'S';
const DECLINED: u8 = b'N';

/// How connections are encrypted.
#[derive(Clone)]
pub(super) struct Tls {
    mode: Mode,
    connector: TlsConnector,
}

impl Tls {
    /// As `options` ask for it; none when they want no encryption.
    pub(super) fn new(options: &SslOptions) -> Result<Option<Self>, InvalidTarget> {
        if options.mode == Mode::Disable {
            return Ok(None);
        }
        let config = client_config(options)?;
        Ok(Some(Self {
            mode: options.mode,
            connector: TlsConnector::from(Arc::new(config)),
        }))
    }

    /// Whether the connection may go on without encryption.
    pub(super) fn is_optional(&self) -> bool {
        self.mode == Mode::Prefer
    }

    /// Encrypts a connection that was just opened.
    ///
    /// Exactly one byte is read in clear: whatever somebody slipped in behind it fails the handshake.
    pub(super) async fn encrypt(&self, mut stream: TcpStream, host: &str) -> io::Result<Stream> {
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await?;
        match stream.read_u8().await? {
            ACCEPTED => {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                let encrypted = self.connector.connect(name, stream).await?;
                Ok(Stream::Tls(Box::new(encrypted)))
            }
            DECLINED if self.is_optional() => Ok(Stream::Tcp(stream)),
            DECLINED => Err(io::Error::other("the server does not offer TLS")),
            _ => Err(io::Error::other(
                "the server cannot tell whether it offers TLS",
            )),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.mode).finish()
    }
}

fn client_config(options: &SslOptions) -> Result<ClientConfig, InvalidTarget> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier =
        server_verifier(options, &provider).map_err(|_| InvalidTarget::RootCertificate)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map_err(|_| InvalidTarget::RootCertificate)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match (&options.certificate, &options.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => own_certificate(certificate, key)
            .and_then(|(chain, key)| Ok(builder.with_client_auth_cert(chain, key)?))
            .map_err(|_| InvalidTarget::ClientCertificate),
        _ => Err(InvalidTarget::ClientCertificate),
    }
}

fn server_verifier(
    options: &SslOptions,
    provider: &Arc<CryptoProvider>,
) -> anyhow::Result<Certificates> {
    // A root certificate makes `require` verify, for libpq's sake.
    let name = match options.mode {
        Mode::Disable | Mode::Prefer => None,
        Mode::Require => options.root_certificate.as_deref().map(|_| Name::Any),
        Mode::VerifyCa => Some(Name::Any),
        Mode::VerifyFull => Some(Name::Same),
    };
    let authority = match (name, options.root_certificate.as_deref()) {
        (None, _) => None,
        (Some(_), Some(path)) if path != SYSTEM => Some(authority_of(path, provider)?),
        (Some(_), _) => Some(Arc::new(Verifier::new(Arc::clone(provider))?) as _),
    };
    Ok(Certificates {
        authority,
        name: name.unwrap_or(Name::Any),
        provider: Arc::clone(provider),
    })
}

fn own_certificate(
    certificate: &str,
    key: &str,
) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain: Result<_, _> = CertificateDer::pem_file_iter(certificate)?.collect();
    Ok((chain?, PrivateKeyDer::from_pem_file(key)?))
}

fn authority_of(
    path: &str,
    provider: &Arc<CryptoProvider>,
) -> anyhow::Result<Arc<dyn ServerCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
    Ok(verifier.build()?)
}

/// Which name a certificate has to be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Any,
    Same,
}

/// Checks certificates as far as the mode asks for. The server always has to prove that it holds
/// the key of the one it shows.
#[derive(Debug)]
struct Certificates {
    /// Who has to have signed it, if that matters.
    authority: Option<Arc<dyn ServerCertVerifier>>,
    name: Name,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Certificates {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authority) = &self.authority else {
            return Ok(ServerCertVerified::assertion());
        };
        match authority.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is looked at last, when everything else holds.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.name == Name::Any => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
