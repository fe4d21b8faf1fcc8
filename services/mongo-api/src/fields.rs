//! Which fields of a document to return: `name,address.city`.

use std::str::FromStr;

use mongodb::bson::Document;

use crate::{Error, document::ID, path, sort::Sort};

/// Most fields that can be asked for.
const MAX_FIELDS: usize = 100;

/// Fields to return. `_id` is always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields(Vec<String>);

impl Fields {
    /// In MongoDB's own form, with the fields that `sort` needs to continue after a page.
    pub(crate) fn to_projection(&self, sort: &Sort) -> Document {
        let sorted_by = sort.keys().iter().map(|key| &key.path);
        let mut paths: Vec<&str> = self.0.iter().chain(sorted_by).map(String::as_str).collect();
        paths.push(ID);
        let all = paths.clone();
        paths.retain(|path| {
            !all.iter()
                .any(|outer| outer != path && path::is_within(path, outer))
        });
        paths
            .into_iter()
            .map(|path| (path.to_owned(), 1.into()))
            .collect()
    }
}

impl FromStr for Fields {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let paths: Vec<String> = text.split(',').map(str::to_owned).collect();
        if paths.len() > MAX_FIELDS {
            return Err(Error::InvalidQuery("fields: at most 100".to_owned()));
        }
        paths.iter().try_for_each(|path| path::check(path))?;
        Ok(Self(paths))
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    fn projection(fields: &str, sort: &str) -> Document {
        let fields: Fields = fields.parse().unwrap();
        fields.to_projection(&sort.parse().unwrap())
    }

    #[test]
    fn a_field_inside_another_is_not_asked_for_twice() {
        assert_eq!(projection("a.b,c,a", ""), doc! { "c": 1, "a": 1, "_id": 1 });
        assert_eq!(projection("a.b", "a,d"), doc! { "a": 1, "d": 1, "_id": 1 });
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for text in ["", "$a", "a,", "a.$"] {
            assert!(text.parse::<Fields>().is_err(), "{text}");
        }
    }
}
