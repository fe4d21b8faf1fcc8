//! Partial updates: fields are replaced, `null` removes, a dotted path reaches inside.

use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::{
    Error,
    document::{self, RESERVED, UPDATED, VERSION},
    path,
};

/// Most fields one patch may touch.
const MAX_CHANGES: usize = 500;

/// Number from which a name in a path is refused: where it is a place in an array, the array is filled with nulls
/// up to it. No body holds as many values.
const FIRST_FAR_PLACE: u64 = 20_000;

/// Checks a client's patch and gives the update to run.
pub(crate) fn compile(patch: &Document, now: DateTime) -> Result<Document, Error> {
    if patch.is_empty() {
        return Err(Error::InvalidPatch("it changes nothing".to_owned()));
    }
    if patch.len() > MAX_CHANGES {
        return Err(Error::TooComplex("more than 500 changes"));
    }
    refuse_overlaps(patch)?;
    let mut set = Document::new();
    let mut unset = Document::new();
    for (path, value) in patch {
        path::check(path)?;
        refuse_far_places(path)?;
        if RESERVED.contains(&path::root(path)) {
            return Err(Error::ReservedField(path::root(path).to_owned()));
        }
        match value {
            Bson::Null => unset.insert(path, ""),
            value => {
                document::check_value(value)?;
                set.insert(path, value)
            }
        };
    }
    set.insert(UPDATED, now);
    let mut update = doc! { "$set": set, "$inc": { VERSION: 1_i64 } };
    if !unset.is_empty() {
        update.insert("$unset", unset);
    }
    Ok(update)
}

/// Refuses a path that a few bytes of a request could fill a document by.
fn refuse_far_places(path: &str) -> Result<(), Error> {
    let is_far = |name: &str| {
        // More digits than a number can have are no place in an array.
        let is_place = name.bytes().all(|byte| byte.is_ascii_digit()) && !name.starts_with('0');
        is_place
            && name
                .parse()
                .is_ok_and(|place: u64| place >= FIRST_FAR_PLACE)
    };
    // The first name is one of the document, which is no array.
    if path.split('.').skip(1).any(is_far) {
        return Err(Error::InvalidPatch(format!(
            "{path:?} goes to a place in an array beyond {FIRST_FAR_PLACE}; replace the whole value instead"
        )));
    }
    Ok(())
}

/// Refuses a path inside another: what the result should be depends on the order.
fn refuse_overlaps(patch: &Document) -> Result<(), Error> {
    // Compared name by name, a path is followed by everything inside it.
    let mut paths: Vec<Vec<&str>> = patch.keys().map(|path| path.split('.').collect()).collect();
    paths.sort_unstable();
    let overlap = paths.windows(2).find_map(|pair| match pair {
        [outer, inner] if inner.starts_with(outer) => Some(inner.join(".")),
        _ => None,
    });
    match overlap {
        Some(inner) => Err(Error::InvalidPatch(format!(
            "{inner:?} lies inside another path of the same patch"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use common::error::Problem;

    use super::*;

    fn refused(patch: &Document) -> &'static str {
        compile(patch, DateTime::MIN).unwrap_err().code()
    }

    #[test]
    fn values_are_set_and_nulls_removed() {
        let patch = doc! { "a": 1, "b.c": { "d": null }, "e": null, "f.0": null };
        assert_eq!(
            compile(&patch, DateTime::MIN).unwrap(),
            doc! {
                "$set": { "a": 1, "b.c": { "d": null }, "updated_at": DateTime::MIN },
                "$inc": { "_version": 1_i64 },
                "$unset": { "e": "", "f.0": "" },
            }
        );
    }

    #[test]
    fn our_fields_are_out_of_reach_by_any_path() {
        for path in [
            "_id",
            "owner_id",
            "owner_id.x",
            "created_at",
            "_version",
            "updated_at.0",
        ] {
            let patch = Document::from_iter([(path.to_owned(), Bson::from(1))]);
            assert_eq!(refused(&patch), "reserved_field", "{path}");
        }
    }

    #[test]
    fn operators_are_refused_in_paths_and_values() {
        for patch in [
            doc! { "$set": { "owner_id": 1 } },
            doc! { "a.$": 1 },
            doc! { "a.$[]": 1 },
            doc! { "a": { "$inc": 1 } },
            doc! { "a": [{ "b.c": 1 }] },
        ] {
            assert_eq!(refused(&patch), "invalid_key", "{patch}");
        }
    }

    #[test]
    fn an_array_is_not_filled_up_to_a_far_place() {
        for path in [
            "a.20000",
            "a.1499999",
            "a.0.20000",
            "a.20000.b",
            "a.18446744073709551615",
        ] {
            let patch = Document::from_iter([(path.to_owned(), Bson::from(1))]);
            assert_eq!(refused(&patch), "invalid_patch", "{path}");
        }
        for path in ["a.19999", "20000", "a.020000", "a.20000x"] {
            let patch = Document::from_iter([(path.to_owned(), Bson::from(1))]);
            assert!(compile(&patch, DateTime::MIN).is_ok(), "{path}");
        }
    }

    #[test]
    fn paths_may_not_overlap() {
        assert_eq!(
            refused(&doc! { "a": 1, "a-b": 2, "a.b": 3 }),
            "invalid_patch"
        );
        assert!(compile(&doc! { "a": 1, "ab": 2 }, DateTime::MIN).is_ok());
        assert_eq!(refused(&Document::new()), "invalid_patch");
    }
}
