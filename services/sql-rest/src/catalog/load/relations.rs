//! Relations and their columns.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{
    rows::{ColumnRow, RelationRow},
    types::Types,
};
use crate::catalog::{Column, QualifiedName, Relation};

/// Names of columns by relation and number.
pub(super) type ColumnNames = HashMap<u32, HashMap<i16, String>>;

/// Names and types of columns by relation, in order.
pub(super) type ColumnTypes = HashMap<u32, IndexMap<String, String>>;

/// Names of the columns of exposed relations.
pub(super) fn names_of_columns(
    rows: &[ColumnRow],
    exposed: &HashMap<u32, QualifiedName>,
) -> ColumnNames {
    let mut names = ColumnNames::new();
    for row in rows
        .iter()
        .filter(|row| exposed.contains_key(&row.relation))
    {
        let of_relation = names.entry(row.relation).or_default();
        of_relation.insert(row.number, row.name.clone());
    }
    names
}

/// Names and types of all columns.
pub(super) fn types_of_columns(rows: &[ColumnRow], types: &Types) -> ColumnTypes {
    let mut found = ColumnTypes::new();
    for row in rows {
        let of_relation = found.entry(row.relation).or_default();
        of_relation.insert(row.name.clone(), types.display(row.type_oid));
    }
    found
}

/// The relations with everything that belongs to them.
pub(super) fn read(
    relations: Vec<RelationRow>,
    columns: Vec<ColumnRow>,
    mut primary_keys: HashMap<u32, Vec<String>>,
    types: &Types,
) -> HashMap<QualifiedName, Relation> {
    let mut by_relation: HashMap<u32, Vec<Column>> = HashMap::new();
    for row in columns {
        let of_relation = by_relation.entry(row.relation).or_default();
        of_relation.push(column(row, types));
    }
    let relation = |row: RelationRow| {
        let columns: IndexMap<String, Column> = by_relation
            .remove(&row.oid)
            .unwrap_or_default()
            .into_iter()
            .map(|column| (column.name.clone(), column))
            .collect();
        let mut primary_key = primary_keys.remove(&row.oid).unwrap_or_default();
        primary_key.sort_by_key(|name| columns.get_index_of(name));
        primary_key.dedup();
        let relation = Relation {
            description: row.description,
            columns,
            primary_key,
            is_view: row.is_view,
            insertable: row.insertable,
            updatable: row.updatable,
            deletable: row.deletable,
        };
        (row.name, relation)
    };
    relations.into_iter().map(relation).collect()
}

fn column(row: ColumnRow, types: &Types) -> Column {
    let declared = types.get(row.type_oid);
    let base = types.base(row.type_oid);
    let domain_default = declared
        .filter(|_| !row.is_generated)
        .and_then(|declared| declared.default.clone());
    Column {
        nullable: !row.not_null && !declared.is_some_and(|declared| declared.not_null),
        data_type: types.display(row.type_oid),
        base_type: base.map_or_else(String::new, |base| base.display.clone()),
        max_length: types.max_length(row.type_oid, row.modifier),
        default: row.default.or(domain_default),
        enum_labels: base.map_or_else(Vec::new, |base| base.enum_labels.clone()),
        name: row.name,
        description: row.description,
        nominal_type: row.nominal_type,
    }
}
