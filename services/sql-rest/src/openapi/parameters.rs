//! Parameters that operations refer to.

use indexmap::IndexMap;

use super::document::{Maybe, Parameter, Place, Schema, Type, pointer};
use crate::catalog::Relation;

const RETURN: [&str; 3] = ["return=representation", "return=minimal", "return=none"];
const POST: [&str; 5] = [
    RETURN[0],
    RETURN[1],
    RETURN[2],
    "resolution=ignore-duplicates",
    "resolution=merge-duplicates",
];
const COUNT: [&str; 1] = ["count=none"];

/// Parameters that do not depend on what they are used with.
pub(super) fn shared<'a>() -> IndexMap<String, Parameter<'a>> {
    let paging = "Limiting and Pagination";
    let unit = Parameter {
        default: Some("items"),
        ..header("Range-Unit", paging)
    };
    let all = [
        ("preferParams", prefer(&[])),
        ("preferReturn", prefer(&RETURN)),
        ("preferCount", prefer(&COUNT)),
        ("preferPost", prefer(&POST)),
        ("select", query("select", "Filtering Columns")),
        ("on_conflict", query("on_conflict", "On Conflict")),
        ("order", query("order", "Ordering")),
        ("range", header("Range", paging)),
        ("rangeUnit", unit),
        ("offset", query("offset", paging)),
        ("limit", query("limit", paging)),
    ];
    all.map(|(key, parameter)| (key.to_owned(), parameter))
        .into()
}

/// The body and the filters of a relation.
pub(super) fn of_relation<'a>(
    name: &'a str,
    relation: &'a Relation,
) -> impl Iterator<Item = (String, Parameter<'a>)> {
    let body = Parameter {
        name,
        place: Place::Body,
        description: Some(name),
        schema: Some(Box::new(Schema {
            reference: Some(pointer("definitions", name)),
            ..Schema::default()
        })),
        ..Parameter::default()
    };
    let filters = relation.columns.values().map(move |column| {
        let filter = Parameter {
            name: &column.name,
            description: column.description.as_deref(),
            kind: Some(Type::String),
            ..Parameter::default()
        };
        (filter_key(name, &column.name), filter)
    });
    std::iter::once((body_key(name), body)).chain(filters)
}

/// References to parameters by their keys.
pub(super) fn references<'a>(
    keys: impl IntoIterator<Item = impl AsRef<str>>,
) -> Vec<Maybe<Parameter<'a>>> {
    let reference = |key: &str| Maybe::Reference {
        reference: pointer("parameters", key),
    };
    keys.into_iter()
        .map(|key| reference(key.as_ref()))
        .collect()
}

/// The key of a relation's body.
pub(super) fn body_key(relation: &str) -> String {
    format!("body.{relation}")
}

/// The key of the filter by a column.
pub(super) fn filter_key(relation: &str, column: &str) -> String {
    format!("rowFilter.{relation}.{column}")
}

fn query<'a>(name: &'a str, description: &'a str) -> Parameter<'a> {
    Parameter {
        name,
        description: Some(description),
        kind: Some(Type::String),
        ..Parameter::default()
    }
}

fn header<'a>(name: &'a str, description: &'a str) -> Parameter<'a> {
    Parameter {
        place: Place::Header,
        ..query(name, description)
    }
}

fn prefer<'a>(words: &'static [&'static str]) -> Parameter<'a> {
    Parameter {
        words,
        ..header("Prefer", "Preference")
    }
}
