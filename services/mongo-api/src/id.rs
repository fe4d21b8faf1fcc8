//! Names and ids that come in paths.

use std::{fmt, str::FromStr};

use mongodb::bson::{Bson, oid::ObjectId};
use serde::{Deserialize, Deserializer, de::Error as _};
use uuid::Uuid;

use crate::Error;

/// Longest collection name.
const MAX_NAME_BYTES: usize = 64;

/// Length of a UUID with hyphens, the one form accepted.
const UUID_BYTES: usize = 36;

/// Name of a user's collection: letters, digits, `_` and `-`.
///
/// No dot can be part of it, so the collections of MongoDB (`system.…`) and of this service
/// (`ferrobase.…`) cannot be named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CollectionName(String);

impl CollectionName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CollectionName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(Error::InvalidName)
        }
    }
}

/// Id of a document: an `ObjectId` made here, or a UUID that a client chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentId {
    Object(ObjectId),
    Uuid(Uuid),
}

impl FromStr for DocumentId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() == UUID_BYTES {
            let uuid = Uuid::try_parse(text).map_err(|_| Error::InvalidId)?;
            return Ok(Self::Uuid(uuid));
        }
        ObjectId::parse_str(text)
            .map(Self::Object)
            .map_err(|_| Error::InvalidId)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(id) => id.fmt(f),
            Self::Uuid(id) => id.fmt(f),
        }
    }
}

impl From<DocumentId> for Bson {
    fn from(id: DocumentId) -> Self {
        match id {
            DocumentId::Object(id) => Self::ObjectId(id),
            // The canonical text, so that one UUID is one id however it was written.
            DocumentId::Uuid(id) => Self::String(id.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for CollectionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for DocumentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_reach_a_system_collection_are_refused() {
        for name in [
            "",
            "system.users",
            "ferrobase.collections",
            "a.b",
            "a$b",
            "a b",
            "a/b",
            "naïve",
            "a\0",
            &"n".repeat(65),
        ] {
            assert!(name.parse::<CollectionName>().is_err(), "{name:?}");
        }
        assert!("A-z_09".parse::<CollectionName>().is_ok());
    }

    #[test]
    fn one_uuid_is_one_id_however_it_is_written() {
        let text = "0B6F6D1E-3F8A-4B5E-9C55-0A1B2C3D4E5F";
        let id: DocumentId = text.parse().unwrap();
        assert_eq!(Bson::from(id), Bson::String(text.to_ascii_lowercase()));
    }

    #[test]
    fn other_forms_of_an_id_are_refused() {
        for text in [
            "",
            "1",
            "{0b6f6d1e-3f8a-4b5e-9c55-0a1b2c3d4e5f}",
            "0b6f6d1e3f8a4b5e9c550a1b2c3d4e5f",
            "65a1b2c3d4e5f60718293a4",
            "[object Object]",
        ] {
            assert!(text.parse::<DocumentId>().is_err(), "{text:?}");
        }
        assert!("65a1b2c3d4e5f60718293A4B".parse::<DocumentId>().is_ok());
    }
}
