//! What an issuer of OpenID Connect publishes: its endpoints and its keys.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, ensure};
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::fetch::{self, Fetcher};

/// How long a document is good.
const FRESH: Duration = Duration::hours(1);

/// Least time between two looks for a key that was not there.
const PATIENCE: Duration = Duration::MINUTE;

/// Most issuers that are remembered.
const MAX_ISSUERS: usize = 100;

/// Stands for the directory of the user in the issuer of Azure's shared endpoints.
pub const TENANT: &str = "{tenantid}";

/// A discovery document (OpenID Connect Discovery, 3), as far as we need it.
#[derive(Clone, Debug, Deserialize)]
pub struct Document {
    /// Who signs.
    pub issuer: String,
    /// Where a browser is sent.
    pub authorization_endpoint: String,
    /// Where a code is exchanged.
    pub token_endpoint: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// Where the profile is.
    #[serde(default)]
    pub userinfo_endpoint: Option<String>,
    /// How clients prove who they are.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
}

/// An issuer's document and keys.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The document.
    pub document: Arc<Document>,
    keys: Arc<[Jwk]>,
    read_at: OffsetDateTime,
}

/// What issuers publish, remembered for a while.
#[derive(Debug)]
pub struct Issuers {
    fetcher: Fetcher,
    known: Mutex<HashMap<String, Issuer>>,
}

impl Issuers {
    /// Nothing remembered yet.
    pub fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            known: Mutex::default(),
        }
    }

    /// What `issuer` publishes, at `url` if not where the standard says.
    pub async fn get(
        &self,
        issuer: &str,
        url: Option<&str>,
        now: OffsetDateTime,
    ) -> anyhow::Result<Issuer> {
        match self.remembered(issuer) {
            Some(known) if now < known.read_at + FRESH => Ok(known),
            _ => self.read(issuer, url, now).await,
        }
    }

    /// The key `id` of `issuer`; looks again when it is not there, for keys change.
    pub async fn key(
        &self,
        (issuer, url): (&str, Option<&str>),
        id: Option<&str>,
        now: OffsetDateTime,
    ) -> anyhow::Result<Jwk> {
        let known = self.get(issuer, url, now).await?;
        if let Some(key) = known.key(id) {
            return Ok(key);
        }
        ensure!(now >= known.read_at + PATIENCE, "no such key");
        let read = self.read(issuer, url, now).await?;
        read.key(id).context("no such key")
    }

    fn remembered(&self, issuer: &str) -> Option<Issuer> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(issuer).cloned()
    }

    async fn read(
        &self,
        issuer: &str,
        url: Option<&str>,
        now: OffsetDateTime,
    ) -> anyhow::Result<Issuer> {
        let standard = format!("{issuer}/.well-known/openid-configuration");
        let request = self.fetcher.get(url.unwrap_or(&standard))?;
        let document = fetch::json(request).await.context("discovery failed")?;
        let document: Document = serde_json::from_value(document)?;
        let is_its_own = document.issuer.trim_end_matches('/') == issuer.trim_end_matches('/');
        // A document of another issuer would let that issuer sign for this one.
        ensure!(
            is_its_own || document.issuer.contains(TENANT),
            "the discovery document is of another issuer"
        );
        let keys = fetch::json(self.fetcher.get(&document.jwks_uri)?).await;
        let read = Issuer {
            document: Arc::new(document),
            keys: usable(&keys.context("there are no keys")?),
            read_at: now,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_ISSUERS {
            known.clear();
        }
        known.insert(issuer.to_owned(), read.clone());
        Ok(read)
    }
}

impl Issuer {
    /// The key of this name; without a name the only one.
    fn key(&self, id: Option<&str>) -> Option<Jwk> {
        match (id, &*self.keys) {
            (Some(id), keys) => {
                let is_it = |key: &&Jwk| key.common.key_id.as_deref() == Some(id);
                keys.iter().find(is_it).cloned()
            }
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }
}

/// The keys of a set; those of a kind we do not know are passed over.
fn usable(set: &Value) -> Arc<[Jwk]> {
    let keys = set["keys"].as_array();
    let keys = keys.into_iter().flatten();
    keys.filter_map(|key| Jwk::deserialize(key).ok()).collect()
}
