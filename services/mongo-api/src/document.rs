//! What a client's document may hold, and the fields that are this service's.

use mongodb::bson::{Bson, Document};

use crate::Error;

/// Id of a document.
pub(crate) const ID: &str = "_id";
/// User a document belongs to; null for documents of the service role.
pub(crate) const OWNER: &str = "owner_id";
/// When a document was created.
pub(crate) const CREATED: &str = "created_at";
/// When a document was last written.
pub(crate) const UPDATED: &str = "updated_at";
/// How often a document was written, from 1.
pub(crate) const VERSION: &str = "_version";

/// Fields a client can read but never write.
pub(crate) const RESERVED: [&str; 5] = [ID, OWNER, CREATED, UPDATED, VERSION];

/// Accepts a client's document: none of our fields at its top, no operator and no path anywhere.
pub(crate) fn check(document: &Document) -> Result<(), Error> {
    for (key, value) in document {
        if RESERVED.contains(&key.as_str()) {
            return Err(Error::ReservedField(key.clone()));
        }
        check_key(key)?;
        check_value(value)?;
    }
    Ok(())
}

/// Accepts a value that is data and nothing else.
pub(crate) fn check_value(value: &Bson) -> Result<(), Error> {
    match value {
        Bson::Document(document) => document.iter().try_for_each(|(key, value)| {
            check_key(key)?;
            check_value(value)
        }),
        Bson::Array(items) => items.iter().try_for_each(check_value),
        _ => Ok(()),
    }
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.starts_with('$') || key.contains('.') {
        let reason = format!("{key:?} is empty, begins with `$` or holds a dot");
        return Err(Error::InvalidKey(reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use common::error::Problem;
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn reserved_fields_are_refused_at_the_top_only() {
        for key in RESERVED {
            let document = Document::from_iter([(key.to_owned(), Bson::Null)]);
            assert_eq!(check(&document).unwrap_err().code(), "reserved_field");
        }
        assert!(check(&doc! { "author": { "_id": 1, "owner_id": 2 } }).is_ok());
    }

    #[test]
    fn operators_and_paths_are_refused_at_any_depth() {
        for document in [
            doc! { "$set": 1 },
            doc! { "owner_id.x": 1 },
            doc! { "a": { "$ref": "users", "$id": 1 } },
            doc! { "a": [{ "b.c": 1 }] },
            doc! { "": 1 },
        ] {
            assert_eq!(
                check(&document).unwrap_err().code(),
                "invalid_key",
                "{document}"
            );
        }
    }
}
