//! A server that offers encryption.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
};

use anyhow::Result;

use super::{HBA, Postgres};

/// Who has to show a certificate to connect.
const CERTIFIED: &str = "\
hostssl certified all all scram-sha-256 clientcert=verify-ca
host    certified all all reject
";

/// A certificate that is its own authority, and its key; both as PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub pem: String,
    /// Its key.
    pub key: String,
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
    /// Has the running server offer TLS, soon. Clients of the database `certified` have to show
    /// the same certificate.
    pub async fn offer_tls(&self, certificate: &Certificate) -> Result<()> {
        self.write("server.crt", &certificate.pem)?;
        self.write("root.crt", &certificate.pem)?;
        self.write("server.key", &certificate.key)?;
        fs::write(self.rules(), format!("{CERTIFIED}{HBA}"))?;
        let client = self.connect("postgres").await?;
        for statement in [
            "create database certified",
            "alter system set ssl_ca_file = 'root.crt'",
            "alter system set ssl = on",
            "select pg_reload_conf()",
        ] {
            client.batch_execute(statement).await?;
        }
        Ok(())
    }

    /// Writes a file of the server, which takes no key that others can read.
    fn write(&self, name: &str, content: &str) -> Result<()> {
        let owner = fs::metadata(self.data())?;
        let path = self.data().join(name);
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        chown(&path, Some(owner.uid()), Some(owner.gid()))?;
        Ok(())
    }
}
