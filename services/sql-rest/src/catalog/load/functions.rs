//! Functions: those that can be called, and those that act as columns or relationships.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;

use super::{Exposure, relations::ColumnTypes, rows::FunctionRow, types::Types};
use crate::catalog::{
    ComputedColumn, Function, Link, Parameter, QualifiedName, Relationship, ReturnKind, Returns,
    Volatility,
};

/// A single parameter without a name may be of these types: it takes the whole body.
const BODY_TYPES: [&str; 5] = ["bytea", "json", "jsonb", "text", "xml"];

/// Types whose length a parameter's declaration does not keep, and what takes any length.
const WIDENED: [(&str, &str); 4] = [
    ("bit", "bit varying"),
    ("bit[]", "bit varying[]"),
    ("character", "character varying"),
    ("character[]", "character varying[]"),
];

/// What functions are good for.
#[derive(Debug, Default)]
pub(super) struct Functions {
    pub(super) callable: HashMap<QualifiedName, Vec<Function>>,
    pub(super) columns: HashMap<QualifiedName, BTreeMap<String, ComputedColumn>>,
    pub(super) relationships: Vec<Relationship>,
}

/// What functions are read against.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) types: &'a Types,
    pub(super) row_types: &'a RowTypes,
    pub(super) columns: &'a ColumnTypes,
    pub(super) exposure: &'a Exposure,
}

/// Exposed relations by the type of their rows; the flag tells views.
pub(super) type RowTypes = HashMap<u32, (QualifiedName, bool)>;

/// One input parameter.
struct Input {
    name: Option<String>,
    type_oid: u32,
    variadic: bool,
}

/// Sorts functions by what they are good for.
pub(super) fn read(rows: Vec<FunctionRow>, sources: &Sources<'_>) -> Functions {
    let Sources {
        types,
        row_types,
        exposure,
        ..
    } = sources;
    let mut functions = Functions::default();
    for row in rows {
        let inputs = inputs(&row);
        let exposed = exposure.schemas.contains(&row.name.schema);
        if let [input] = inputs.as_slice()
            && let Some(from) = row_types.get(&input.type_oid)
        {
            if let Some(to) = row_types.get(&row.returns).filter(|_| exposed) {
                functions.relationships.push(relationship(&row, from, to));
            }
            let found = row.name.schema == from.0.schema
                || exposure.extra_search_path.contains(&row.name.schema);
            if found && !row.returns_set {
                functions.add_column(&row, &from.0, types);
            }
        }
        if exposed && is_callable(&inputs, types) {
            let name = row.name.clone();
            let function = function(row, inputs, sources);
            functions.callable.entry(name).or_default().push(function);
        }
    }
    functions
}

impl Functions {
    /// A function in a schema that is searched earlier was added earlier and stays.
    fn add_column(&mut self, row: &FunctionRow, relation: &QualifiedName, types: &Types) {
        let columns = self.columns.entry(relation.clone()).or_default();
        let column = || ComputedColumn {
            function: row.name.clone(),
            data_type: types.display(row.returns),
        };
        columns.entry(row.name.name.clone()).or_insert_with(column);
    }
}

fn relationship(
    row: &FunctionRow,
    (from, from_is_view): &(QualifiedName, bool),
    (to, to_is_view): &(QualifiedName, bool),
) -> Relationship {
    Relationship {
        from: from.clone(),
        to: to.clone(),
        link: Link::Computed {
            function: row.name.clone(),
            to_one: !row.returns_set || row.expects_one_row,
        },
        is_self: from == to,
        from_is_view: *from_is_view,
        to_is_view: *to_is_view,
    }
}

fn inputs(row: &FunctionRow) -> Vec<Input> {
    let mode = |index: usize| row.modes.as_ref()?.get(index).copied();
    let name = |index: usize| row.names.as_ref()?.get(index).cloned();
    let input = |(index, type_oid): (usize, &u32)| {
        let mode = mode(index).unwrap_or('i');
        matches!(mode, 'i' | 'b' | 'v').then(|| Input {
            name: name(index),
            type_oid: *type_oid,
            variadic: mode == 'v',
        })
    };
    row.types.iter().enumerate().filter_map(input).collect()
}

/// Whether a request can give all arguments: by name, or as one body.
fn is_callable(inputs: &[Input], types: &Types) -> bool {
    let mut unnamed = inputs.iter().filter(|input| input.name.is_none());
    match (unnamed.next(), unnamed.next()) {
        (None, _) => true,
        (Some(input), None) => BODY_TYPES.contains(&types.display(input.type_oid).as_str()),
        (Some(_), Some(_)) => false,
    }
}

fn function(row: FunctionRow, inputs: Vec<Input>, sources: &Sources<'_>) -> Function {
    let Sources {
        types, exposure, ..
    } = sources;
    let required = inputs.len().saturating_sub(row.defaults);
    let parameter = |(index, input): (usize, Input)| Parameter {
        name: input.name.unwrap_or_default(),
        data_type: widened(types.display(input.type_oid)),
        required: index < required,
        variadic: input.variadic,
    };
    Function {
        oid: row.oid,
        parameters: inputs.into_iter().enumerate().map(parameter).collect(),
        returns: Returns {
            kind: return_kind(&row, types),
            is_set: row.returns_set,
            columns: result_columns(&row, sources),
        },
        volatility: match row.volatility {
            'i' => Volatility::Immutable,
            's' => Volatility::Stable,
            _ => Volatility::Volatile,
        },
        settings: row
            .settings
            .iter()
            .filter_map(|setting| setting.split_once('='))
            .filter(|(name, _)| {
                exposure
                    .hoisted_settings
                    .iter()
                    .any(|hoisted| hoisted == name)
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        description: row.description,
    }
}

fn return_kind(row: &FunctionRow, types: &Types) -> ReturnKind {
    let has_out = row
        .modes
        .as_ref()
        .is_some_and(|modes| modes.iter().any(|mode| matches!(mode, 't' | 'b' | 'o')));
    let declared = types.get(row.returns).and_then(|row| row.name.clone());
    let base = types.base(row.returns);
    match base
        .filter(|base| base.kind == 'c')
        .and_then(|base| base.name.clone())
    {
        Some(relation) => ReturnKind::Relation(relation),
        None if has_out => ReturnKind::Record,
        None if base.is_some_and(|base| base.display == "void") => ReturnKind::Void,
        None => ReturnKind::Scalar(declared.unwrap_or_else(|| QualifiedName {
            schema: "pg_catalog".to_owned(),
            name: types.display(row.returns),
        })),
    }
}

/// Columns of the result: those of its OUT parameters, or of its composite type.
fn result_columns(row: &FunctionRow, sources: &Sources<'_>) -> IndexMap<String, String> {
    let modes = row.modes.iter().flatten();
    let names = row.names.iter().flatten();
    let out: IndexMap<String, String> = modes
        .zip(names)
        .zip(&row.types)
        .filter(|((mode, _), _)| matches!(mode, 't' | 'b' | 'o'))
        .map(|((_, name), type_oid)| (name.clone(), sources.types.display(*type_oid)))
        .collect();
    if !out.is_empty() {
        return out;
    }
    let base = sources.types.base(row.returns);
    let columns = base.and_then(|base| sources.columns.get(&base.relation));
    columns.cloned().unwrap_or_default()
}

fn widened(data_type: String) -> String {
    let wide = WIDENED.iter().find(|(narrow, _)| *narrow == data_type);
    wide.map_or(data_type, |(_, wide)| (*wide).to_owned())
}
