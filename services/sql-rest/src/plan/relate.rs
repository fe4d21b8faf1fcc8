//! Finds the relationship an embed means.

use crate::{
    catalog::{Catalog, Link, QualifiedName, Relationship},
    error::{Candidate, Error, NoRelationship},
    fuzzy,
};

/// What an embed says about the relationship it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The relation it starts at.
    pub origin: &'a QualifiedName,
    /// A relation, a foreign key or a column that leads to the related rows.
    pub target: &'a str,
    /// A foreign key, a column or a junction.
    pub hint: Option<&'a str>,
}

/// The one relationship that is meant.
pub(super) fn relationship<'a>(
    catalog: &'a Catalog,
    wanted: &Wanted<'_>,
) -> Result<&'a Relationship, Error> {
    let mut fitting: Vec<&Relationship> = catalog
        .relationships
        .get(wanted.origin)
        .into_iter()
        .flatten()
        .filter(|candidate| fits(candidate, wanted))
        .collect();
    prefer_computed(&mut fitting);
    match fitting.as_slice() {
        [] => Err(none(catalog, wanted)),
        [one] => Ok(*one),
        _ => {
            fitting.sort_by_cached_key(|candidate| rank(candidate));
            Err(several(wanted, &fitting))
        }
    }
}

/// A function takes the place of a detected relationship to a relation of its name.
fn prefer_computed(fitting: &mut Vec<&Relationship>) {
    let functions: Vec<&QualifiedName> = fitting
        .iter()
        .filter_map(|candidate| match &candidate.link {
            Link::Computed { function, .. } => Some(function),
            _ => None,
        })
        .collect();
    let is_replaced = |candidate: &Relationship| {
        !matches!(candidate.link, Link::Computed { .. }) && functions.contains(&&candidate.to)
    };
    let replaced: Vec<bool> = fitting
        .iter()
        .map(|candidate| is_replaced(candidate))
        .collect();
    let mut replaced = replaced.into_iter();
    fitting.retain(|_| !replaced.next().unwrap_or_default());
}

fn fits(candidate: &Relationship, wanted: &Wanted<'_>) -> bool {
    if candidate.to.schema != wanted.origin.schema {
        return false;
    }
    match &candidate.link {
        Link::Computed { function, .. } => function.name == wanted.target,
        _ if candidate.is_self => fits_self(candidate, wanted),
        _ => fits_other(candidate, wanted),
    }
}

/// Of a relation's key to itself, the target's name means the rows that refer to the row, the key or
/// its column the row referred to.
fn fits_self(candidate: &Relationship, wanted: &Wanted<'_>) -> bool {
    let by_name = wanted.target == candidate.to.name;
    match (wanted.hint, &candidate.link) {
        (None, Link::OneToMany(_)) => by_name,
        (None, Link::ManyToOne(_)) => {
            is_constraint(candidate, wanted.target) || is_near_column(candidate, wanted.target)
        }
        (Some(hint), Link::OneToMany(_)) => {
            by_name && (is_constraint(candidate, hint) || is_far_column(candidate, hint))
        }
        (Some(hint), Link::ManyToMany(_)) => by_name && is_junction(candidate, hint),
        _ => false,
    }
}

fn fits_other(candidate: &Relationship, wanted: &Wanted<'_>) -> bool {
    let by_name = wanted.target == candidate.to.name;
    match wanted.hint {
        None => {
            by_name
                || !candidate.to_is_view
                    && (is_constraint(candidate, wanted.target)
                        || is_near_column(candidate, wanted.target))
        }
        Some(hint) => {
            by_name
                && (is_constraint(candidate, hint)
                    || is_near_column(candidate, hint)
                    || is_far_column(candidate, hint)
                    || is_junction(candidate, hint))
        }
    }
}

fn is_constraint(candidate: &Relationship, name: &str) -> bool {
    candidate
        .link
        .key()
        .is_some_and(|key| key.constraint == name)
}

/// Whether this is the one column at the start of the relationship.
fn is_near_column(candidate: &Relationship, name: &str) -> bool {
    let columns = candidate.link.key().map(|key| key.columns.as_slice());
    matches!(columns, Some([(near, _)]) if near == name)
}

/// Whether this is the one column at the end of the relationship.
fn is_far_column(candidate: &Relationship, name: &str) -> bool {
    let columns = candidate.link.key().map(|key| key.columns.as_slice());
    matches!(columns, Some([(_, far)]) if far == name)
}

fn is_junction(candidate: &Relationship, name: &str) -> bool {
    matches!(&candidate.link, Link::ManyToMany(junction) if junction.relation.name == name)
}

fn none(catalog: &Catalog, wanted: &Wanted<'_>) -> Error {
    Error::NoRelationship(Box::new(NoRelationship {
        origin: wanted.origin.name.clone(),
        target: wanted.target.to_owned(),
        using: wanted.hint.map(str::to_owned),
        schema: wanted.origin.schema.clone(),
        hint: suggestion(catalog, wanted),
    }))
}

/// Another target when the origin relates to anything, else another origin.
fn suggestion(catalog: &Catalog, wanted: &Wanted<'_>) -> Option<String> {
    let (meant, instead) = if let Some(related) = catalog.relationships.get(wanted.origin) {
        let targets = related.iter().map(|candidate| candidate.to.name.as_str());
        let (score, meant) = fuzzy::closest(wanted.target, targets, fuzzy::LOOSELY_SIMILAR)?;
        // The target is right; what is wrong is the hint.
        (score < 1.0).then_some((meant, wanted.target))?
    } else {
        let origins = catalog.relationships.keys();
        let origins = origins.filter(|name| name.schema == wanted.origin.schema);
        let origin = wanted.origin.name.as_str();
        let names = origins.map(|name| name.name.as_str());
        let (_, meant) = fuzzy::closest(origin, names, fuzzy::LOOSELY_SIMILAR)?;
        (meant, origin)
    };
    Some(format!(
        "Perhaps you meant '{meant}' instead of '{instead}'."
    ))
}

/// The order in which candidates are shown.
fn rank(candidate: &Relationship) -> (QualifiedName, u8, String) {
    let (kind, name) = match &candidate.link {
        Link::OneToMany(key) => (0, &key.constraint),
        Link::ManyToOne(key) => (1, &key.constraint),
        Link::OneToOne { key, .. } => (2, &key.constraint),
        Link::ManyToMany(junction) => (3, &junction.relation.name),
        Link::Computed { function, .. } => (4, &function.name),
    };
    (candidate.to.clone(), kind, name.clone())
}

fn several(wanted: &Wanted<'_>, fitting: &[&Relationship]) -> Error {
    Error::AmbiguousRelationship {
        origin: wanted.origin.name.clone(),
        target: wanted.target.to_owned(),
        candidates: fitting
            .iter()
            .map(|candidate| describe(candidate))
            .collect(),
        alternatives: fitting
            .iter()
            .map(|candidate| alternative(candidate))
            .collect(),
    }
}

fn describe(candidate: &Relationship) -> Candidate {
    let (from, to) = (&candidate.from.name, &candidate.to.name);
    let (cardinality, relationship) = match &candidate.link {
        Link::ManyToOne(_) => ("many-to-one", describe_key(candidate)),
        Link::OneToMany(_) => ("one-to-many", describe_key(candidate)),
        Link::OneToOne { .. } => ("one-to-one", describe_key(candidate)),
        Link::ManyToMany(junction) => (
            "many-to-many",
            format!(
                "{} using {}({}) and {}({})",
                junction.relation.name,
                junction.from_constraint,
                list(junction.from_columns.iter().map(|(_, column)| column)),
                junction.to_constraint,
                list(junction.to_columns.iter().map(|(column, _)| column)),
            ),
        ),
        Link::Computed { function, .. } => ("computed", function.name.clone()),
    };
    Candidate {
        cardinality,
        embedding: format!("{from} with {to}"),
        relationship,
    }
}

fn describe_key(candidate: &Relationship) -> String {
    let Some(key) = candidate.link.key() else {
        return String::new();
    };
    format!(
        "{} using {}({}) and {}({})",
        key.constraint,
        candidate.from.name,
        list(key.columns.iter().map(|(near, _)| near)),
        candidate.to.name,
        list(key.columns.iter().map(|(_, far)| far)),
    )
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// How the embed can name this candidate alone.
fn alternative(candidate: &Relationship) -> String {
    let to = &candidate.to.name;
    match &candidate.link {
        Link::ManyToMany(junction) => format!("{to}!{}", junction.relation.name),
        Link::Computed { function, .. } => function.name.clone(),
        link => match link.key() {
            Some(key) => format!("{to}!{}", key.constraint),
            None => to.clone(),
        },
    }
}
