//! Partial updates: fields are replaced, `null` removes, a dotted path reaches inside.

use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::{
    Error,
    document::{self, RESERVED, UPDATED, VERSION},
    path,
};

/// Most fields one patch may touch.
const MAX_CHANGES: usize = 500;

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
    fn paths_may_not_overlap() {
        assert_eq!(
            refused(&doc! { "a": 1, "a-b": 2, "a.b": 3 }),
            "invalid_patch"
        );
        assert!(compile(&doc! { "a": 1, "ab": 2 }, DateTime::MIN).is_ok());
        assert_eq!(refused(&Document::new()), "invalid_patch");
    }
}
