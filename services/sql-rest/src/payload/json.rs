//! JSON bodies: their keys, with every value skipped.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{Content, Payload};
use crate::error::Error;

/// What a value is, as far as its outside tells.
enum Outline<'a> {
    Object(Keys<'a>),
    /// The keys all its objects share; none when they differ or something is no object.
    Array(Option<Keys<'a>>),
    /// A value that stands for no row.
    Scalar,
}

/// Finds the keys of an object, or those all objects of an array share.
pub(super) fn inspect(body: &Bytes) -> Result<Payload, Error> {
    let outline: Outline<'_> = serde_json::from_slice(body)
        .map_err(|_| Error::InvalidBody("Empty or invalid json".to_owned()))?;
    match outline {
        Outline::Object(keys) => Ok(Payload {
            content: Content::Object(body.clone()),
            keys: keys.sorted(),
        }),
        Outline::Array(Some(keys)) => Ok(Payload {
            content: Content::Array(body.clone()),
            keys: keys.sorted(),
        }),
        Outline::Array(None) => Err(Error::InvalidBody("All object keys must match".to_owned())),
        Outline::Scalar => Ok(Payload {
            content: Content::Array(Bytes::from_static(b"[]")),
            keys: Vec::new(),
        }),
    }
}

/// Writes an object of text members, in the order of their names; of several with one name the last
/// stays.
pub(super) fn object(pairs: &[(String, String)]) -> Bytes {
    let members: BTreeMap<_, _> = pairs.iter().map(|(key, value)| (key, value)).collect();
    serde_json::json!(members).to_string().into()
}

/// A key, borrowed from the body unless it is written with escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The keys of one object, in the order they come.
#[derive(Default)]
struct Keys<'a>(Vec<Cow<'a, str>>);

impl Keys<'_> {
    /// Sorted, each once.
    fn sorted(&self) -> Vec<String> {
        let names: BTreeSet<&str> = self.0.iter().map(AsRef::as_ref).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    fn same_as(&self, other: &Self) -> bool {
        self.0 == other.0 || self.sorted() == other.sorted()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Outline<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OutlineVisitor)
    }
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline<'de>, A::Error> {
        let mut keys = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            map.next_value::<IgnoredAny>()?;
            keys.push(key);
        }
        Ok(Outline::Object(Keys(keys)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Outline<'de>, A::Error> {
        let mut shared: Option<Keys<'de>> = None;
        let mut uniform = true;
        while let Some(element) = elements.next_element::<Outline<'de>>()? {
            uniform &= match (&shared, element) {
                (None, Outline::Object(keys)) => {
                    shared = Some(keys);
                    true
                }
                (Some(first), Outline::Object(keys)) => keys.same_as(first),
                _ => false,
            };
        }
        Ok(Outline::Array(uniform.then(|| shared.unwrap_or_default())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outline<'de>, E> {
        Ok(Outline::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outline<'de>, E> {
        Ok(Outline::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outline<'de>, E> {
        Ok(Outline::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outline<'de>, E> {
        Ok(Outline::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Outline<'de>, E> {
        Ok(Outline::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Outline<'de>, E> {
        Ok(Outline::Scalar)
    }
}
