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
    younger: HashMap<Box<str>, Arc<Identity>>,
    older: HashMap<Box<str>, Arc<Identity>>,
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
        self.insert(&mut halves, token, Arc::clone(&known));
        Some(known)
    }

    pub(super) fn put(&self, token: &str, identity: &Arc<Identity>) {
        if self.half_capacity > 0 {
            self.insert(&mut self.halves(), token.into(), Arc::clone(identity));
        }
    }

    fn insert(&self, halves: &mut Halves, token: Box<str>, identity: Arc<Identity>) {
        if halves.younger.len() >= self.half_capacity {
            let younger = std::mem::take(&mut halves.younger);
            let gone = std::mem::replace(&mut halves.older, younger);
            metric::count_forgotten_tokens(gone.len());
        }
        halves.younger.insert(token, identity);
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
