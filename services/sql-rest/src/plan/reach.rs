//! How the rows at the end of a relationship are reached and shown.

use super::node::{Form, Rows, Tie};
use crate::{
    catalog::{Link, Relationship},
    request::select::{SelectEmbed, SelectItem},
};

/// Where the rows at the end of a relationship come from.
pub(super) fn rows(relationship: &Relationship) -> Rows {
    match &relationship.link {
        Link::Computed { function, .. } => Rows::Computed(function.clone()),
        _ => Rows::Relation(relationship.to.clone()),
    }
}

/// What relates rows to those at the start of a relationship.
pub(super) fn tie(alias: &str, relationship: &Relationship) -> Tie {
    match &relationship.link {
        Link::ManyToOne(key) | Link::OneToMany(key) | Link::OneToOne { key, .. } => {
            Tie::Columns(key.columns.clone())
        }
        Link::ManyToMany(junction) => Tie::Junction {
            relation: junction.relation.clone(),
            alias: format!("{alias}_junction"),
            outer: junction.from_columns.clone(),
            inner: junction.to_columns.clone(),
        },
        Link::Computed { .. } => Tie::Argument,
    }
}

/// How they are shown.
pub(super) fn form(embed: &SelectEmbed, to_one: bool) -> Form {
    match (embed.spread, to_one) {
        _ if shows_nothing(&embed.items) => Form::Hidden,
        (true, true) => Form::SpreadOne,
        (true, false) => Form::SpreadMany,
        (false, true) => Form::Object,
        (false, false) => Form::Array,
    }
}

/// Whether there is nothing in an embed but embeds with nothing in them.
fn shows_nothing(items: &[SelectItem]) -> bool {
    items.iter().all(|item| match item {
        SelectItem::Column(_) => false,
        SelectItem::Embed(embed) => shows_nothing(&embed.items),
    })
}
