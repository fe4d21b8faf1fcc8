//! Tokens that were verified before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Identity;
use crate::metric;

/// Verified tokens, bounded: when the younger half is full, the older half goes.
#[derive(Debug)]
pub(super) struct Cache {
    halves: Mutex<Halves>,
    half_capacity: usize,
}

#[derive(Debug, Default)]
struct Halves {
    younger: Tokens,
    older: Tokens,
}

type Tokens = HashMap<Box<str>, Arc<Identity>>;

impl Halves {
    /// Gives back what had to make room.
    fn insert(&mut self, token: Box<str>, identity: Arc<Identity>, half_capacity: usize) -> Tokens {
        let mut gone = Tokens::new();
        if self.younger.len() >= half_capacity {
            let younger = std::mem::take(&mut self.younger);
            gone = std::mem::replace(&mut self.older, younger);
        }
        self.younger.insert(token, identity);
        gone
    }
}

/// Freeing hundreds of tokens takes a while, in which others must not wait for the lock.
fn forget(gone: Tokens) {
    if !gone.is_empty() {
        metric::count_forgotten_tokens(gone.len());
    }
    drop(gone);
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            halves: Mutex::default(),
            half_capacity: capacity.div_ceil(2),
        }
    }

    pub(super) fn get(&self, token: &str) -> Option<Arc<Identity>> {
        let known = self.find(token);
        metric::count_token_lookup(known.is_some());
        known
    }

    fn find(&self, token: &str) -> Option<Arc<Identity>> {
        let mut halves = self.halves();
        if let Some(known) = halves.younger.get(token) {
            return Some(Arc::clone(known));
        }
        let (token, known) = halves.older.remove_entry(token)?;
        let gone = halves.insert(token, Arc::clone(&known), self.half_capacity);
        drop(halves);
        forget(gone);
        Some(known)
    }

    pub(super) fn put(&self, token: &str, identity: &Arc<Identity>) {
        if self.half_capacity > 0 {
            let identity = Arc::clone(identity);
            let gone = self
                .halves()
                .insert(token.into(), identity, self.half_capacity);
            forget(gone);
        }
    }

    fn halves(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let cache = Cache::new(10);
        let identity = Arc::new(Identity::new("anon".to_owned(), &Map::new(), true));
        for number in 0..100 {
            cache.put("often", &identity);
            cache.put(&number.to_string(), &identity);
            assert!(cache.get("often").is_some());
            let halves = cache.halves();
            assert!(halves.younger.len() + halves.older.len() <= 10);
        }
        assert!(cache.get("0").is_none());
        assert!(cache.get("99").is_some());
    }

    #[test]
    fn without_capacity_it_holds_nothing() {
        let cache = Cache::new(0);
        let identity = Arc::new(Identity::new("anon".to_owned(), &Map::new(), true));
        cache.put("a", &identity);
        assert!(cache.get("a").is_none());
    }
}
