//! The query string.

use super::{
    cursor::{self, Cursor, Failed, Parsed},
    encoding,
    field::{self, field_name},
    filter::{self, Filter, Logic},
    order::{self, OrderTerm},
    select::{self, SelectItem},
};
use crate::{error::Error, options::Limits};

/// A query string, parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// `select=`; `*` when it is not given, nothing when it is given empty.
    pub select: Vec<SelectItem>,
    /// `column=operator.value`.
    pub filters: Vec<At<Filter>>,
    /// `and=` and `or=`.
    pub logic: Vec<At<Logic>>,
    /// `order=`.
    pub order: Vec<At<Vec<OrderTerm>>>,
    /// `limit=` and `offset=`, each by itself.
    pub bounds: Vec<At<Bound>>,
    /// `columns=`.
    pub columns: Option<Vec<String>>,
    /// `on_conflict=`.
    pub on_conflict: Option<Vec<String>>,
    /// Arguments of a function called by its URL.
    pub arguments: Vec<(String, String)>,
    /// The query string sorted by key and encoded again, for `Content-Location`.
    pub canonical: String,
}

/// Something said about the addressed or an embedded resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// Names of the embedded resources that lead to it; empty for the top level.
    pub path: Vec<String>,
    /// What is said.
    pub item: T,
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// `limit=`.
    Limit(i64),
    /// `offset=`.
    Offset(i64),
}

/// What the last part of a key makes of a parameter.
enum Kind {
    Select,
    Columns,
    OnConflict,
    Order,
    Limit,
    Offset,
    Logic,
    Filter,
}

/// A filter or, called by its URL, an argument of a function.
enum Condition {
    Filter(At<Filter>),
    Argument(String, String),
}

impl Query {
    /// Parses a query string. `by_query` tells that parameters without an operator are arguments.
    pub fn parse(text: &str, by_query: bool, limits: Limits) -> Result<Self, Error> {
        if text.len() > limits.query_bytes {
            return Err(Error::Syntax {
                message: "the query string is too long".to_owned(),
                details: format!("at most {} bytes are accepted", limits.query_bytes),
            });
        }
        let pairs = encoding::pairs(text);
        let of_kind = |kind: fn(&Kind) -> bool| {
            pairs
                .iter()
                .filter_map(|(key, value)| Some((key.as_ref(), value.as_deref()?)))
                .filter(move |(key, _)| kind(&Kind::of(key)))
        };
        let mut query = Self {
            canonical: encoding::canonical(&pairs),
            ..Self::default()
        };
        for (key, value) in of_kind(|kind| matches!(kind, Kind::Order)) {
            query.order.push(parse_order(key, value, limits)?);
        }
        for (key, value) in of_kind(|kind| matches!(kind, Kind::Logic)) {
            query.logic.push(parse_logic(key, value, limits)?);
        }
        if let Some((_, value)) = of_kind(|kind| matches!(kind, Kind::Columns)).next() {
            let names = cursor::parse("columns parameter", value, value, limits, names)?;
            query.columns = Some(names);
        }
        query.select = match of_kind(|kind| matches!(kind, Kind::Select)).next() {
            Some((_, text)) => {
                cursor::parse("select parameter", text, text, limits, select::items)?
            }
            None => vec![SelectItem::star()],
        };
        for (key, value) in of_kind(|kind| matches!(kind, Kind::Filter)) {
            match parse_condition(key, value, by_query, limits)? {
                Condition::Filter(filter) => query.filters.push(filter),
                Condition::Argument(name, value) => query.arguments.push((name, value)),
            }
        }
        if let Some((_, value)) = of_kind(|kind| matches!(kind, Kind::OnConflict)).next() {
            let names = cursor::parse("on_conflict parameter", value, value, limits, names)?;
            query.on_conflict = Some(names);
        }
        for (key, value) in of_kind(|kind| matches!(kind, Kind::Limit)) {
            query
                .bounds
                .extend(parse_bound(key, value, Bound::Limit, limits)?);
        }
        for (key, value) in of_kind(|kind| matches!(kind, Kind::Offset)) {
            query
                .bounds
                .extend(parse_bound(key, value, Bound::Offset, limits)?);
        }
        Ok(query)
    }
}

impl Kind {
    fn of(key: &str) -> Self {
        match key {
            "select" => return Self::Select,
            "columns" => return Self::Columns,
            "on_conflict" => return Self::OnConflict,
            _ => {}
        }
        match key.rsplit('.').next().unwrap_or_default() {
            "order" => Self::Order,
            "limit" => Self::Limit,
            "offset" => Self::Offset,
            "and" | "or" => Self::Logic,
            _ => Self::Filter,
        }
    }
}

/// `a,b`.
fn names(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    let mut names = vec![field_name(cursor)?];
    loop {
        cursor.skip_blanks();
        if cursor.token(",").is_err() {
            return Ok(names);
        }
        cursor.skip_blanks();
        names.push(field_name(cursor)?);
    }
}

fn parse_order(key: &str, value: &str, limits: Limits) -> Result<At<Vec<OrderTerm>>, Error> {
    let (path, _) = cursor::parse("tree path", key, key, limits, field::tree_path)?;
    let item = cursor::parse("order", value, value, limits, order::order)?;
    Ok(At { path, item })
}

fn parse_logic(key: &str, value: &str, limits: Limits) -> Result<At<Logic>, Error> {
    let (mut path, connective) = cursor::parse("logic path", key, key, limits, field::dotted)?;
    let depth = path.len();
    path.retain(|name| name != "not");
    let negation = if path.len() < depth { "not." } else { "" };
    // Together they read like a nested tree.
    let text = format!("{negation}{connective}{value}");
    let item = cursor::parse("logic tree", value, &text, limits, filter::logic)?;
    Ok(At { path, item })
}

fn parse_condition(
    key: &str,
    value: &str,
    by_query: bool,
    limits: Limits,
) -> Result<Condition, Error> {
    let (path, field) = cursor::parse("tree path", key, key, limits, field::tree_path)?;
    let condition = cursor::parse("filter", value, value, limits, |cursor| {
        match filter::condition(cursor) {
            Ok(condition) => Ok(Some(condition)),
            // Nothing of an operator was there, so it is a plain value.
            Err(Failed) if by_query && cursor.position() == 0 => Ok(None),
            Err(Failed) => Err(Failed),
        }
    })?;
    Ok(match condition {
        Some((negated, operation)) => Condition::Filter(At {
            path,
            item: Filter {
                field,
                negated,
                operation,
            },
        }),
        None => Condition::Argument(field.name, value.to_owned()),
    })
}

/// One end of a range; none when it is not a number.
fn parse_bound(
    key: &str,
    value: &str,
    bound: fn(i64) -> Bound,
    limits: Limits,
) -> Result<Option<At<Bound>>, Error> {
    let Ok(number) = value.trim().parse() else {
        return Ok(None);
    };
    let (path, _) = cursor::parse("tree path", key, key, limits, field::tree_path)?;
    Ok(Some(At {
        path,
        item: bound(number),
    }))
}
