//! Which statements a connection has prepared.

use std::collections::HashMap;

/// The statements one connection holds prepared, least recently used ones leaving first.
#[derive(Debug)]
pub(super) struct Cache {
    entries: HashMap<Box<str>, Entry>,
    capacity: usize,
    uses: u64,
    next_id: u32,
    closing: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    id: u32,
    last_use: u64,
}

/// A statement's place in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The server has it under this number.
    Known(u32),
    /// The server must be told under this number.
    New(u32),
    /// It is not kept.
    Unkept,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity,
            uses: 0,
            next_id: 0,
            closing: Vec::new(),
        }
    }

    /// Finds `sql`, or makes room for it if it is to be kept.
    pub(super) fn look_up(&mut self, sql: &str, keep: bool) -> Lookup {
        if !keep || self.capacity == 0 {
            return Lookup::Unkept;
        }
        self.uses += 1;
        if let Some(entry) = self.entries.get_mut(sql) {
            entry.last_use = self.uses;
            return Lookup::Known(entry.id);
        }
        if self.entries.len() >= self.capacity {
            self.forget_oldest();
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let entry = Entry {
            id,
            last_use: self.uses,
        };
        self.entries.insert(sql.into(), entry);
        Lookup::New(id)
    }

    /// Drops `sql`, which the server does not know or should no longer keep.
    pub(super) fn forget(&mut self, sql: &str) {
        if let Some(entry) = self.entries.remove(sql) {
            self.closing.push(entry.id);
        }
    }

    /// Drops every statement.
    pub(super) fn clear(&mut self) {
        self.closing
            .extend(self.entries.drain().map(|(_, entry)| entry.id));
    }

    /// Drops every statement, and holds up to `capacity` from now on.
    pub(super) fn resize(&mut self, capacity: usize) {
        self.clear();
        self.capacity = capacity;
    }

    /// Statements that left since the last call; the server still holds them.
    pub(super) fn take_closing(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.closing)
    }

    fn forget_oldest(&mut self) {
        let oldest = self
            .entries
            .iter()
            .min_by_key(|(_, entry)| entry.last_use)
            .map(|(sql, _)| sql.clone());
        if let Some(sql) = oldest {
            self.forget(&sql);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_prepared_once() {
        let mut cache = Cache::new(2);
        assert_eq!(cache.look_up("a", true), Lookup::New(0));
        assert_eq!(cache.look_up("a", true), Lookup::Known(0));
    }

    #[test]
    fn a_cache_without_room_keeps_nothing() {
        assert_eq!(Cache::new(0).look_up("a", true), Lookup::Unkept);
        assert_eq!(Cache::new(2).look_up("a", false), Lookup::Unkept);
    }

    #[test]
    fn the_least_recently_used_statement_leaves_first() {
        let mut cache = Cache::new(2);
        cache.look_up("a", true);
        cache.look_up("b", true);
        cache.look_up("a", true);
        assert_eq!(cache.look_up("c", true), Lookup::New(2));
        assert_eq!(cache.take_closing(), [1]);
        assert_eq!(cache.look_up("a", true), Lookup::Known(0));
    }

    #[test]
    fn clearing_closes_everything() {
        let mut cache = Cache::new(2);
        cache.look_up("a", true);
        cache.clear();
        assert_eq!(cache.take_closing(), [0]);
        assert_eq!(cache.look_up("a", true), Lookup::New(1));
    }
}
