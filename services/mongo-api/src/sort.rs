//! Order of a list: `field:asc,other:desc`, always made total by `_id`.

use std::{fmt, str::FromStr};

use mongodb::bson::Document;

use crate::{Error, document::ID, path};

/// Most fields to sort by.
const MAX_KEYS: usize = 4;

/// Fields to sort by; the last is `_id`, so that no two documents are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sort(Vec<Key>);

/// A field and its direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) path: String,
    pub(crate) ascending: bool,
}

impl Sort {
    pub(crate) fn keys(&self) -> &[Key] {
        &self.0
    }

    /// In MongoDB's own form.
    pub(crate) fn to_document(&self) -> Document {
        let direction = |key: &Key| if key.ascending { 1 } else { -1 };
        let pairs = self.0.iter().map(|key| (key.path.clone(), direction(key)));
        pairs.map(|(path, one)| (path, one.into())).collect()
    }
}

impl FromStr for Sort {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut keys: Vec<Key> = Vec::new();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (path, direction) = part.split_once(':').unwrap_or((part, "asc"));
            let ascending = match direction {
                "asc" => true,
                "desc" => false,
                _ => return Err(invalid("a direction is asc or desc")),
            };
            path::check(path)?;
            let overlaps =
                |key: &Key| path::is_within(&key.path, path) || path::is_within(path, &key.path);
            if keys.iter().any(overlaps) {
                return Err(invalid("a field is given twice"));
            }
            keys.push(Key {
                path: path.to_owned(),
                ascending,
            });
        }
        if keys.len() > MAX_KEYS {
            return Err(invalid("at most 4 fields"));
        }
        // What follows `_id` decides nothing.
        if let Some(position) = keys.iter().position(|key| key.path == ID) {
            keys.truncate(position + 1);
        } else {
            let ascending = keys.last().is_none_or(|key| key.ascending);
            keys.push(Key {
                path: ID.to_owned(),
                ascending,
            });
        }
        Ok(Self(keys))
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|key| {
            let direction = if key.ascending { '+' } else { '-' };
            write!(f, "{direction}{},", key.path)
        })
    }
}

fn invalid(reason: &str) -> Error {
    Error::InvalidQuery(format!("sort: {reason}"))
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    fn sort(text: &str) -> Document {
        text.parse::<Sort>().unwrap().to_document()
    }

    #[test]
    fn an_order_is_made_total_by_the_id() {
        assert_eq!(sort(""), doc! { "_id": 1 });
        assert_eq!(sort("a.b:desc"), doc! { "a.b": -1, "_id": -1 });
        assert_eq!(sort("a:desc,b"), doc! { "a": -1, "b": 1, "_id": 1 });
        assert_eq!(sort("_id:desc,a"), doc! { "_id": -1 });
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for text in [
            "a:up",
            "a,a",
            "a,a.b",
            "$where",
            "a:asc:desc",
            ",",
            "a,b,c,d,e",
            "a.$:asc",
        ] {
            assert!(text.parse::<Sort>().is_err(), "{text}");
        }
    }
}
