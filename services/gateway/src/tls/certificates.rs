//! The certificate in files, and the one in force.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

/// Time between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// When the certificate expires, as a Unix time.
const EXPIRES: &str = "gateway_certificate_expires_timestamp_seconds";

/// A certificate with its key, from a chain and a key in PEM, which may be one file.
pub(crate) struct Certificates {
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwapOption<Certificate>,
    seen: Mutex<Option<[u8; 32]>>,
}

/// A certificate that can be shown to clients.
pub(crate) struct Certificate {
    shown: Arc<CertifiedKey>,
    /// The host names it is for.
    pub(crate) names: Vec<String>,
    /// When it becomes good.
    pub(crate) begins: OffsetDateTime,
    /// When it expires.
    pub(crate) expires: OffsetDateTime,
}

impl Certificates {
    /// Whatever is, or will be, in these files.
    pub(crate) fn new(chain: PathBuf, key: PathBuf) -> Self {
        Self {
            chain,
            key,
            current: ArcSwapOption::empty(),
            seen: Mutex::default(),
        }
    }

    /// The certificate in force.
    pub(crate) fn current(&self) -> Option<Arc<Certificate>> {
        self.current.load_full()
    }

    /// Takes over what is in the files when that has changed. When it cannot be used, the
    /// certificate in force stays.
    pub(crate) fn refresh(&self) -> Result<(), String> {
        let [chain, key] = [&self.chain, &self.key].map(|path| read(path));
        let (chain, key) = (chain?, key?);
        let digest: [u8; 32] = Sha256::new()
            .chain_update(&chain)
            .chain_update(&key)
            .finalize()
            .into();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == Some(digest) {
            return Ok(());
        }
        let certificate = Certificate::parse(&chain, &key)
            .map_err(|what| format!("{}: {what}", self.chain.display()))?;
        tracing::info!(
            names = certificate.names.join(", "),
            expires = %certificate.expires,
            "certificate in force"
        );
        #[expect(clippy::cast_precision_loss, reason = "exact for some million years")]
        metrics::gauge!(EXPIRES).set(certificate.expires.unix_timestamp() as f64);
        self.current.store(Some(Arc::new(certificate)));
        *seen = Some(digest);
        Ok(())
    }

    /// Follows the files.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut known_mistake = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let mistake = self.refresh().err();
            if mistake != known_mistake
                && let Some(mistake) = &mistake
            {
                tracing::error!(mistake, "the certificate in force stays");
            }
            known_mistake = mistake;
        }
    }
}

impl Certificate {
    /// Reads a chain and the key of its first certificate.
    fn parse(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("the certificate cannot be read: {error}"))?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| format!("the private key cannot be read: {error}"))?;
        let first = chain.first().ok_or("there is no certificate in it")?;
        let (names, begins, expires) = describe(first)?;
        let shown = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|error| format!("certificate and private key do not go together: {error}"))?;
        Ok(Self {
            shown: Arc::new(shown),
            names,
            begins,
            expires,
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.load();
        current
            .as_ref()
            .map(|certificate| Arc::clone(&certificate.shown))
    }
}

/// Names, beginning and end of a certificate.
fn describe(
    certificate: &CertificateDer<'_>,
) -> Result<(Vec<String>, OffsetDateTime, OffsetDateTime), String> {
    let unreadable = |error: &dyn fmt::Display| format!("the certificate cannot be read: {error}");
    let (_, parsed) = parse_x509_certificate(certificate).map_err(|error| unreadable(&error))?;
    let alternative = parsed
        .subject_alternative_name()
        .map_err(|error| unreadable(&error))?;
    let names = alternative.map(|names| {
        let names = names.value.general_names.iter();
        names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
    });
    let validity = parsed.validity();
    Ok((
        names.into_iter().flatten().collect(),
        validity.not_before.to_datetime(),
        validity.not_after.to_datetime(),
    ))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates").field(&self.chain).finish()
    }
}
