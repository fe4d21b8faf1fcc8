//! Keyset paging: a page continues after the last document of the one before.
//!
//! A cursor holds that document's sort values. It is not secret and not signed: it is checked like
//! any input, and the owner's scope stands around whatever it says.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mongodb::bson::{Bson, Document, RawDocument, doc};

use crate::{
    Error,
    document::{self, ID},
    sort::{Key, Sort},
};

/// Longest cursor given out, in bytes before encoding.
const MAX_CURSOR_BYTES: usize = 2048;

/// Names of the types in the order MongoDB sorts them; those on one line are equal in it.
const TYPES: [&[&str]; 14] = [
    &["minKey"],
    &["null"],
    &["number"],
    &["string", "symbol"],
    &["object"],
    &["array"],
    &["binData"],
    &["objectId"],
    &["bool"],
    &["date"],
    &["timestamp"],
    &["regex"],
    &["dbPointer", "javascript", "javascriptWithScope"],
    &["maxKey"],
];

/// Position of null in [`TYPES`]; a missing field sorts as null.
const NULL: usize = 1;

/// Position of numbers in [`TYPES`].
const NUMBER: usize = 2;

/// A place in a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cursor {
    /// Documents before this place, counted from the first page.
    pub(crate) seen: u64,
    /// Sort values of the last of them; none where they cannot be continued from, as with arrays.
    after: Option<Vec<Bson>>,
}

impl Cursor {
    /// The place after `last`, the last document of a page.
    pub(crate) fn after(sort: &Sort, last: &RawDocument, seen: u64) -> Self {
        let value = |key: &Key| value_at(last, &key.path).filter(is_comparable);
        Self {
            seen,
            after: sort.keys().iter().map(value).collect(),
        }
    }

    /// What a client gives back to read on.
    pub(crate) fn encode(&self, sort: &Sort) -> String {
        let seen = i64::try_from(self.seen).unwrap_or(i64::MAX);
        let with = |after: &Option<Vec<Bson>>| {
            let content = doc! { "s": sort.to_string(), "n": seen, "v": after };
            mongodb::bson::to_vec(&content).unwrap_or_default()
        };
        let mut bytes = with(&self.after);
        if bytes.len() > MAX_CURSOR_BYTES {
            bytes = with(&None);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor that belongs to a list in the order of `sort`.
    pub(crate) fn decode(text: &str, sort: &Sort) -> Result<Self, Error> {
        Self::try_decode(text, sort).ok_or(Error::InvalidCursor)
    }

    fn try_decode(text: &str, sort: &Sort) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        if bytes.len() > MAX_CURSOR_BYTES {
            return None;
        }
        let content: Document = mongodb::bson::from_slice(&bytes).ok()?;
        if content.get_str("s").ok()? != sort.to_string() {
            return None;
        }
        let seen = u64::try_from(content.get_i64("n").ok()?).ok()?;
        let is_valid = |value: &Bson| is_comparable(value) && document::check_value(value).is_ok();
        let after = match content.get("v")? {
            Bson::Null => None,
            Bson::Array(values)
                if values.len() == sort.keys().len() && values.iter().all(is_valid) =>
            {
                Some(values.clone())
            }
            _ => return None,
        };
        Some(Self { seen, after })
    }

    /// The condition for documents behind this place; none when they have to be counted off.
    pub(crate) fn condition(&self, sort: &Sort) -> Option<Document> {
        let values = self.after.as_ref()?;
        let mut alternatives = Vec::new();
        let mut equal: Vec<Document> = Vec::new();
        for (key, value) in sort.keys().iter().zip(values) {
            let mut all = equal.clone();
            all.push(doc! { "$or": behind(key, value) });
            alternatives.push(doc! { "$and": all });
            equal.push(doc! { &key.path: { "$eq": value } });
        }
        Some(doc! { "$or": alternatives })
    }
}

/// Conditions of which one holds where the value of `key` sorts behind `value`.
///
/// MongoDB's comparisons stay within one type, its sort does not: other types are named.
fn behind(key: &Key, value: &Bson) -> Vec<Document> {
    let path = &key.path;
    let rank = rank(value);
    // NaN sorts before all other numbers, and compares with none.
    let mut conditions = match (key.ascending, is_nan(value)) {
        (true, false) => vec![doc! { path: { "$gt": value } }],
        (false, false) if rank == NUMBER => {
            vec![doc! { path: { "$lt": value } }, doc! { path: f64::NAN }]
        }
        (false, false) => vec![doc! { path: { "$lt": value } }],
        (true, true) => vec![doc! { path: { "$gte": f64::NEG_INFINITY } }],
        (false, true) => Vec::new(),
    };
    let others = if key.ascending {
        TYPES.get(rank + 1..)
    } else {
        TYPES.get(..rank)
    };
    let is_possible = |name: &&str| path != ID || ["string", "objectId"].contains(name);
    let others = others.unwrap_or_default().concat();
    let others: Vec<&str> = others.into_iter().filter(is_possible).collect();
    if !others.is_empty() {
        conditions.push(doc! { path: { "$type": others } });
    }
    if path != ID && !key.ascending && rank > NULL {
        // A missing field sorts as null, an empty list before it.
        conditions.push(doc! { path: null_or_empty() });
    }
    if path != ID && !key.ascending && rank == NULL {
        conditions.push(doc! { path: { "$eq": [] } });
    }
    if conditions.is_empty() {
        conditions.push(doc! { path: { "$in": [] } });
    }
    conditions
}

fn null_or_empty() -> Document {
    doc! { "$in": [Bson::Null, Bson::Array(Vec::new())] }
}

/// Whether a list can be continued behind this value.
fn is_comparable(value: &Bson) -> bool {
    !matches!(
        value,
        Bson::Array(_)
            | Bson::RegularExpression(_)
            | Bson::JavaScriptCode(_)
            | Bson::JavaScriptCodeWithScope(_)
            | Bson::DbPointer(_)
            | Bson::Undefined
    )
}

fn is_nan(value: &Bson) -> bool {
    match value {
        Bson::Double(number) => number.is_nan(),
        Bson::Decimal128(number) => number.to_string().contains("NaN"),
        _ => false,
    }
}

/// Position of a value's type in [`TYPES`].
fn rank(value: &Bson) -> usize {
    match value {
        Bson::MinKey => 0,
        Bson::Null | Bson::Undefined => NULL,
        Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_) => NUMBER,
        Bson::String(_) | Bson::Symbol(_) => 3,
        Bson::Document(_) => 4,
        Bson::Array(_) => 5,
        Bson::Binary(_) => 6,
        Bson::ObjectId(_) => 7,
        Bson::Boolean(_) => 8,
        Bson::DateTime(_) => 9,
        Bson::Timestamp(_) => 10,
        Bson::RegularExpression(_) => 11,
        Bson::DbPointer(_) | Bson::JavaScriptCode(_) | Bson::JavaScriptCodeWithScope(_) => 12,
        Bson::MaxKey => 13,
    }
}

/// The value at a path: null where it is missing, none where an array is on the way.
fn value_at(document: &RawDocument, path: &str) -> Option<Bson> {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let Ok(Some(value)) = document.get(name) else {
        return Some(Bson::Null);
    };
    match (rest, value) {
        (None, value) => Bson::try_from(value).ok(),
        (Some(rest), mongodb::bson::RawBsonRef::Document(inner)) => value_at(inner, rest),
        (Some(_), mongodb::bson::RawBsonRef::Array(_)) => None,
        (Some(_), _) => Some(Bson::Null),
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{RawDocumentBuf, oid::ObjectId};
    use proptest::prelude::*;

    use super::*;

    fn sort(text: &str) -> Sort {
        text.parse().unwrap()
    }

    fn after(sort: &Sort, document: &Document) -> Cursor {
        let raw = RawDocumentBuf::from_document(document).unwrap();
        Cursor::after(sort, &raw, 20)
    }

    #[test]
    fn a_cursor_survives_its_journey() {
        let sort = sort("a.b:desc,c");
        let document = doc! { "_id": ObjectId::from_bytes([7; 12]), "a": { "b": 1.5 } };
        let cursor = after(&sort, &document);
        assert_eq!(cursor.after.as_ref().unwrap()[1], Bson::Null);
        assert_eq!(
            Cursor::decode(&cursor.encode(&sort), &sort).unwrap(),
            cursor
        );
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let by_a = sort("a");
        let text = after(&by_a, &doc! { "_id": "x", "a": 1 }).encode(&by_a);
        assert!(Cursor::decode(&text, &sort("a:desc")).is_err());
        assert!(Cursor::decode(&text, &sort("b")).is_err());
    }

    #[test]
    fn forged_contents_are_refused() {
        let sort = sort("a");
        let forge = |values: Bson, seen: i64| {
            let content = doc! { "s": sort.to_string(), "n": seen, "v": values };
            let text = URL_SAFE_NO_PAD.encode(mongodb::bson::to_vec(&content).unwrap());
            Cursor::decode(&text, &sort)
        };
        assert!(forge(Bson::Array(vec![1.into(), 2.into()]), 1).is_ok());
        assert!(forge(Bson::Array(vec![1.into()]), 1).is_err());
        assert!(forge(Bson::Array(vec![1.into(), 2.into()]), -1).is_err());
        let operator = doc! { "$where": "true" };
        assert!(forge(Bson::Array(vec![operator.into(), 2.into()]), 1).is_err());
        let code = Bson::JavaScriptCode("x".to_owned());
        assert!(forge(Bson::Array(vec![code, 2.into()]), 1).is_err());
    }

    #[test]
    fn a_list_sorted_by_arrays_or_long_texts_is_counted_off() {
        let sort = sort("a");
        assert_eq!(after(&sort, &doc! { "_id": 1, "a": [1] }).after, None);
        let long = after(&sort, &doc! { "_id": 1, "a": "x".repeat(5000) });
        let decoded = Cursor::decode(&long.encode(&sort), &sort).unwrap();
        assert_eq!((decoded.seen, decoded.after), (20, None));
    }

    proptest! {
        #[test]
        fn any_text_is_a_cursor_or_refused(text in "[A-Za-z0-9_-]{0,80}") {
            Cursor::decode(&text, &sort("a")).ok();
        }
    }
}
