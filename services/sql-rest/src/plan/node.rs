//! A read, resolved: which rows, which values of them, which rows related to them.

use crate::{
    catalog::QualifiedName,
    request::{
        Range,
        field::{Field, JsonStep},
        filter::{Connective, Operation},
        order::{Direction, Nulls},
        select::Aggregate,
    },
};

/// Rows of one place and what is shown of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where the rows are.
    pub from: Rows,
    /// What the place is called in the statement.
    pub alias: String,
    /// Values shown, in order.
    pub columns: Vec<Shown>,
    /// Related rows shown behind them, in order.
    pub embeds: Vec<Embed>,
    /// What must hold of a row.
    pub conditions: Vec<Condition>,
    /// The order of the rows.
    pub order: Vec<OrderBy>,
    /// Which of them are wanted.
    pub range: Range,
}

/// A place rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// A relation.
    Relation(QualifiedName),
    /// The write or call the statement begins with.
    Source,
    /// A function of a row of the place around.
    Computed(QualifiedName),
}

/// Rows related to those of the place around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embed {
    /// The key they are shown under.
    pub name: String,
    /// The rows.
    pub node: Node,
    /// What relates them.
    pub tie: Tie,
    /// Whether rows without related ones are left out.
    pub inner: bool,
    /// How they are shown.
    pub form: Form,
    /// Their values that are spread, where they are.
    pub lifted: Vec<Lifted>,
}

/// A value of related rows among the values of the rows around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// What it is called among the related rows.
    pub column: String,
    /// How the values of a group of the rows around become one.
    pub aggregate: Option<Aggregate>,
    /// The key it is shown under.
    pub name: String,
}

/// What relates rows to those of the place around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tie {
    /// Equal values; pairs of columns, that of the place around first.
    Columns(Vec<(String, String)>),
    /// Rows of a relation in the middle.
    Junction {
        /// The relation.
        relation: QualifiedName,
        /// What it is called in the statement.
        alias: String,
        /// Pairs: column of the place around, column of the junction.
        outer: Vec<(String, String)>,
        /// Pairs: column of the junction, column of the related rows.
        inner: Vec<(String, String)>,
    },
    /// The function they come from takes the row.
    Argument,
}

/// How related rows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Not at all; they only filter.
    Hidden,
    /// The one row as an object.
    Object,
    /// All rows as an array of objects.
    Array,
    /// The values of the one row among those around.
    SpreadOne,
    /// The values of all rows among those around, an array for each column.
    SpreadMany,
}

/// A value shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The value.
    pub value: Value,
    /// The function that gives it its JSON form.
    pub format: Option<QualifiedName>,
    /// The type it is converted to.
    pub cast: Option<String>,
    /// How the values of a group become one.
    pub aggregate: Option<Aggregate>,
    /// The key it is shown under; none when PostgreSQL names it right by itself.
    pub name: Option<String>,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Where it begins.
    pub base: Base,
    /// The way into it.
    pub path: Vec<JsonStep>,
    /// Whether it must be made JSON before the path can be followed.
    pub to_jsonb: bool,
}

/// Where a value begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// All columns.
    Star,
    /// The row itself.
    Row,
    /// A column.
    Column(String),
    /// A function of the row.
    Computed(QualifiedName),
    /// One, which tells that there is a row.
    One,
}

/// What must hold of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A comparison.
    Compare(Comparison),
    /// Several conditions, combined.
    Group {
        /// Whether the whole is negated.
        negated: bool,
        /// How they are combined.
        connective: Connective,
        /// The conditions.
        items: Vec<Condition>,
    },
    /// Whether there are related rows.
    Related {
        /// Whether there must be none.
        negated: bool,
        /// Which embed of the node.
        embed: usize,
    },
}

/// A comparison of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The value.
    pub value: Value,
    /// Whether the comparison is negated.
    pub negated: bool,
    /// The comparison.
    pub operation: Operation,
    /// The function that reads the text compared with.
    pub parse: Option<QualifiedName>,
    /// Whether the value must be made a `tsvector` to be searched.
    pub to_tsvector: bool,
}

/// One criterion of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    /// The embed of the node whose value decides; none for the node's own.
    pub embed: Option<Decides>,
    /// The value.
    pub value: Value,
    /// Its direction, when given.
    pub direction: Option<Direction>,
    /// Where nulls go, when given.
    pub nulls: Option<Nulls>,
}

/// An embed whose value decides about the order of the rows around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decides {
    /// Which embed of the node.
    pub embed: usize,
    /// Whether the value is one of those it shows, by the name it is shown under.
    pub is_shown: bool,
}

impl Value {
    /// A value by the name it is shown under, whatever its type.
    pub(super) fn shown(field: &Field) -> Self {
        Self {
            base: Base::Column(field.name.clone()),
            path: field.path.clone(),
            to_jsonb: !field.path.is_empty(),
        }
    }
}

impl Embed {
    /// Whether rows are joined to those around with a value shown under this name, as it can be
    /// ordered by. `is_column` tells that a column of the related rows has the name.
    pub(super) fn shows(&self, name: &str, is_column: bool) -> bool {
        let shown = |shown: &Shown| match (&shown.name, &shown.value.base) {
            _ if shown.format.is_some() || shown.aggregate.is_some() => false,
            (Some(given), _) | (None, Base::Column(given)) => given == name,
            (None, Base::Star) => is_column,
            (None, _) => false,
        };
        match self.form {
            Form::Object | Form::SpreadOne => {
                let embeds = &self.node.embeds;
                self.node.columns.iter().any(shown)
                    || embeds
                        .iter()
                        .any(|embed| embed.lifted.iter().any(|value| value.name == name))
            }
            Form::Hidden | Form::Array | Form::SpreadMany => false,
        }
    }
}

impl Node {
    /// Whether its rows are groups of rows.
    pub fn is_grouped(&self) -> bool {
        let lifted = self.embeds.iter().flat_map(|embed| &embed.lifted);
        self.columns.iter().any(|shown| shown.aggregate.is_some())
            || lifted.into_iter().any(|lifted| lifted.aggregate.is_some())
    }
}

impl Condition {
    /// Visits where each compared value begins.
    pub(super) fn visit(&self, visitor: &mut impl FnMut(&Base)) {
        match self {
            Self::Compare(comparison) => visitor(&comparison.value.base),
            Self::Group { items, .. } => items.iter().for_each(|item| item.visit(visitor)),
            Self::Related { .. } => {}
        }
    }
}
