//! Consumers and their keys.

use std::{collections::HashMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::tokens::Minter;

/// The public consumer.
pub(crate) const ANON: &str = "anon";
/// The consumer of the operator's own servers.
pub(crate) const SERVICE_ROLE: &str = "service_role";

/// Label of a request without a consumer.
pub(crate) const NOBODY: &str = "none";

/// The consumers, and who holds which key.
///
/// Keys are found by their SHA-256, so the time a look-up takes tells nothing about them.
pub(crate) struct Keys {
    consumers: Vec<Consumer>,
    by_digest: HashMap<[u8; 32], Key>,
    opaque_lengths: Vec<usize>,
}

/// Somebody who holds keys.
pub(crate) struct Consumer {
    /// Name in routes, logs and metrics.
    pub(crate) name: &'static str,
    /// Names of its keys, for the admin API.
    pub(crate) key_names: Vec<&'static str>,
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
    pub(crate) consumer: &'static str,
    /// The variable it came from.
    pub(crate) name: &'static str,
    /// The key.
    pub(crate) secret: &'a SecretString,
}

impl Keys {
    /// The keys of `configured`; `minter` makes tokens for those that are none themselves.
    pub(crate) fn new(configured: &[ConfiguredKey<'_>], minter: &Minter) -> Self {
        let mut keys = Self {
            consumers: Vec::new(),
            by_digest: HashMap::new(),
            opaque_lengths: Vec::new(),
        };
        for key in configured {
            let consumer = keys.consumer_named(key.consumer, key.name);
            let secret = key.secret.expose_secret();
            let bearer = if minter.is_token_of(secret, key.consumer)
                && let Some(value) = bearer_header(secret)
            {
                Bearer::Itself(value)
            } else {
                keys.opaque_lengths.push(secret.len());
                Bearer::Minted(minter.token_of(key.consumer))
            };
            keys.by_digest
                .insert(digest(secret.as_bytes()), Key { consumer, bearer });
        }
        keys
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
    pub(crate) fn consumer(&self, name: &str) -> Option<usize> {
        self.consumers
            .iter()
            .position(|consumer| consumer.name == name)
    }

    /// The name of a consumer, or of its absence.
    pub(crate) fn name_of(&self, consumer: Option<usize>) -> &'static str {
        consumer
            .and_then(|index| self.consumers.get(index))
            .map_or(NOBODY, |consumer| consumer.name)
    }

    /// Every consumer.
    pub(crate) fn consumers(&self) -> &[Consumer] {
        &self.consumers
    }

    fn consumer_named(&mut self, name: &'static str, key_name: &'static str) -> usize {
        let index = self.consumer(name).unwrap_or_else(|| {
            self.consumers.push(Consumer {
                name,
                key_names: Vec::new(),
            });
            self.consumers.len() - 1
        });
        if let Some(consumer) = self.consumers.get_mut(index) {
            consumer.key_names.push(key_name);
        }
        index
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
        let names = self.consumers.iter().map(|consumer| consumer.name);
        f.debug_list().entries(names).finish()
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
