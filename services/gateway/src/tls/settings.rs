//! What the environment says about TLS.

use std::{path::PathBuf, sync::Arc};

use common::config::Env;
use url::Url;

use super::{Certificates, acme};

const DEFAULT_PORT: u16 = 8443;

/// How TLS is ended here.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The port that speaks it.
    pub(crate) port: u16,
    /// The port clients see, where something forwards it to ours.
    pub(crate) public_port: u16,
    /// What is shown to clients.
    pub(crate) certificates: Arc<Certificates>,
    /// How the certificate is obtained, when it does not come from elsewhere.
    pub(crate) acme: Option<acme::Settings>,
}

impl Settings {
    /// The settings, when TLS is asked for.
    pub(crate) fn from_env(env: &mut Env) -> Option<Self> {
        let port = env.parse("GATEWAY_TLS_PORT", DEFAULT_PORT);
        let public_port = public_port(env).unwrap_or(port);
        let chain = env.optional("GATEWAY_TLS_CERTIFICATE_PATH");
        let key = env.optional("GATEWAY_TLS_KEY_PATH");
        let acme = acme::Settings::from_env(env);
        let certificates = match (chain, key, &acme) {
            (None, None, None) => return None,
            (Some(chain), Some(key), None) => {
                let certificates = Certificates::new(chain.into(), key.into());
                if let Err(mistake) = certificates.refresh() {
                    env.problem(format!("GATEWAY_TLS_CERTIFICATE_PATH: {mistake}"));
                }
                certificates
            }
            (None, None, Some(acme)) => {
                let file: PathBuf = acme.certificate();
                let certificates = Certificates::new(file.clone(), file);
                // What is missing or spoilt is obtained anew.
                certificates.refresh().ok();
                certificates
            }
            (_, _, None) => {
                env.problem("GATEWAY_TLS_CERTIFICATE_PATH and GATEWAY_TLS_KEY_PATH go together");
                return None;
            }
            (_, _, Some(_)) => {
                env.problem("GATEWAY_TLS_CERTIFICATE_PATH and GATEWAY_ACME_DOMAINS are both set");
                return None;
            }
        };
        Some(Self {
            port,
            public_port,
            certificates: Arc::new(certificates),
            acme,
        })
    }
}

/// The port of the public URL, when that has TLS.
fn public_port(env: &mut Env) -> Option<u16> {
    let url: Url = env.parse_optional("API_EXTERNAL_URL")?;
    (url.scheme() == "https").then(|| url.port_or_known_default())?
}
