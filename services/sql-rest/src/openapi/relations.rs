//! Relations: what a row is, and what can be done with them.

use std::borrow::Cow;

use super::{
    document::{Operation, PathItem, Response, Responses, Schema, Type, pointer},
    parameters::{body_key, filter_key, references},
    summary_of, types,
};
use crate::catalog::{Catalog, Column, Link, QualifiedName, Relation, Relationship};

/// What a row is.
pub(super) fn definition<'a>(
    catalog: &'a Catalog,
    name: &QualifiedName,
    relation: &'a Relation,
) -> Schema<'a> {
    let columns = relation.columns.values();
    Schema {
        description: relation.description.as_deref().map(Cow::Borrowed),
        kind: Some(Type::Object),
        required: columns
            .clone()
            .filter(|column| !column.nullable)
            .map(|column| column.name.as_str())
            .collect(),
        properties: columns
            .map(|column| {
                let note = note(catalog, name, relation, column);
                (column.name.as_str(), property(column, &note))
            })
            .collect(),
        ..Schema::default()
    }
}

fn property<'a>(column: &'a Column, note: &str) -> Schema<'a> {
    let data_type = types::of_column(column);
    let comment = column.description.as_deref();
    let description = match (comment, note) {
        (None, "") => None,
        (Some(comment), "") => Some(Cow::Borrowed(comment)),
        (None, note) => Some(Cow::Owned(format!("Note:\n{note}"))),
        (Some(comment), note) => Some(Cow::Owned(format!("{comment}\n\nNote:\n{note}"))),
    };
    Schema {
        default: column
            .default
            .as_deref()
            .and_then(|expression| types::default(data_type, expression)),
        description,
        labels: &column.enum_labels,
        max_length: column.max_length,
        ..types::schema(data_type)
    }
}

/// What keys a column is part of, in the words that tools look for.
fn note(catalog: &Catalog, name: &QualifiedName, relation: &Relation, column: &Column) -> String {
    let mut lines = Vec::with_capacity(2);
    if relation.primary_key.contains(&column.name) {
        lines.push("This is a Primary Key.<pk/>".to_owned());
    }
    if let Some((table, target)) = foreign_key(catalog, name, column) {
        lines.push(format!(
            "This is a Foreign Key to `{table}.{target}`.<fk table='{table}' column='{target}'/>"
        ));
    }
    lines.join("\n")
}

/// Where a column points to by itself: a table rather than a view.
fn foreign_key<'a>(
    catalog: &'a Catalog,
    name: &QualifiedName,
    column: &Column,
) -> Option<(&'a str, &'a str)> {
    let points = |relationship: &'a Relationship| {
        let (Link::ManyToOne(key)
        | Link::OneToOne {
            key,
            from_holds_key: true,
        }) = &relationship.link
        else {
            return None;
        };
        match key.columns.as_slice() {
            [(from, to)] if *from == column.name => Some((relationship, to.as_str())),
            _ => None,
        }
    };
    let relationships = catalog.relationships.get(name)?;
    relationships
        .iter()
        .filter(|relationship| relationship.to.schema == name.schema)
        .filter_map(points)
        .min_by_key(|(relationship, _)| relationship.to_is_view)
        .map(|(relationship, target)| (relationship.to.name.as_str(), target))
}

/// What can be done with a relation.
pub(super) fn path<'a>(name: &'a str, relation: &'a Relation) -> PathItem<'a> {
    let filters: Vec<String> = relation
        .columns
        .keys()
        .map(|column| filter_key(name, column))
        .collect();
    let filters = filters.iter().map(String::as_str);
    let body = body_key(name);
    let (summary, description) = summary_of(relation.description.as_deref());
    let operation = |keys: &mut dyn Iterator<Item = &str>, responses| Operation {
        tags: [name.into()],
        summary,
        description,
        produces: &[],
        parameters: references(keys),
        responses,
    };
    let reading = [
        "select",
        "order",
        "range",
        "rangeUnit",
        "offset",
        "limit",
        "preferCount",
    ];
    let get = operation(&mut filters.clone().chain(reading), rows(name));
    let mut item = PathItem {
        get: Some(get),
        ..PathItem::default()
    };
    if relation.insertable || relation.updatable || relation.deletable {
        let mut inserting = [body.as_str(), "select", "preferPost"].into_iter();
        let mut updating = filters.clone().chain([body.as_str(), "preferReturn"]);
        let mut deleting = filters.chain(["preferReturn"]);
        let emptied = || Responses::plain("204", "No Content");
        item.post = Some(operation(
            &mut inserting,
            Responses::plain("201", "Created"),
        ));
        item.patch = Some(operation(&mut updating, emptied()));
        item.delete = Some(operation(&mut deleting, emptied()));
    }
    item
}

fn rows(name: &str) -> Responses<'_> {
    let row = Schema {
        reference: Some(pointer("definitions", name)),
        ..Schema::default()
    };
    let all = Schema {
        kind: Some(Type::Array),
        items: Some(Box::new(row)),
        ..Schema::default()
    };
    let response = |description, schema| Response {
        description,
        schema,
    };
    Responses(vec![
        ("200", response("OK", Some(all))),
        ("206", response("Partial Content", None)),
    ])
}
