//! How relations reach each other: foreign keys, seen from both ends, through views and through
//! junctions.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use super::{
    relations::ColumnNames,
    rows::{KeyKind, KeyRow},
    views::{Origins, Shown},
};
use crate::catalog::{ForeignKey, Junction, Link, QualifiedName, Relationship};

/// What is known about the exposed relations.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) names: &'a HashMap<u32, QualifiedName>,
    pub(super) columns: &'a ColumnNames,
    pub(super) views: &'a HashSet<u32>,
    pub(super) origins: &'a Origins,
}

/// A relation at one end of a foreign key, with the columns it shows of the key.
#[derive(Clone, Debug)]
struct End {
    relation: u32,
    columns: Vec<String>,
}

/// A relationship whose start holds the foreign key.
#[derive(Clone, Debug)]
struct ToOne {
    from: u32,
    to: u32,
    key: ForeignKey,
    is_unique: bool,
}

/// The primary keys of relations: their own, or those that views show entirely.
pub(super) fn primary_keys(keys: &[KeyRow], known: &Known<'_>) -> HashMap<u32, Vec<String>> {
    let mut found: HashMap<u32, Vec<String>> = HashMap::new();
    for key in keys.iter().filter(|key| key.kind == KeyKind::Primary) {
        if let Some(columns) = known.own_columns(key.relation, &key.columns) {
            found.insert(key.relation, columns);
        }
        for (view, shown) in known.origins.get(&key.relation).into_iter().flatten() {
            let first = |column: &i16| shown.get(column)?.first().copied();
            let numbers: Option<Vec<i16>> = key.columns.iter().map(first).collect();
            let columns = numbers.and_then(|numbers| known.own_columns(*view, &numbers));
            found
                .entry(*view)
                .or_default()
                .extend(columns.into_iter().flatten());
        }
    }
    found
}

/// All relationships by where they start. Computed ones take the place of those found between the
/// same relations. A relation that is related through hidden junctions alone is listed with none.
pub(super) fn all(
    keys: &[KeyRow],
    primary_keys: &HashMap<u32, Vec<String>>,
    known: &Known<'_>,
    computed: &[Relationship],
) -> HashMap<QualifiedName, Vec<Relationship>> {
    let unique: HashSet<(u32, Vec<i16>)> = keys
        .iter()
        .filter(|key| key.kind != KeyKind::Foreign)
        .map(|key| (key.relation, sorted(&key.columns)))
        .collect();
    let to_one: Vec<ToOne> = keys
        .iter()
        .filter(|key| key.kind == KeyKind::Foreign)
        .flat_map(|key| {
            let is_unique = unique.contains(&(key.relation, sorted(&key.columns)));
            known.ends_of(key, is_unique)
        })
        .collect();
    let junctions = many_to_many(&to_one, primary_keys, known);
    let direct = to_one.iter().flat_map(|rel| known.both_ways(rel));
    let overridden: HashSet<(QualifiedName, QualifiedName)> = computed
        .iter()
        .filter_map(|relationship| match &relationship.link {
            Link::Computed { function, .. } => Some((relationship.from.clone(), function.clone())),
            _ => None,
        })
        .collect();
    let detected = direct.chain(junctions).filter(|relationship| {
        let ends = (relationship.from.clone(), relationship.to.clone());
        !overridden.contains(&ends)
    });
    let mut found: HashMap<QualifiedName, Vec<Relationship>> = HashMap::new();
    for name in related_in_hiding(keys, known) {
        found.entry(name).or_default();
    }
    for relationship in detected.chain(computed.iter().cloned()) {
        let from = found.entry(relationship.from.clone()).or_default();
        from.push(relationship);
    }
    for relationships in found.values_mut() {
        relationships.sort_by_cached_key(order);
    }
    found
}

impl Known<'_> {
    /// Every pair of exposed relations that the ends of a foreign key show up in.
    fn ends_of(&self, key: &KeyRow, is_unique: bool) -> Vec<ToOne> {
        let starts = self.showing(key.relation, &key.columns);
        let targets = self.showing(key.target, &key.target_columns);
        let pair = |start: &End, target: &End| ToOne {
            from: start.relation,
            to: target.relation,
            key: ForeignKey {
                constraint: key.constraint.clone(),
                columns: start
                    .columns
                    .iter()
                    .cloned()
                    .zip(target.columns.iter().cloned())
                    .collect(),
            },
            is_unique,
        };
        starts
            .iter()
            .flat_map(|start| targets.iter().map(move |target| pair(start, target)))
            .collect()
    }

    /// The relation itself and the views that show all these columns of it, in every way they do.
    fn showing(&self, relation: u32, columns: &[i16]) -> Vec<End> {
        let own = self
            .own_columns(relation, columns)
            .map(|columns| End { relation, columns });
        let through_views = self.origins.get(&relation).into_iter().flatten();
        let in_views = through_views.flat_map(|(view, shown)| {
            let ways = ways_to_show(columns, shown);
            ways.into_iter().filter_map(|numbers| {
                let columns = self.own_columns(*view, &numbers)?;
                Some(End {
                    relation: *view,
                    columns,
                })
            })
        });
        own.into_iter().chain(in_views).collect()
    }

    /// Names of columns of an exposed relation; `None` when it is not exposed.
    fn own_columns(&self, relation: u32, numbers: &[i16]) -> Option<Vec<String>> {
        let names = self.columns.get(&relation)?;
        numbers
            .iter()
            .map(|number| names.get(number).cloned())
            .collect()
    }

    fn both_ways(&self, rel: &ToOne) -> Vec<Relationship> {
        let swapped = ForeignKey {
            constraint: rel.key.constraint.clone(),
            columns: swap(&rel.key.columns),
        };
        let (forth, back) = if rel.is_unique {
            let one_to_one = |key, from_holds_key| Link::OneToOne {
                key,
                from_holds_key,
            };
            (
                one_to_one(rel.key.clone(), true),
                one_to_one(swapped, false),
            )
        } else {
            (Link::ManyToOne(rel.key.clone()), Link::OneToMany(swapped))
        };
        let forth = self.relationship(rel.from, rel.to, forth);
        let back = self.relationship(rel.to, rel.from, back);
        forth.into_iter().chain(back).collect()
    }

    fn relationship(&self, from: u32, to: u32, link: Link) -> Option<Relationship> {
        Some(Relationship {
            from: self.names.get(&from)?.clone(),
            to: self.names.get(&to)?.clone(),
            link,
            is_self: from == to,
            from_is_view: self.views.contains(&from),
            to_is_view: self.views.contains(&to),
        })
    }
}

/// Relations connected by a third one whose primary key contains the columns of both foreign keys.
fn many_to_many(
    to_one: &[ToOne],
    primary_keys: &HashMap<u32, Vec<String>>,
    known: &Known<'_>,
) -> Vec<Relationship> {
    let in_primary_key = |rel: &ToOne| {
        primary_keys.get(&rel.from).is_some_and(|columns| {
            let mut own = rel.key.columns.iter().map(|(own, _)| own);
            own.all(|column| columns.contains(column))
        })
    };
    let mut by_junction: HashMap<u32, Vec<&ToOne>> = HashMap::new();
    for rel in to_one
        .iter()
        .filter(|rel| !rel.is_unique && in_primary_key(rel))
    {
        by_junction.entry(rel.from).or_default().push(rel);
    }
    let mut found = Vec::new();
    for (junction, rels) in by_junction {
        let Some(name) = known.names.get(&junction) else {
            continue;
        };
        for (first, second) in pairs(&rels) {
            let link = Link::ManyToMany(Junction {
                relation: name.clone(),
                from_constraint: first.key.constraint.clone(),
                to_constraint: second.key.constraint.clone(),
                from_columns: swap(&first.key.columns),
                to_columns: second.key.columns.clone(),
            });
            found.extend(known.relationship(first.to, second.to, link));
        }
    }
    found
}

/// Relations at the ends of junctions that are not exposed.
fn related_in_hiding(keys: &[KeyRow], known: &Known<'_>) -> HashSet<QualifiedName> {
    let primary: HashMap<u32, &[i16]> = keys
        .iter()
        .filter(|key| key.kind == KeyKind::Primary)
        .map(|key| (key.relation, key.columns.as_slice()))
        .collect();
    let mut ends: HashMap<u32, Vec<&KeyRow>> = HashMap::new();
    for key in keys {
        let is_hidden = !known.names.contains_key(&key.relation);
        let in_primary_key = primary
            .get(&key.relation)
            .is_some_and(|columns| key.columns.iter().all(|column| columns.contains(column)));
        if key.kind == KeyKind::Foreign && is_hidden && in_primary_key {
            ends.entry(key.relation).or_default().push(key);
        }
    }
    ends.into_values()
        .filter(|keys| keys.len() > 1)
        .flatten()
        .flat_map(|key| known.showing(key.target, &key.target_columns))
        .filter_map(|end| known.names.get(&end.relation).cloned())
        .collect()
}

/// Every ordered pair of different constraints.
fn pairs<'a>(rels: &'a [&'a ToOne]) -> impl Iterator<Item = (&'a ToOne, &'a ToOne)> {
    rels.iter().flat_map(move |first| {
        let others = rels.iter();
        let others = others.filter(|second| first.key.constraint != second.key.constraint);
        others.map(|second| (*first, *second))
    })
}

/// Each choice of one column of the view for each of the columns.
fn ways_to_show(columns: &[i16], shown: &Shown) -> Vec<Vec<i16>> {
    columns.iter().fold(vec![Vec::new()], |ways, column| {
        let choices = shown.get(column).map(Vec::as_slice).unwrap_or_default();
        let extend = |way: Vec<i16>| {
            let longer = move |choice: &i16| way.iter().copied().chain([*choice]).collect();
            choices.iter().map(longer).collect::<Vec<_>>()
        };
        ways.into_iter().flat_map(extend).collect()
    })
}

fn swap(columns: &[(String, String)]) -> Vec<(String, String)> {
    let swapped = columns.iter().map(|(a, b)| (b.clone(), a.clone()));
    swapped.collect()
}

fn sorted(columns: &[i16]) -> Vec<i16> {
    let mut columns = columns.to_vec();
    columns.sort_unstable();
    columns
}

/// The order in which several relationships are listed.
fn order(relationship: &Relationship) -> (QualifiedName, u8, String, String) {
    let (rank, first, second) = match &relationship.link {
        Link::OneToMany(key) => (0, key.constraint.clone(), columns_text(&key.columns)),
        Link::ManyToOne(key) => (1, key.constraint.clone(), columns_text(&key.columns)),
        Link::OneToOne { key, .. } => (2, key.constraint.clone(), columns_text(&key.columns)),
        Link::ManyToMany(junction) => (
            3,
            junction.relation.name.clone(),
            format!("{} {}", junction.from_constraint, junction.to_constraint),
        ),
        Link::Computed { function, .. } => (4, function.name.clone(), String::new()),
    };
    (relationship.to.clone(), rank, first, second)
}

fn columns_text(columns: &[(String, String)]) -> String {
    let pairs = columns.iter().map(|(a, b)| format!("{a} {b}"));
    pairs.collect::<Vec<_>>().join(" ")
}
