//! Fills a [`Catalog`] from PostgreSQL's own catalogue.
//!
//! A handful of set-based queries, sent together, see one snapshot; everything that relates their
//! results is done here, on plain values, so that it can be tested without a database.

mod functions;
mod handlers;
mod relations;
mod relationships;
mod rows;
mod types;
mod views;

use std::collections::HashMap;

use common::postgres::{Connection, Failure, Param, Statement};

use self::{
    rows::{Malformed, Reader, Rows},
    types::Types,
};
use super::{Catalog, QualifiedName};

/// What part of the database is exposed.
#[derive(Clone, Debug, Default)]
pub struct Exposure {
    /// Schemas whose relations and functions clients can name.
    pub schemas: Vec<String>,
    /// Schemas that are searched for functions on rows and for views in between.
    pub extra_search_path: Vec<String>,
    /// Settings of functions that apply to the whole transaction.
    pub hoisted_settings: Vec<String>,
}

/// Why the catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] Failure),
    /// The database answered something unexpected.
    #[error("the database's catalogue is not understood: {0}")]
    Malformed(&'static str),
}

/// Takes in one row of a query.
type Take = fn(&mut Rows, &mut Reader<'_>) -> Result<(), Malformed>;

/// One snapshot for all queries, in which every name comes back qualified.
const BEGIN: &str = "begin isolation level repeatable read read only";
const QUALIFY_NAMES: &str = "select set_config('search_path', '', true)";
/// Fails when a schema does not exist: what is exposed by mistake must not look empty.
const FIND_SCHEMAS: &str =
    "select quote_ident(name)::regnamespace from unnest($1::text[] || $2::text[]) name";
const COMMIT: &str = "commit";

const QUERIES: [(&str, Take); 9] = [
    (include_str!("load/types.sql"), |rows, row| {
        row.push_to(&mut rows.types)
    }),
    (include_str!("load/relations.sql"), |rows, row| {
        row.push_to(&mut rows.relations)
    }),
    (include_str!("load/columns.sql"), |rows, row| {
        row.push_to(&mut rows.columns)
    }),
    (include_str!("load/keys.sql"), |rows, row| {
        row.push_to(&mut rows.keys)
    }),
    (include_str!("load/views.sql"), |rows, row| {
        row.push_to(&mut rows.views)
    }),
    (include_str!("load/functions.sql"), |rows, row| {
        row.push_to(&mut rows.functions)
    }),
    (include_str!("load/casts.sql"), |rows, row| {
        row.push_to(&mut rows.casts)
    }),
    (include_str!("load/schemas.sql"), |rows, row| {
        row.push_to(&mut rows.schemas)
    }),
    (include_str!("load/handlers.sql"), |rows, row| {
        row.push_to(&mut rows.handlers)
    }),
];

/// Statements before the first query.
const LEAD: usize = 3;

/// Reads what `exposure` lets clients see, over `connection`.
pub async fn load(connection: &mut Connection, exposure: &Exposure) -> Result<Catalog, LoadError> {
    let schemas = array_literal(&exposure.schemas);
    let extra = array_literal(&exposure.extra_search_path);
    let both = [
        Param::Text(schemas.as_bytes()),
        Param::Text(extra.as_bytes()),
    ];
    let params = |sql: &str| {
        let count = ["$1", "$2"]
            .iter()
            .filter(|name| sql.contains(**name))
            .count();
        both.get(..count).unwrap_or_default()
    };
    let mut batch = vec![
        Statement::once(BEGIN, &[]),
        Statement::once(QUALIFY_NAMES, &[]),
        Statement::once(FIND_SCHEMAS, &both),
    ];
    batch.extend(QUERIES.map(|(sql, _)| Statement::once(sql, params(sql))));
    batch.push(Statement::once(COMMIT, &[]));

    let mut rows = Rows::default();
    let mut malformed = None;
    connection
        .run_each(&batch, |statement, row| {
            let query = statement
                .checked_sub(LEAD)
                .and_then(|index| QUERIES.get(index));
            if let Some((_, take)) = query
                && let Err(Malformed(what)) = take(&mut rows, &mut Reader::new(&row))
            {
                malformed.get_or_insert(what);
            }
        })
        .await?;
    if let Some(what) = malformed {
        return Err(LoadError::Malformed(what));
    }
    // Relating thousands of tables takes a while, in which this thread is to answer requests.
    let exposure = exposure.clone();
    let assembled = tokio::task::spawn_blocking(move || assemble(rows, &exposure)).await;
    assembled.map_err(|_| LoadError::Malformed("its parts do not fit together"))
}

fn assemble(rows: Rows, exposure: &Exposure) -> Catalog {
    let types = Types::new(rows.types);
    let origins = views::resolve(&rows.views);
    let names: HashMap<u32, QualifiedName> = rows
        .relations
        .iter()
        .map(|relation| (relation.oid, relation.name.clone()))
        .collect();
    let views = rows.relations.iter().filter(|relation| relation.is_view);
    let views = views.map(|relation| relation.oid).collect();
    let row_types = rows
        .relations
        .iter()
        .map(|relation| (relation.row_type, (relation.name.clone(), relation.is_view)))
        .collect();
    let columns = relations::names_of_columns(&rows.columns, &names);
    let sources = functions::Sources {
        types: &types,
        row_types: &row_types,
        columns: &relations::types_of_columns(&rows.columns, &types),
        exposure,
    };
    let functions = functions::read(rows.functions, &sources);
    let known = relationships::Known {
        names: &names,
        columns: &columns,
        views: &views,
        origins: &origins,
    };
    let primary_keys = relationships::primary_keys(&rows.keys, &known);
    let relationships =
        relationships::all(&rows.keys, &primary_keys, &known, &functions.relationships);
    Catalog {
        relations: relations::read(rows.relations, rows.columns, primary_keys, &types),
        relationships,
        functions: functions.callable,
        computed_columns: functions.columns,
        media_handlers: handlers::read(rows.handlers),
        representations: types::representations(rows.casts),
        schema_descriptions: rows.schemas.into_iter().collect(),
    }
}

/// `items` as PostgreSQL writes an array of text.
fn array_literal(items: &[String]) -> String {
    let quoted: Vec<String> = items
        .iter()
        .map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_names_of_any_kind_fit_an_array() {
        let items = [r#"a"b\c"#.to_owned(), "x,y".to_owned()];
        assert_eq!(array_literal(&items), r#"{"a\"b\\c","x,y"}"#);
        assert_eq!(array_literal(&[]), "{}");
    }
}
