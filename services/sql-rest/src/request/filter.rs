//! Conditions on rows.

mod parse;

use super::field::Field;

pub(super) use parse::{condition, logic};

/// A condition on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The field.
    pub field: Field,
    /// Whether the condition is negated.
    pub negated: bool,
    /// The condition.
    pub operation: Operation,
}

/// The condition of a [`Filter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A comparison with a value.
    Compare {
        /// How.
        operator: Operator,
        /// Whether the value is an array, and how many of its elements must fit.
        quantifier: Option<Quantifier>,
        /// The value.
        value: String,
    },
    /// Being one of these.
    In(Vec<String>),
    /// Being null or a truth value.
    Is(IsValue),
    /// Being distinct, null counting as a value.
    IsDistinct(String),
    /// Matching a text search.
    FullText {
        /// How the query is read.
        kind: FullText,
        /// The language.
        language: Option<String>,
        /// The query.
        value: String,
    },
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `eq`, `=`.
    Equal,
    /// `neq`, `<>`.
    NotEqual,
    /// `gt`, `>`.
    Greater,
    /// `gte`, `>=`.
    GreaterEqual,
    /// `lt`, `<`.
    Less,
    /// `lte`, `<=`.
    LessEqual,
    /// `like`.
    Like,
    /// `ilike`.
    Ilike,
    /// `match`, `~`.
    Match,
    /// `imatch`, `~*`.
    Imatch,
    /// `cs`, `@>`.
    Contains,
    /// `cd`, `<@`.
    ContainedIn,
    /// `ov`, `&&`.
    Overlaps,
    /// `sl`, `<<`.
    StrictlyLeft,
    /// `sr`, `>>`.
    StrictlyRight,
    /// `nxr`, `&<`.
    NotExtendsRight,
    /// `nxl`, `&>`.
    NotExtendsLeft,
    /// `adj`, `-|-`.
    Adjacent,
}

impl Operator {
    /// Whether the operator compares with one or every element of an array when told to.
    pub fn takes_quantifier(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::Greater
                | Self::GreaterEqual
                | Self::Less
                | Self::LessEqual
                | Self::Like
                | Self::Ilike
                | Self::Match
                | Self::Imatch
        )
    }
}

/// How many elements of an array must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// One.
    Any,
    /// Every one.
    All,
}

/// What `is` compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsValue {
    /// `null`.
    Null,
    /// `not_null`.
    NotNull,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `unknown`.
    Unknown,
}

/// How a text search query is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullText {
    /// `fts`, `to_tsquery`.
    Query,
    /// `plfts`, `plainto_tsquery`.
    Plain,
    /// `phfts`, `phraseto_tsquery`.
    Phrase,
    /// `wfts`, `websearch_to_tsquery`.
    Websearch,
}

/// A tree of conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logic {
    /// A condition.
    Filter(Filter),
    /// Several, combined.
    Group {
        /// Whether the whole is negated.
        negated: bool,
        /// How they are combined.
        connective: Connective,
        /// The conditions; at least one.
        items: Vec<Logic>,
    },
}

/// How conditions are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connective {
    /// All must hold.
    And,
    /// One must hold.
    Or,
}
