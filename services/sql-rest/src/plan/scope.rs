//! The names that mean something in one place of a read.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::node::{Base, Comparison, Shown, Value};
use crate::{
    catalog::{Catalog, ComputedColumn, QualifiedName, Relation, Representation},
    error::Error,
    fuzzy,
    request::{
        field::Field,
        filter::{Filter, Operation, Operator},
        select::{Aggregate, AggregateFunction, SelectColumn},
    },
};

/// Columns every table has without declaring them.
const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// The names that mean something in one place of a read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    catalog: &'a Catalog,
    relation: Option<&'a Relation>,
    /// Columns of a function's result, where they are no relation's.
    result: Option<&'a IndexMap<String, String>>,
    computed: Option<&'a BTreeMap<String, ComputedColumn>>,
    /// What the place is called in messages.
    shown_as: &'a str,
    /// Whether the rows are those of the write or call the statement begins with.
    from_source: bool,
    /// Whether there is a value and no row.
    is_value: bool,
}

/// A column as it was found.
struct Found<'a> {
    base: Base,
    /// Type with domains kept.
    data_type: &'a str,
    /// Type below all domains.
    base_type: &'a str,
}

impl<'a> Scope<'a> {
    /// The names of a relation.
    pub(super) fn of_relation(
        catalog: &'a Catalog,
        name: &QualifiedName,
        shown_as: &'a str,
    ) -> Self {
        Self {
            catalog,
            relation: catalog.relations.get(name),
            result: None,
            computed: catalog.computed_columns.get(name),
            shown_as,
            from_source: false,
            is_value: false,
        }
    }

    /// The same names, but of rows a write or call gives.
    pub(super) fn after_source(self) -> Self {
        Self {
            from_source: true,
            ..self
        }
    }

    /// The same names and those of a function's result.
    pub(super) fn with_result(self, result: &'a IndexMap<String, String>) -> Self {
        Self {
            result: Some(result),
            ..self
        }
    }

    /// No names: there is a value and no row.
    pub(super) fn of_value(self) -> Self {
        Self {
            relation: None,
            result: None,
            computed: None,
            is_value: true,
            ..self
        }
    }

    /// Names of all columns, when they are known.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'a str> + Clone {
        let own = self
            .relation
            .into_iter()
            .flat_map(|relation| relation.columns.keys());
        let result = match self.relation {
            Some(_) => None,
            None => self.result,
        };
        own.chain(result.into_iter().flat_map(IndexMap::keys))
            .map(String::as_str)
    }

    /// Whether a column of this name is known.
    pub(super) fn has_column(&self, name: &str) -> bool {
        self.columns().any(|column| column == name)
            || self
                .computed
                .is_some_and(|computed| computed.contains_key(name))
    }

    /// Whether this is a function of the row.
    pub(super) fn is_computed(&self, name: &str) -> bool {
        self.relation
            .is_none_or(|relation| !relation.columns.contains_key(name))
            && self
                .computed
                .is_some_and(|computed| computed.contains_key(name))
    }

    /// Whether any column has a JSON form of its own.
    pub(super) fn has_representations(&self) -> bool {
        !self.catalog.representations.is_empty()
            && self.relation.is_some_and(|relation| {
                relation.columns.values().any(|column| {
                    self.representation(&column.data_type)
                        .is_some_and(|representation| representation.to_json.is_some())
                })
            })
    }

    fn representation(&self, data_type: &str) -> Option<&'a Representation> {
        self.catalog.representations.get(data_type)
    }

    fn find(&self, name: &str) -> Result<Found<'a>, Error> {
        if let Some(column) = self
            .relation
            .and_then(|relation| relation.columns.get(name))
        {
            return Ok(Found {
                base: Base::Column(column.name.clone()),
                data_type: &column.data_type,
                base_type: &column.base_type,
            });
        }
        if let Some((name, data_type)) = self.result.and_then(|result| result.get_key_value(name)) {
            return Ok(Found {
                base: Base::Column(name.clone()),
                data_type,
                base_type: data_type,
            });
        }
        if let Some(column) = self.computed.and_then(|computed| computed.get(name)) {
            // A write or call has already computed it.
            let base = if self.from_source {
                Base::Column(name.to_owned())
            } else {
                Base::Computed(column.function.clone())
            };
            return Ok(Found {
                base,
                data_type: &column.data_type,
                base_type: &column.data_type,
            });
        }
        self.find_undeclared(name)
    }

    /// System columns, and whatever a result nothing is known about may have.
    fn find_undeclared(&self, name: &str) -> Result<Found<'a>, Error> {
        let is_known = self.is_value
            || self.relation.is_some()
            || self.result.is_some_and(|result| !result.is_empty());
        if is_known && !SYSTEM_COLUMNS.contains(&name) {
            return Err(self.undefined(name));
        }
        Ok(Found {
            base: Base::Column(name.to_owned()),
            data_type: "",
            base_type: "",
        })
    }

    /// The error of a column there is not.
    pub(super) fn undefined(&self, name: &str) -> Error {
        // PostgreSQL suggests names that differ by few letters and less than half.
        let similar = fuzzy::closest(name, self.columns(), 0.5);
        Error::UndefinedColumn {
            relation: self.shown_as.to_owned(),
            column: name.to_owned(),
            similar: similar.map(|(_, column)| column.to_owned()),
        }
    }

    /// Where a column is.
    pub(super) fn base(&self, name: &str) -> Result<Base, Error> {
        self.find(name).map(|found| found.base)
    }

    /// A value that is compared or ordered by.
    pub(super) fn value(&self, field: &Field) -> Result<Value, Error> {
        let found = self.find(&field.name)?;
        Ok(value(found.base, field, found.base_type))
    }

    /// A value that is shown.
    pub(super) fn shown(&self, column: &SelectColumn) -> Result<Shown, Error> {
        let SelectColumn {
            alias,
            field,
            cast,
            aggregate,
        } = column;
        if field.is_star() {
            return Ok(Shown {
                value: value(Base::Star, field, ""),
                format: None,
                cast: cast.clone(),
                aggregate: aggregate.clone(),
                name: alias.clone(),
            });
        }
        if field.name == "count" && field.path.is_empty() && !self.has_column("count") {
            return Ok(legacy_count(column));
        }
        let found = self.find(&field.name)?;
        let format = self
            .representation(found.data_type)
            .and_then(|representation| representation.to_json.clone())
            // What is summed up is the value itself.
            .filter(|_| field.path.is_empty() && aggregate.is_none());
        let needs_name =
            format.is_some() || cast.is_some() || matches!(found.base, Base::Computed(_));
        let name = match (alias, field.path_name()) {
            (Some(alias), _) => Some(alias.clone()),
            (None, _) if aggregate.is_some() => None,
            (None, Some(member)) => Some(member.to_owned()),
            (None, None) => needs_name.then(|| field.name.clone()),
        };
        Ok(Shown {
            value: value(found.base, field, found.base_type),
            format,
            cast: cast.clone(),
            aggregate: aggregate.clone(),
            name,
        })
    }

    /// Every column, each by itself.
    pub(super) fn all_shown(&self) -> Result<Vec<Shown>, Error> {
        self.columns()
            .map(|name| {
                self.shown(&SelectColumn {
                    alias: None,
                    field: Field::column(name),
                    cast: None,
                    aggregate: None,
                })
            })
            .collect()
    }

    /// A comparison.
    pub(super) fn comparison(&self, filter: &Filter) -> Result<Comparison, Error> {
        let found = self.find(&filter.field.name)?;
        let searches = matches!(filter.operation, Operation::FullText { .. });
        let parse = self
            .representation(found.data_type)
            .filter(|_| !is_pattern(&filter.operation))
            .and_then(|representation| representation.from_text.clone());
        Ok(Comparison {
            to_tsvector: searches && found.base_type != "tsvector",
            value: value(found.base, &filter.field, found.base_type),
            negated: filter.negated,
            operation: filter.operation.clone(),
            parse,
        })
    }
}

/// Whether what is compared with is a pattern, which is no value of the column's type.
fn is_pattern(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Compare {
            operator: Operator::Like | Operator::Ilike,
            ..
        }
    )
}

/// `count` without parentheses, where it is no column, counts rows as it always did.
fn legacy_count(column: &SelectColumn) -> Shown {
    Shown {
        value: value(Base::Star, &Field::column("*"), ""),
        format: None,
        cast: None,
        aggregate: Some(Aggregate {
            function: AggregateFunction::Count,
            cast: column.cast.clone(),
        }),
        name: Some(column.alias.clone().unwrap_or_else(|| "count".to_owned())),
    }
}

fn value(base: Base, field: &Field, base_type: &str) -> Value {
    Value {
        base,
        to_jsonb: !field.path.is_empty() && !matches!(base_type, "json" | "jsonb"),
        path: field.path.clone(),
    }
}
