//! The catalogue as JSON, for those who wonder what the service knows.

use serde_json::{Map, Value, json};

use crate::catalog::{
    Catalog, Column, Function, Link, QualifiedName, Relation, Relationship, ReturnKind, Volatility,
};

/// Everything that is known; tables, relationships and functions are lists of pairs by name.
pub(super) fn dump(catalog: &Catalog) -> Value {
    json!({
        "dbTables": sorted(&catalog.relations, |relation, named| table(named, relation)),
        "dbRelationships": sorted(&catalog.relationships, |all, _| {
            all.iter().map(relationship).collect()
        }),
        "dbRoutines": sorted(&catalog.functions, |overloads, named| {
            overloads.iter().map(|function| routine(named, function)).collect()
        }),
    })
}

fn sorted<T>(
    things: &std::collections::HashMap<QualifiedName, T>,
    write: impl Fn(&T, &QualifiedName) -> Value,
) -> Vec<Value> {
    let mut all: Vec<_> = things.iter().collect();
    all.sort_unstable_by_key(|(named, _)| *named);
    all.into_iter()
        .map(|(named, thing)| json!([name(named), write(thing, named)]))
        .collect()
}

fn name(name: &QualifiedName) -> Value {
    json!({ "qiName": name.name, "qiSchema": name.schema })
}

fn table(named: &QualifiedName, relation: &Relation) -> Value {
    let columns: Map<String, Value> = relation
        .columns
        .iter()
        .map(|(name, described)| (name.clone(), column(described)))
        .collect();
    json!({
        "tableName": named.name,
        "tableSchema": named.schema,
        "tableDescription": relation.description,
        "tableIsView": relation.is_view,
        "tableInsertable": relation.insertable,
        "tableUpdatable": relation.updatable,
        "tableDeletable": relation.deletable,
        "tablePKCols": relation.primary_key,
        "tableColumns": columns,
    })
}

fn column(column: &Column) -> Value {
    json!({
        "colName": column.name,
        "colDescription": column.description,
        "colNullable": column.nullable,
        "colType": column.data_type,
        "colNominalType": column.nominal_type,
        "colMaxLen": column.max_length,
        "colDefault": column.default,
        "colEnum": column.enum_labels,
    })
}

fn relationship(relationship: &Relationship) -> Value {
    let cardinality = match &relationship.link {
        Link::ManyToOne(_) => "M2O",
        Link::OneToMany(_) => "O2M",
        Link::OneToOne { .. } => "O2O",
        Link::ManyToMany(_) => "M2M",
        Link::Computed { .. } => "Computed",
    };
    let key = relationship.link.key();
    json!({
        "relTable": name(&relationship.from),
        "relForeignTable": name(&relationship.to),
        "relIsSelf": relationship.is_self,
        "relTableIsView": relationship.from_is_view,
        "relFTableIsView": relationship.to_is_view,
        "relCardinality": cardinality,
        "relConstraint": key.map(|key| &key.constraint),
        "relColumns": key.map(|key| &key.columns),
    })
}

fn routine(named: &QualifiedName, function: &Function) -> Value {
    let parameter = |parameter: &crate::catalog::Parameter| {
        json!({
            "ppName": parameter.name,
            "ppType": parameter.data_type,
            "ppReq": parameter.required,
            "ppVar": parameter.variadic,
        })
    };
    let returns = match &function.returns.kind {
        ReturnKind::Void => json!("void"),
        ReturnKind::Scalar(of) | ReturnKind::Relation(of) => name(of),
        ReturnKind::Record => json!("record"),
    };
    json!({
        "pdName": named.name,
        "pdSchema": named.schema,
        "pdDescription": function.description,
        "pdParams": function.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "pdReturnType": returns,
        "pdReturnsSet": function.returns.is_set,
        "pdVolatility": match function.volatility {
            Volatility::Immutable => "Immutable",
            Volatility::Stable => "Stable",
            Volatility::Volatile => "Volatile",
        },
        "pdFuncSettings": function.settings,
    })
}
