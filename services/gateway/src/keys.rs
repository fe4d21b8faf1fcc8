//! Consumers and their keys.

use std::{collections::HashMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{limits::Limit, tokens::Minter};

/// The public consumer, and its role.
pub(crate) const ANON: &str = "anon";
/// The consumer of the operator's own servers, and its role.
pub(crate) const SERVICE_ROLE: &str = "service_role";

/// Label of a request without a consumer.
const NOBODY: &str = "none";

/// The consumers, and who holds which key.
///
/// Keys are found by their SHA-256, so the time a look-up takes tells nothing about them.
pub(crate) struct Keys {
    consumers: Vec<Consumer>,
    by_digest: HashMap<[u8; 32], Key>,
    opaque_lengths: Vec<usize>,
}

/// Somebody who holds keys.
#[derive(Debug)]
pub(crate) struct Consumer {
    /// Name in routes, logs and metrics.
    pub(crate) name: Arc<str>,
    /// Names of its keys, for the admin API.
    pub(crate) key_names: Vec<Arc<str>>,
    /// Requests it may make on all routes together.
    pub(crate) limit: Option<Limit>,
}

/// A key that was recognised.
#[derive(Clone)]
pub(crate) struct Key {
    /// Index of its consumer.
    pub(crate) consumer: usize,
    bearer: Bearer,
}

/// What stands for a key in an `Authorization` header.
#[derive(Clone)]
enum Bearer {
    /// The key is a token itself.
    Itself(HeaderValue),
    /// A token made here, renewed before it expires.
    Minted(Arc<ArcSwap<HeaderValue>>),
}

/// A key as it was configured.
pub(crate) struct ConfiguredKey<'a> {
    /// Its consumer.
    pub(crate) consumer: &'a str,
    /// The role it stands for.
    pub(crate) role: &'static str,
    /// Its name.
    pub(crate) name: &'a str,
    /// The key.
    pub(crate) secret: &'a SecretString,
}

impl Keys {
    /// No keys yet.
    pub(crate) fn new() -> Self {
        Self {
            consumers: Vec::new(),
            by_digest: HashMap::new(),
            opaque_lengths: Vec::new(),
        }
    }

    /// Adds a key; `minter` makes tokens for one that is none itself.
    pub(crate) fn add(&mut self, key: &ConfiguredKey<'_>, minter: &Minter) {
        let consumer = self.consumer_or_new(key.consumer);
        let secret = key.secret.expose_secret();
        let bearer = if minter.is_token_of(secret, key.role)
            && let Some(value) = bearer_header(secret)
        {
            Bearer::Itself(value)
        } else {
            self.opaque_lengths.push(secret.len());
            Bearer::Minted(minter.token_of(key.role))
        };
        if let Some(entry) = self.consumers.get_mut(consumer) {
            entry.key_names.push(key.name.into());
        }
        let key = Key { consumer, bearer };
        self.by_digest.insert(digest(secret.as_bytes()), key);
    }

    /// Limits all requests of a consumer together.
    pub(crate) fn limit(&mut self, consumer: &str, limit: Option<Limit>) {
        let consumer = self.consumer_or_new(consumer);
        if let Some(entry) = self.consumers.get_mut(consumer) {
            entry.limit = limit;
        }
    }

    /// The key that was presented, if it is one.
    pub(crate) fn find(&self, presented: &[u8]) -> Option<&Key> {
        self.by_digest.get(&digest(presented))
    }

    /// As [`Self::find`], but only for keys that an upstream could not read as a token.
    pub(crate) fn find_opaque(&self, presented: &[u8]) -> Option<&Key> {
        if !self.opaque_lengths.contains(&presented.len()) {
            return None;
        }
        self.find(presented)
            .filter(|key| matches!(key.bearer, Bearer::Minted(_)))
    }

    /// The index of the consumer called `name`.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.consumers
            .iter()
            .position(|consumer| *consumer.name == *name)
    }

    /// The consumer with this index.
    pub(crate) fn consumer(&self, index: usize) -> Option<&Consumer> {
        self.consumers.get(index)
    }

    /// The name of a consumer, or of its absence.
    pub(crate) fn name_of(&self, consumer: Option<usize>) -> &str {
        consumer
            .and_then(|index| self.consumer(index))
            .map_or(NOBODY, |consumer| &consumer.name)
    }

    /// Every consumer.
    pub(crate) fn consumers(&self) -> &[Consumer] {
        &self.consumers
    }

    fn consumer_or_new(&mut self, name: &str) -> usize {
        self.position(name).unwrap_or_else(|| {
            self.consumers.push(Consumer {
                name: name.into(),
                key_names: Vec::new(),
                limit: None,
            });
            self.consumers.len() - 1
        })
    }
}

impl Key {
    /// The `Authorization` header that speaks for this key.
    pub(crate) fn authorization(&self) -> HeaderValue {
        match &self.bearer {
            Bearer::Itself(value) => value.clone(),
            Bearer::Minted(current) => HeaderValue::clone(&current.load()),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.consumers).finish()
    }
}

/// `Bearer token`, marked so that it is never printed.
pub(crate) fn bearer_header(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}
