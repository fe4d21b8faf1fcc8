//! The shape of the answer.

use super::field::Field;

/// An item of `select`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectItem {
    /// A value of the row.
    Column(SelectColumn),
    /// Rows related to it.
    Embed(SelectEmbed),
}

/// A value of the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectColumn {
    /// The name it gets.
    pub alias: Option<String>,
    /// Where it is.
    pub field: Field,
    /// The type it is converted to.
    pub cast: Option<String>,
    /// How the values of a group become one.
    pub aggregate: Option<Aggregate>,
}

/// An aggregate over a group of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// Which one.
    pub function: AggregateFunction,
    /// The type its result is converted to.
    pub cast: Option<String>,
}

/// An aggregate function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// `sum()`.
    Sum,
    /// `avg()`.
    Avg,
    /// `count()`.
    Count,
    /// `max()`.
    Max,
    /// `min()`.
    Min,
}

/// Rows related to the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectEmbed {
    /// The name they get.
    pub alias: Option<String>,
    /// A relation, a foreign key or a column that leads to them.
    pub target: String,
    /// What tells the relationship from others to the same target.
    pub hint: Option<String>,
    /// Whether rows without related ones stay, when said.
    pub join: Option<Join>,
    /// Whether their columns become columns of the row.
    pub spread: bool,
    /// Their own shape.
    pub items: Vec<SelectItem>,
}

/// Whether rows without related ones stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// They go.
    Inner,
    /// They stay.
    Left,
}
