//! The order of rows.

use super::{
    cursor::{Cursor, Failed, Parsed},
    field::{Field, delimiter, field_name},
};

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

/// `a.desc.nullslast,b,related(c).asc`.
pub(super) fn order(cursor: &mut Cursor<'_>) -> Parsed<Vec<OrderTerm>> {
    let mut terms = Vec::new();
    loop {
        cursor.skip_blanks();
        terms.push(cursor.either(related_term, own_term)?);
        cursor.skip_blanks();
        if cursor.token(",").is_err() {
            return Ok(terms);
        }
    }
}

fn own_term(cursor: &mut Cursor<'_>) -> Parsed<OrderTerm> {
    let field = Field::parse(cursor)?;
    finish(cursor, None, field)
}

fn related_term(cursor: &mut Cursor<'_>) -> Parsed<OrderTerm> {
    let relation = field_name(cursor)?;
    cursor.token("(")?;
    let field = Field::parse(cursor)?;
    cursor.token(")")?;
    finish(cursor, Some(relation), field)
}

/// Direction, nulls, and the end of the term.
fn finish(cursor: &mut Cursor<'_>, relation: Option<String>, field: Field) -> Parsed<OrderTerm> {
    let direction = choice(
        cursor,
        [
            ("asc", Direction::Ascending),
            ("desc", Direction::Descending),
        ],
    );
    let nulls = choice(
        cursor,
        [("nullsfirst", Nulls::First), ("nullslast", Nulls::Last)],
    );
    if !cursor.follows(",") && !cursor.at_end() {
        return Err(Failed);
    }
    Ok(OrderTerm {
        relation,
        field,
        direction,
        nulls,
    })
}

/// A dot and one of two words.
fn choice<T: Copy>(cursor: &mut Cursor<'_>, words: [(&'static str, T); 2]) -> Option<T> {
    let chosen = cursor.attempt(|cursor| {
        delimiter(cursor)?;
        for (word, meaning) in words {
            if cursor.token(word).is_ok() {
                return Ok(meaning);
            }
        }
        Err(Failed)
    });
    chosen.ok()
}
