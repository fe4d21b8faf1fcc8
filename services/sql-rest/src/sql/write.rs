//! Inserts, updates and deletes.

use bytes::Bytes;

use super::{
    read::limit,
    value::{base, direction, plain_conditions, value},
    writer::Writer,
};
use crate::{
    payload::Content,
    plan::{
        pick::Pick,
        write::{BodyColumn, Needs, Write, WriteKind},
    },
    request::prefer::Resolution,
};

/// What the rows of the body are called.
const BODY: &str = "pgrst_body";

/// The write, giving what is needed of the rows written. `alias` is what those are called.
pub(super) fn write(sql: &mut Writer, write: &Write, alias: &str) {
    match write.kind {
        WriteKind::Insert { .. } | WriteKind::Upsert => insert(sql, write, alias),
        WriteKind::Update if write.columns.is_empty() => nothing(sql, write, alias),
        WriteKind::Update => update(sql, write, alias),
        WriteKind::Delete => {
            sql.push("delete from ")
                .qualified(&write.relation)
                .push(" as ")
                .ident(alias);
            filter(sql, write, alias);
            returning(sql, &write.returning, alias);
        }
    }
}

/// An update of no columns: no rows, but the columns rows would have.
fn nothing(sql: &mut Writer, write: &Write, alias: &str) {
    sql.push("select ");
    needs(sql, &write.returning, alias);
    sql.push(" from ")
        .qualified(&write.relation)
        .push(" as ")
        .ident(alias)
        .push(" where false");
}

fn insert(sql: &mut Writer, write: &Write, alias: &str) {
    sql.push("insert into ")
        .qualified(&write.relation)
        .push(" as ")
        .ident(alias);
    if !write.columns.is_empty() {
        sql.push(" (");
        sql.separated(", ", &write.columns, |sql, column| {
            sql.ident(&column.name);
        });
        sql.push(")");
    }
    sql.push(" select ");
    sql.separated(", ", &write.columns, |sql, column| {
        sql.member(BODY, &column.name);
    });
    sql.push(" from ");
    body(sql, write);
    if counts_new(write) {
        sql.push(" where ").push(ONE_MORE);
        if !write.conditions.is_empty() {
            sql.push(" and ");
            plain_conditions(sql, BODY, &write.conditions, &|_, _| {});
        }
    }
    on_conflict(sql, write);
    returning(sql, &write.returning, alias);
}

/// Whether the answer depends on how many rows were new.
pub(super) fn counts_new(write: &Write) -> bool {
    !write.on_conflict.is_empty()
        && matches!(
            write.kind,
            WriteKind::Upsert
                | WriteKind::Insert {
                    resolution: Some(Resolution::MergeDuplicates)
                }
        )
}

/// True, and one more row counted as new.
const ONE_MORE: &str = "set_config('pgrst.inserted', \
     (coalesce(nullif(current_setting('pgrst.inserted', true), '')::int4, 0) + 1)::text, true) <> '0'";

/// True, and one row less counted as new.
const ONE_LESS: &str = "set_config('pgrst.inserted', \
     (coalesce(nullif(current_setting('pgrst.inserted', true), '')::int4, 0) - 1)::text, true) <> '-1'";

fn on_conflict(sql: &mut Writer, write: &Write) {
    if write.on_conflict.is_empty() {
        return;
    }
    sql.push(" on conflict (");
    sql.separated(", ", &write.on_conflict, |sql, name| {
        sql.ident(name);
    });
    sql.push(") do ");
    if !counts_new(write) || write.columns.is_empty() {
        sql.push("nothing");
        return;
    }
    sql.push("update set ");
    sql.separated(", ", &write.columns, |sql, column| {
        sql.ident(&column.name)
            .push(" = ")
            .member("excluded", &column.name);
    });
    sql.push(" where ").push(ONE_LESS);
}

fn update(sql: &mut Writer, write: &Write, alias: &str) {
    sql.push("update ")
        .qualified(&write.relation)
        .push(" as ")
        .ident(alias)
        .push(" set ");
    sql.separated(", ", &write.columns, |sql, column| {
        sql.ident(&column.name)
            .push(" = ")
            .member(BODY, &column.name);
    });
    sql.push(" from ");
    body(sql, write);
    filter(sql, write, alias);
    returning(sql, &write.returning, alias);
}

fn filter(sql: &mut Writer, write: &Write, alias: &str) {
    if !write.conditions.is_empty() {
        sql.push(" where ");
        plain_conditions(sql, alias, &write.conditions, &|_, _| {});
    }
    if let Some(pick) = &write.pick {
        // What was picked may have changed by the time it is written, so the conditions stay.
        sql.push(if write.conditions.is_empty() {
            " where "
        } else {
            " and "
        });
        picked(sql, write, pick, alias);
    }
}

/// Whether a row is among those picked.
fn picked(sql: &mut Writer, write: &Write, pick: &Pick, alias: &str) {
    let key = |sql: &mut Writer| {
        sql.separated(", ", &pick.key, |sql, name| {
            sql.member(alias, name);
        });
    };
    sql.push("(");
    key(sql);
    sql.push(") in (select ");
    key(sql);
    sql.push(" from ")
        .qualified(&write.relation)
        .push(" as ")
        .ident(alias);
    if !write.conditions.is_empty() {
        sql.push(" where ");
        plain_conditions(sql, alias, &write.conditions, &|_, _| {});
    }
    sql.push(" order by ");
    sql.separated(", ", &pick.order, |sql, order| {
        value(sql, alias, &order.value);
        direction(sql, order);
    });
    limit(sql, pick.range);
    sql.push(")");
}

fn returning(sql: &mut Writer, returning: &Needs, alias: &str) {
    sql.push(" returning ");
    needs(sql, returning, alias);
}

/// Values that are needed afterwards.
pub(super) fn needs(sql: &mut Writer, needs: &Needs, alias: &str) {
    if !needs.star && needs.values.is_empty() {
        // There has to be something for rows to be counted.
        sql.push("1 as \"rest_nothing\"");
        return;
    }
    if needs.star {
        sql.ident(alias).push(".*");
        if !needs.values.is_empty() {
            sql.push(", ");
        }
    }
    sql.separated(", ", &needs.values, |sql, (name, value)| {
        base(sql, alias, value);
        sql.push(" as ").ident(name);
    });
}

/// The rows of the body.
fn body(sql: &mut Writer, write: &Write) {
    let (bytes, is_array) = match &write.body {
        Content::Array(bytes) => (bytes.clone(), true),
        Content::Object(bytes) | Content::Raw(bytes) => (bytes.clone(), false),
        Content::None | Content::Form(_) => (Bytes::from_static(b"{}"), false),
    };
    if write.columns.is_empty() {
        empty_rows(sql, &bytes, is_array);
        return;
    }
    let parses = write.columns.iter().any(|column| column.parse.is_some());
    if parses {
        sql.push("(select ");
        sql.separated(", ", &write.columns, parsed);
        sql.push(" from ");
    }
    if write.fills_defaults {
        rows_with_defaults(sql, write, &bytes, is_array);
    } else {
        let function = if is_array {
            "json_to_recordset("
        } else {
            "json_to_record("
        };
        sql.push(function).bind_body(&bytes).push("::json)");
    }
    sql.push(" as ").ident(BODY).push("(");
    sql.separated(", ", &write.columns, |sql, column| {
        sql.ident(&column.name)
            .push(" ")
            .catalog_sql(&column.data_type);
    });
    sql.push(")");
    if parses {
        sql.push(") as ").ident(BODY);
    }
}

fn parsed(sql: &mut Writer, column: &BodyColumn) {
    match &column.parse {
        Some(function) => sql
            .qualified(function)
            .push("(")
            .member(BODY, &column.name)
            .push(") as ")
            .ident(&column.name),
        None => sql.member(BODY, &column.name),
    };
}

/// Rows that give nothing: one, or as many as the array has elements.
fn empty_rows(sql: &mut Writer, bytes: &Bytes, is_array: bool) {
    if is_array {
        sql.push("json_array_elements(")
            .bind_body(bytes)
            .push("::json)");
    } else {
        sql.push("(values (1))");
    }
    sql.push(" as ").ident(BODY);
}

/// The body with defaults for what its rows do not give.
fn rows_with_defaults(sql: &mut Writer, write: &Write, bytes: &Bytes, is_array: bool) {
    if is_array {
        sql.push("jsonb_to_recordset((select jsonb_agg(");
        defaults(sql, write);
        sql.push(" || \"rest_element\") from jsonb_array_elements(")
            .bind_body(bytes)
            .push("::jsonb) as \"rest_element\"))");
    } else {
        sql.push("jsonb_to_record(");
        defaults(sql, write);
        sql.push(" || ").bind_body(bytes).push("::jsonb)");
    }
}

fn defaults(sql: &mut Writer, write: &Write) {
    sql.push("jsonb_build_object(");
    let given = write
        .columns
        .iter()
        .filter_map(|column| Some((column, column.default.as_ref()?)));
    sql.separated(", ", given, |sql, (column, default)| {
        sql.bind(&column.name).push("::text, ").catalog_sql(default);
    });
    sql.push(")");
}
