//! The one row of the answer: totals, body and settings.

use super::{
    call::SCALAR,
    read::{self, SOURCE},
    write::counts_new,
    writer::Writer,
};
use crate::{
    catalog::ReturnKind,
    plan::{
        QueryPlan, Source,
        call::Call,
        negotiate::Body,
        write::{Write, WriteKind},
    },
    request::prefer::{Count, Representation},
};

/// What the rows that are shown are called.
const ROWS: &str = "rest_answer";

/// `select` of the row of the answer.
pub(super) fn select(sql: &mut Writer, plan: &QueryPlan) {
    sql.push("select ");
    total(sql, plan);
    sql.push(" as total, ");
    page(sql, plan);
    sql.push(" as page, ");
    body(sql, plan);
    sql.push(
        " as body, nullif(current_setting('response.headers', true), '') as headers, \
         nullif(current_setting('response.status', true), '') as status",
    );
    if let Source::Write(write) = &plan.source {
        sql.push(", ");
        location(sql, write);
        sql.push(" as location, ");
        sql.push(if counts_new(write) {
            "nullif(current_setting('pgrst.inserted', true), '')::int8 as inserted"
        } else {
            "null::int8 as inserted"
        });
    }
    sql.push(" from ");
    if matches!(plan.source, Source::Write(_)) && plan.body == Body::Nothing {
        sql.push(SOURCE);
    } else {
        sql.push("(");
        rows(sql, plan);
        sql.push(")");
    }
    sql.push(" as ").ident(ROWS);
}

fn rows(sql: &mut Writer, plan: &QueryPlan) {
    read::select(sql, &plan.node);
}

/// The call a plan makes, when it gives one element and no set.
fn single_call(plan: &QueryPlan) -> Option<&Call> {
    match &plan.source {
        Source::Call(call) if !call.function.returns.is_set => Some(call),
        _ => None,
    }
}

fn page(sql: &mut Writer, plan: &QueryPlan) {
    sql.push(if single_call(plan).is_some() {
        "1::int8"
    } else {
        "count(*)"
    });
}

/// All rows there are, when that is asked for.
fn total(sql: &mut Writer, plan: &QueryPlan) {
    let is_write = matches!(plan.source, Source::Write(_));
    match plan.count {
        Some(Count::Exact | Count::Estimated) if !is_write => {}
        _ => {
            sql.push("null::int8");
            return;
        }
    }
    // What is shown is all there is: it need not be counted twice.
    if single_call(plan).is_some() || plan.node.range.is_all() {
        page(sql, plan);
        return;
    }
    sql.push("(select count(*) from (");
    read::all_rows(sql, &plan.node);
    if let (Some(Count::Estimated), Some(most)) = (plan.count, plan.max_rows) {
        sql.push(" limit ").bind(most.saturating_add(1).to_string());
    }
    sql.push(") as \"rest_all\")");
}

fn body(sql: &mut Writer, plan: &QueryPlan) {
    match &plan.body {
        Body::Nothing => {
            sql.push("null::text");
        }
        Body::Json { stripped } => json(sql, plan, *stripped),
        Body::Singular { stripped } => {
            sql.push("coalesce(");
            aggregate(sql, plan, *stripped);
            sql.push("->0, 'null')");
        }
        Body::Csv => csv(sql),
        Body::GeoJson => {
            sql.push("json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(st_asgeojson(")
                .ident(ROWS)
                .push(")::json), '[]'))");
        }
        Body::Aggregate {
            function,
            row_of,
            is_binary,
        } => {
            sql.qualified(function).push("(");
            element(sql, plan);
            if let Some(relation) = row_of {
                sql.push("::").qualified(relation);
            }
            sql.push(if *is_binary { ")::bytea" } else { ")::text" });
        }
        Body::Result { is_binary } => {
            sql.push("(array_agg(");
            element(sql, plan);
            sql.push(if *is_binary {
                "::bytea))[1]"
            } else {
                "::text))[1]"
            });
        }
    }
}

/// An array of all rows or, for a call that gives one element, that element.
fn json(sql: &mut Writer, plan: &QueryPlan, stripped: bool) {
    let is_void =
        single_call(plan).is_some_and(|call| call.function.returns.kind == ReturnKind::Void);
    if is_void {
        sql.push("null::text");
        return;
    }
    sql.push("coalesce(");
    aggregate(sql, plan, stripped);
    sql.push(if single_call(plan).is_some() {
        "->0, 'null')"
    } else {
        ", '[]')"
    });
}

fn aggregate(sql: &mut Writer, plan: &QueryPlan, stripped: bool) {
    sql.push(if stripped {
        "json_strip_nulls(json_agg("
    } else {
        "json_agg("
    });
    element(sql, plan);
    sql.push(if stripped { "))" } else { ")" });
}

/// A row, or the value of a function that gives no rows.
fn element(sql: &mut Writer, plan: &QueryPlan) {
    match &plan.source {
        Source::Call(call) if call.gives_scalar() => sql.member(ROWS, SCALAR),
        _ => sql.ident(ROWS),
    };
}

/// A line of names and a line for each row.
fn csv(sql: &mut Writer) {
    sql.push("coalesce((select string_agg(\"rest_name\", ',') from json_object_keys(json_agg(")
        .ident(ROWS)
        .push(")->0) as \"rest_name\"), '') || E'\\n' || coalesce(string_agg(substring(")
        .ident(ROWS)
        .push("::text, 2, length(")
        .ident(ROWS)
        .push("::text) - 2), E'\\n'), '')");
}

/// The key of the one row that was inserted, when it is asked for.
fn location(sql: &mut Writer, write: &Write) {
    let wanted = matches!(write.kind, WriteKind::Insert { .. })
        && write.representation == Representation::HeadersOnly
        && !write.primary_key.is_empty();
    if !wanted {
        sql.push("null::text[]");
        return;
    }
    sql.push("case when count(*) = 1 then array[");
    sql.separated(", ", &write.primary_key, |sql, name| {
        sql.bind(name)
            .push("::text || coalesce('=eq.' || min(to_json(")
            .member(ROWS, name)
            .push(") #>> '{}'), '=is.null')");
    });
    sql.push("] end");
}
