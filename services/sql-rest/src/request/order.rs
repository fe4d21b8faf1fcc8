//! The order of rows.

use super::field::Field;

/// One criterion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTerm {
    /// The embedded resource whose field decides; none for the ordered resource itself.
    pub relation: Option<String>,
    /// The field.
    pub field: Field,
    /// Its direction, when given.
    pub direction: Option<Direction>,
    /// Where nulls go, when given.
    pub nulls: Option<Nulls>,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Where nulls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Before everything.
    First,
    /// After everything.
    Last,
}
