//! A server that offers encryption.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
};

use anyhow::Result;

use super::Postgres;

/// A certificate that is its own authority, and its key; both as PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub pem: String,
    key: String,
}

impl Certificate {
    /// A new certificate for `name`.
    pub fn self_signed(name: &str) -> Result<Self> {
        let signed = rcgen::generate_simple_self_signed([name.to_owned()])?;
        Ok(Self {
            pem: signed.cert.pem(),
            key: signed.signing_key.serialize_pem(),
        })
    }
}

impl Postgres {
    /// Has the running server offer TLS, soon.
    pub async fn offer_tls(&self, certificate: &Certificate) -> Result<()> {
        let owner = fs::metadata(self.data())?;
        let files = [
            ("server.crt", &certificate.pem),
            ("server.key", &certificate.key),
        ];
        for (name, content) in files {
            let path = self.data().join(name);
            fs::write(&path, content)?;
            // PostgreSQL takes no key that others can read.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            chown(&path, Some(owner.uid()), Some(owner.gid()))?;
        }
        let client = self.connect("postgres").await?;
        client.batch_execute("alter system set ssl = on").await?;
        client.batch_execute("select pg_reload_conf()").await?;
        Ok(())
    }
}
