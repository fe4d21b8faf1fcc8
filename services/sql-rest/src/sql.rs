//! A plan written as one SQL statement with its binds.
//!
//! The text depends on the shape of the request alone: values travel as binds, names come from the
//! catalogue (or from `select`, as names of the answer) and are quoted in one place.

mod answer;
mod call;
mod read;
mod value;
mod write;
mod writer;

use bytes::Bytes;

use crate::{
    media::{MediaType, PlanMedia},
    plan::{QueryPlan, Source},
    request::prefer::Count,
};
use writer::Writer;

/// A statement ready to be prepared (cached by its text) and run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text, with `$1`… for the binds.
    pub sql: String,
    /// The values, in order.
    pub binds: Vec<Bind>,
    /// What it gives.
    pub result: ResultShape,
}

/// A value of a statement. PostgreSQL infers its type from where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Sent in text format.
    Text(String),
    /// The body of the request, sent in text format as it came.
    Body(Bytes),
    /// The body of the request, sent as it came in the binary format of `bytea`.
    Binary(Bytes),
}

/// What a [`Statement`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultShape {
    /// Exactly one row with the columns of [`column`].
    Row,
    /// The lines of an execution plan: rows of one text (or json) column, to be joined by newlines.
    Explain,
}

/// Positions of the columns of [`ResultShape::Row`].
pub mod column {
    /// `bigint`, null unless counted: rows there are, whatever was asked for by limit and offset.
    pub const TOTAL: usize = 0;
    /// `bigint`: rows in this answer, or affected by this write.
    pub const PAGE: usize = 1;
    /// `json`, `text` or `bytea`, may be null: the body, to be passed on as its bytes are.
    pub const BODY: usize = 2;
    /// `text`, null when unset: the setting `response.headers`.
    pub const HEADERS: usize = 3;
    /// `text`, null when unset: the setting `response.status`.
    pub const STATUS: usize = 4;
    /// `text[]`, null unless exactly one row was inserted with `return=headers-only`:
    /// `column=eq.value` or `column=is.null` for each column of its primary key, not yet URL-encoded.
    /// Absent unless the plan is a write.
    pub const LOCATION: usize = 5;
    /// `bigint`, null unless rows were merged: how many of them were new.
    /// Absent unless the plan is a write.
    pub const INSERTED: usize = 6;
}

/// Writes the statement that answers a request.
pub fn statement(plan: &QueryPlan) -> Statement {
    let mut sql = Writer::default();
    let result = match &plan.media {
        MediaType::Plan(media) => {
            explain(&mut sql, media);
            ResultShape::Explain
        }
        _ => ResultShape::Row,
    };
    match &plan.source {
        Source::Read(_) => {}
        Source::Write(write) => {
            sql.push("with rest_source as (");
            write::write(&mut sql, write, &plan.node.alias);
            sql.push(") ");
        }
        Source::Call(call) => {
            // Its value must be computed even if nobody looks at it.
            sql.push(if call.gives_scalar() {
                "with rest_source as materialized ("
            } else {
                "with rest_source as ("
            });
            call::call(&mut sql, call);
            sql.push(") ");
        }
    }
    answer::select(&mut sql, plan);
    finish(sql, result)
}

/// Writes the statement that estimates how many rows there are: `EXPLAIN (FORMAT JSON)` whose first
/// node's `Plan Rows` is the estimate. None unless the plan counts by estimate.
pub fn estimate(plan: &QueryPlan) -> Option<Statement> {
    let estimates = matches!(plan.count, Some(Count::Planned | Count::Estimated));
    if !estimates || !matches!(plan.source, Source::Read(_)) {
        return None;
    }
    let mut sql = Writer::default();
    sql.push("explain (format json) ");
    read::all_rows(&mut sql, &plan.node);
    Some(finish(sql, ResultShape::Explain))
}

fn explain(sql: &mut Writer, media: &PlanMedia) {
    sql.push("explain (format ").push(media.format.name());
    for option in &media.options {
        sql.push(", ").push(option.name());
    }
    sql.push(") ");
}

fn finish(sql: Writer, result: ResultShape) -> Statement {
    let (sql, binds) = sql.finish();
    Statement { sql, binds, result }
}

#[cfg(test)]
mod tests;
