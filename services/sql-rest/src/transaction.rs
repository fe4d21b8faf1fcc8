//! One request, one transaction: set up, run, checked, ended.
//!
//! Mostly everything goes out at once, and the server's own end of a batch is the commit. Only a
//! write whose result decides about its commit takes a second round trip.

use bytes::Bytes;
use common::postgres::{
    self, Format, Lease, Outcome, Param, Pool, Row, ServerError, Session, Statement,
};

use crate::{
    error::{DatabaseError, Error},
    sql::{self, Bind, ResultShape, column},
};

const COMMIT: &str = "commit";
const ROLLBACK: &str = "rollback";
/// Deferred constraints speak up before their rows are gone.
const CHECK_CONSTRAINTS: &str = "set constraints all immediate";

/// Formats of the columns of a row: the body as its bytes are, all else as text.
const ROW: [Format; 7] = [
    Format::Text,
    Format::Text,
    Format::Binary,
    Format::Text,
    Format::Text,
    Format::Text,
    Format::Text,
];
/// Columns a row has only when it answers a write.
const WRITE_COLUMNS: usize = 2;

/// A statement and what comes with it.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The statement.
    pub statement: &'a sql::Statement,
    /// Whether it writes a relation.
    pub is_write: bool,
    /// A statement whose first row is a plan that estimates the number of rows.
    pub estimate: Option<&'a sql::Statement>,
    /// The call to make before.
    pub pre_request: Option<&'a str>,
    /// How the transaction ends.
    pub end: End,
    /// Whether the statements are logged.
    pub is_logged: bool,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Changes stay.
    Commit,
    /// Changes are undone, after deferred constraints were checked.
    Rollback,
    /// Changes stay when the number of rows is allowed.
    CommitIf,
}

/// What the statement gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Rows there are, if counted.
    pub total: Option<i64>,
    /// Rows in the body, or affected.
    pub page: i64,
    /// The body.
    pub body: Bytes,
    /// The setting `response.headers`.
    pub headers: Option<String>,
    /// The setting `response.status`.
    pub status: Option<String>,
    /// What leads to the inserted row.
    pub location: Option<String>,
    /// Rows that are new, if some were merged.
    pub inserted: Option<i64>,
    /// What the planner estimates.
    pub estimate: Option<i64>,
}

/// Runs `work` in a transaction set up by `session`. `check` says whether a number of rows is
/// allowed.
pub async fn run(
    pool: &Pool,
    session: &Session<'_>,
    work: &Work<'_>,
    check: impl Fn(i64) -> Result<(), Error>,
) -> Result<Answer, Failure> {
    if work.is_logged {
        log(work);
    }
    let mut lease = pool.acquire().await?;
    match attempt(&mut lease, session, work, &check).await {
        Err(Failure::Database(postgres::Failure::Database(error))) if is_stale(&error) => {
            // It had not begun, so nothing happens twice.
            lease.forget_statements();
            attempt(&mut lease, session, work, &check).await
        }
        outcome => outcome,
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The database, or the way to it.
    Database(postgres::Failure),
    /// The number of rows is not allowed.
    Refused(Error),
}

impl From<postgres::Failure> for Failure {
    fn from(error: postgres::Failure) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// The error clients see. Missing rights mean one thing to the anonymous and another to others.
    pub fn into_error(self, authenticated: bool) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Database(postgres::Failure::Database(error)) => DatabaseError::new(
                &error.code,
                &error.message,
                error.detail.as_deref(),
                error.hint.as_deref(),
                authenticated,
            )
            .into(),
            Self::Database(postgres::Failure::PoolTimeout) => Error::PoolTimeout,
            Self::Database(postgres::Failure::Connect(source)) => {
                Error::Connection(source.to_string())
            }
            Self::Database(other) => Error::Client(common::error::chain(&other)),
        }
    }
}

/// Values are never logged.
fn log(work: &Work<'_>) {
    let estimate = work.estimate.map(|estimate| estimate.sql.as_str());
    let statements = work.pre_request.into_iter();
    for statement in statements
        .chain([work.statement.sql.as_str()])
        .chain(estimate)
    {
        tracing::info!(statement, "statement");
    }
}

async fn attempt(
    lease: &mut Lease,
    session: &Session<'_>,
    work: &Work<'_>,
    check: &impl Fn(i64) -> Result<(), Error>,
) -> Result<Answer, Failure> {
    let begun = session.needs_begin() || work.end != End::Commit;
    let (set_up, set_up_params) = session.settings(begun);
    let main_params = params(&work.statement.binds);
    let estimate_params = work.estimate.map(|estimate| params(&estimate.binds));

    let mut batch = Vec::with_capacity(8);
    batch.extend(begun.then(|| Statement::kept(session.begin(), &[])));
    batch.push(Statement::kept(&set_up, &set_up_params));
    batch.extend(work.pre_request.map(|sql| Statement::kept(sql, &[])));
    let main = batch.len();
    batch.push(Statement {
        columns: columns(work),
        ..Statement::kept(&work.statement.sql, &main_params)
    });
    let estimate = batch.len();
    if let (Some(statement), Some(params)) = (work.estimate, &estimate_params) {
        batch.push(Statement::kept(&statement.sql, params));
    }
    let end: &[&str] = match work.end {
        End::Commit if begun => &[COMMIT],
        End::Commit | End::CommitIf => &[],
        End::Rollback => &[CHECK_CONSTRAINTS, ROLLBACK],
    };
    batch.extend(end.iter().map(|sql| Statement::kept(sql, &[])));

    let outcomes = match lease.run(&batch).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            if lease.in_transaction() {
                lease.run(&[Statement::kept(ROLLBACK, &[])]).await?;
            }
            return Err(error.into());
        }
    };
    let mut answer = read(work.statement.result, outcomes.get(main));
    answer.estimate = work
        .estimate
        .and_then(|_| estimated(outcomes.get(estimate)?));
    let allowed = match work.statement.result {
        ResultShape::Row => check(answer.page),
        ResultShape::Explain => Ok(()),
    };
    if work.end == End::CommitIf {
        let sql = if allowed.is_ok() { COMMIT } else { ROLLBACK };
        lease.run(&[Statement::kept(sql, &[])]).await?;
    }
    allowed.map_err(Failure::Refused)?;
    Ok(answer)
}

/// Whether a statement failed because the server prepared it for tables as they were before.
fn is_stale(error: &ServerError) -> bool {
    // Invalid statement name, or anything of classes "feature not supported" (cached plan must not
    // change) and "syntax error or access rule violation", before it began.
    let by_change = ["0A", "42"]
        .iter()
        .any(|class| error.code.starts_with(class));
    !error.began && error.was_prepared && (error.code == "26000" || by_change)
}

fn params(binds: &[Bind]) -> Vec<Param<'_>> {
    binds
        .iter()
        .map(|bind| match bind {
            Bind::Text(text) => Param::Text(text.as_bytes()),
            Bind::Body(bytes) => Param::Text(bytes),
            Bind::Binary(bytes) => Param::Binary(bytes),
        })
        .collect()
}

fn columns(work: &Work<'_>) -> &'static [Format] {
    match work.statement.result {
        ResultShape::Explain => &[],
        ResultShape::Row if work.is_write => &ROW,
        ResultShape::Row => ROW.split_at(ROW.len() - WRITE_COLUMNS).0,
    }
}

fn read(shape: ResultShape, outcome: Option<&Outcome>) -> Answer {
    let rows = outcome
        .map(|outcome| outcome.rows.as_slice())
        .unwrap_or_default();
    match shape {
        ResultShape::Row => rows.first().map(read_row).unwrap_or_default(),
        ResultShape::Explain => Answer {
            body: lines(rows),
            ..Answer::default()
        },
    }
}

fn read_row(row: &Row) -> Answer {
    let number = |index| row.text(index)?.parse().ok();
    let text = |index| {
        row.text(index)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    Answer {
        total: number(column::TOTAL),
        page: number(column::PAGE).unwrap_or_default(),
        body: row.take(column::BODY).unwrap_or_default(),
        headers: text(column::HEADERS),
        status: text(column::STATUS),
        location: text(column::LOCATION),
        inserted: number(column::INSERTED),
        estimate: None,
    }
}

fn lines(rows: &[Row]) -> Bytes {
    let mut text = Vec::new();
    for row in rows {
        text.extend_from_slice(row.get(0).unwrap_or_default());
        text.push(b'\n');
    }
    text.into()
}

/// The planner's estimate in an execution plan.
fn estimated(outcome: &Outcome) -> Option<i64> {
    let plan: serde_json::Value = serde_json::from_slice(outcome.rows.first()?.get(0)?).ok()?;
    plan.get(0)?.get("Plan")?.get("Plan Rows")?.as_i64()
}
