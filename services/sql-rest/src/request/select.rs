//! The shape of the answer.

use super::{
    cursor::{Cursor, Failed, Parsed},
    field::{Field, field_name, identifier},
};

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

impl AggregateFunction {
    /// Its name in SQL, and that of the column it gives.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Count => "count",
            Self::Max => "max",
            Self::Min => "min",
        }
    }
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

impl SelectItem {
    /// All columns.
    pub fn star() -> Self {
        Self::Column(SelectColumn {
            alias: None,
            field: Field::column("*"),
            cast: None,
            aggregate: None,
        })
    }
}

/// Whether rows without related ones stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// They go.
    Inner,
    /// They stay.
    Left,
}

/// `a,alias:b::text,related(c)`; nothing at all is fine too.
pub(super) fn items(cursor: &mut Cursor<'_>) -> Parsed<Vec<SelectItem>> {
    cursor.deeper(|cursor| {
        let mut found = Vec::new();
        let start = cursor.position();
        loop {
            match item(cursor) {
                Ok(item) => found.push(item),
                Err(Failed) if found.is_empty() && cursor.position() == start => break,
                Err(Failed) => return Err(Failed),
            }
            cursor.skip_blanks();
            if cursor.token(",").is_err() {
                break;
            }
            cursor.skip_blanks();
        }
        Ok(found)
    })
}

fn item(cursor: &mut Cursor<'_>) -> Parsed<SelectItem> {
    match cursor.either(embed, column)? {
        SelectItem::Embed(header) => {
            cursor.token("(")?;
            let items = items(cursor)?;
            cursor.token(")")?;
            Ok(SelectItem::Embed(SelectEmbed { items, ..header }))
        }
        column @ SelectItem::Column(_) => Ok(column),
    }
}

/// `alias:target!hint!inner` or `...target!hint!inner`, up to the parenthesis its items stand in.
fn embed(cursor: &mut Cursor<'_>) -> Parsed<SelectItem> {
    cursor.skip_blanks();
    let spread = cursor.token("...").is_ok();
    let alias = if spread { None } else { alias(cursor) };
    let target = field_name(cursor)?;
    // `count()` is an aggregate, whatever relations there are.
    if target == "count" && !spread {
        return Err(Failed);
    }
    let mut embed = SelectEmbed {
        alias,
        target,
        hint: None,
        join: None,
        spread,
        items: Vec::new(),
    };
    for _ in 0..2 {
        if cursor.token("!").is_ok() {
            let parameter = field_name(cursor)?;
            match parameter.as_str() {
                "inner" => embed.join = embed.join.or(Some(Join::Inner)),
                "left" => embed.join = embed.join.or(Some(Join::Left)),
                _ => embed.hint = embed.hint.or(Some(parameter)),
            }
        }
    }
    cursor.skip_blanks();
    if !cursor.follows("(") {
        return Err(Failed);
    }
    Ok(SelectItem::Embed(embed))
}

fn column(cursor: &mut Cursor<'_>) -> Parsed<SelectItem> {
    cursor.skip_blanks();
    cursor.either(star, |cursor| {
        let column = cursor.either(count, value)?;
        Ok(SelectItem::Column(column))
    })
}

/// `*`
fn star(cursor: &mut Cursor<'_>) -> Parsed<SelectItem> {
    cursor.token("*")?;
    end(cursor)?;
    Ok(SelectItem::star())
}

/// `alias:count()::cast`
fn count(cursor: &mut Cursor<'_>) -> Parsed<SelectColumn> {
    let alias = alias(cursor);
    cursor.token("count()")?;
    let cast = cast(cursor)?;
    end(cursor)?;
    Ok(SelectColumn {
        alias,
        field: Field::column("*"),
        cast: None,
        aggregate: Some(Aggregate {
            function: AggregateFunction::Count,
            cast,
        }),
    })
}

/// `alias:column->path::cast.sum()::cast`
fn value(cursor: &mut Cursor<'_>) -> Parsed<SelectColumn> {
    let alias = alias(cursor);
    let field = Field::parse(cursor)?;
    let inner_cast = cast(cursor)?;
    let function = cursor.attempt(aggregate_function).ok();
    let outer_cast = cast(cursor)?;
    end(cursor)?;
    Ok(SelectColumn {
        alias,
        field,
        cast: inner_cast,
        aggregate: function.map(|function| Aggregate {
            function,
            cast: outer_cast,
        }),
    })
}

/// `alias:`, which `alias::` is not.
fn alias(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.optional(|cursor| {
        let alias = field_name(cursor)?;
        if cursor.rest().starts_with("::") {
            return Err(Failed);
        }
        cursor.token(":")?;
        Ok(alias)
    })
}

/// `::type`, when there is one.
fn cast(cursor: &mut Cursor<'_>) -> Parsed<Option<String>> {
    if cursor.token("::").is_err() {
        return Ok(None);
    }
    identifier(cursor).map(|name| Some(name.to_owned()))
}

fn aggregate_function(cursor: &mut Cursor<'_>) -> Parsed<AggregateFunction> {
    cursor.token(".")?;
    for (call, function) in [
        ("sum()", AggregateFunction::Sum),
        ("avg()", AggregateFunction::Avg),
        ("count()", AggregateFunction::Count),
        ("max()", AggregateFunction::Max),
        ("min()", AggregateFunction::Min),
    ] {
        if cursor.token(call).is_ok() {
            return Ok(function);
        }
    }
    Err(Failed)
}

/// What must stand behind a value.
fn end(cursor: &mut Cursor<'_>) -> Parsed<()> {
    if cursor.follows(")") || cursor.follows(",") || cursor.at_end() {
        return Ok(());
    }
    Err(Failed)
}
