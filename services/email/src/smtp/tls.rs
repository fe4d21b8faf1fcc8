//! TLS towards the mail server, with the machine's certificate authorities and perhaps one more.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use rustls::{
    ClientConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

/// A connector that trusts what the machine trusts, and `ca_file`.
pub(crate) fn connector(ca_file: Option<&Path>) -> anyhow::Result<TlsConnector> {
    let provider: Arc<CryptoProvider> = aws_lc_rs::default_provider().into();
    let extra = ca_file.map(certificates).transpose()?.unwrap_or_default();
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .with_context(|| format!("EMAIL_SMTP_CA_FILE {} cannot be read", path.display()))
}
