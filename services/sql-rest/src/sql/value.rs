//! Values and conditions.

use super::writer::Writer;
use crate::{
    plan::node::{Base, Comparison, Condition, Embed, Node, OrderBy, Shown, Value},
    request::{
        field::JsonKey,
        filter::{Connective, FullText, IsValue, Operation, Operator, Quantifier},
        order::{Direction, Nulls},
    },
};

/// A value of a row of the place called `alias`.
pub(super) fn value(sql: &mut Writer, alias: &str, value: &Value) {
    if value.to_jsonb {
        sql.push("to_jsonb(");
        base(sql, alias, &value.base);
        sql.push(")");
    } else {
        base(sql, alias, &value.base);
    }
    for step in &value.path {
        sql.push(if step.as_text { "->>" } else { "->" });
        match &step.key {
            JsonKey::Name(name) => sql.bind(name),
            JsonKey::Index(index) => sql.bind(index).push("::int4"),
        };
    }
}

pub(super) fn base(sql: &mut Writer, alias: &str, base: &Base) {
    match base {
        Base::Star => sql.ident(alias).push(".*"),
        Base::Row => sql.ident(alias),
        Base::Column(name) => sql.member(alias, name),
        // Without the star it could be a column of that name.
        Base::Computed(function) => sql.qualified(function).push("(").ident(alias).push(".*)"),
        Base::One => sql.push("1"),
    };
}

/// A value as it is shown.
pub(super) fn shown(sql: &mut Writer, alias: &str, shown: &Shown) {
    let outer_cast = shown
        .aggregate
        .as_ref()
        .and_then(|aggregate| aggregate.cast.as_ref());
    if outer_cast.is_some() {
        sql.push("cast(");
    }
    if let Some(aggregate) = &shown.aggregate {
        sql.push(aggregate.function.name()).push("(");
    }
    if shown.cast.is_some() {
        sql.push("cast(");
    }
    match (&shown.format, &shown.value.base, &shown.aggregate) {
        (Some(format), _, _) => {
            sql.qualified(format).push("(");
            value(sql, alias, &shown.value);
            sql.push(")");
        }
        (None, Base::Star, Some(_)) => {
            sql.push("*");
        }
        _ => value(sql, alias, &shown.value),
    }
    if let Some(cast) = &shown.cast {
        sql.push(" as ").type_name(cast).push(")");
    }
    if shown.aggregate.is_some() {
        sql.push(")");
    }
    if let Some(cast) = outer_cast {
        sql.push(" as ").type_name(cast).push(")");
    }
    if let Some(name) = &shown.name {
        sql.push(" as ").ident(name);
    }
}

/// Writes the test for rows of an embed; conditions on embeds need it.
pub(super) type WriteExists<'a> = &'a dyn Fn(&mut Writer, &Embed);

/// Conditions on the rows of a node, all of which must hold.
pub(super) fn conditions(sql: &mut Writer, node: &Node, exists: WriteExists<'_>) {
    let related = |sql: &mut Writer, position: usize| {
        if let Some(embed) = node.embeds.get(position) {
            exists(sql, embed);
        }
    };
    plain_conditions(sql, &node.alias, &node.conditions, &related);
}

/// Conditions on rows called `alias`, all of which must hold.
pub(super) fn plain_conditions(
    sql: &mut Writer,
    alias: &str,
    conditions: &[Condition],
    related: &dyn Fn(&mut Writer, usize),
) {
    sql.separated(" and ", conditions, |sql, item| {
        condition(sql, alias, item, related);
    });
}

fn condition(
    sql: &mut Writer,
    alias: &str,
    condition: &Condition,
    related: &dyn Fn(&mut Writer, usize),
) {
    match condition {
        Condition::Compare(comparison) => compare(sql, alias, comparison),
        Condition::Group {
            negated,
            connective,
            items,
        } => {
            sql.push(if *negated { "not (" } else { "(" });
            let separator = match connective {
                Connective::And => " and ",
                Connective::Or => " or ",
            };
            sql.separated(separator, items, |sql, item| {
                self::condition(sql, alias, item, related);
            });
            sql.push(")");
        }
        Condition::Related { negated, embed } => {
            sql.push(if *negated { "not " } else { "" });
            related(sql, *embed);
        }
    }
}

/// A comparison, of a row called `alias`.
pub(super) fn compare(sql: &mut Writer, alias: &str, comparison: &Comparison) {
    if comparison.negated {
        sql.push("not (");
    }
    if comparison.to_tsvector {
        sql.push("to_tsvector(");
        if let Operation::FullText {
            language: Some(language),
            ..
        } = &comparison.operation
        {
            sql.bind(language).push("::regconfig, ");
        }
        value(sql, alias, &comparison.value);
        sql.push(")");
    } else {
        value(sql, alias, &comparison.value);
    }
    operation(sql, comparison);
    if comparison.negated {
        sql.push(")");
    }
}

fn operation(sql: &mut Writer, comparison: &Comparison) {
    match &comparison.operation {
        Operation::Compare {
            operator,
            quantifier,
            value,
        } => {
            sql.push(operator_text(*operator));
            let value = match operator {
                Operator::Like | Operator::Ilike => &value.replace('*', "%"),
                _ => value,
            };
            match quantifier {
                Some(Quantifier::Any) => sql.push("any(").bind(value).push(")"),
                Some(Quantifier::All) => sql.push("all(").bind(value).push(")"),
                None => parsed(sql, comparison, value),
            };
        }
        Operation::In(values) => {
            let array = array_literal(values);
            match &comparison.parse {
                Some(function) => sql
                    .push(" = any(select ")
                    .qualified(function)
                    .push("(unnest(")
                    .bind(array)
                    .push("::text[])))"),
                None => sql.push(" = any(").bind(array).push(")"),
            };
        }
        Operation::Is(word) => {
            sql.push(match word {
                IsValue::Null => " is null",
                IsValue::NotNull => " is not null",
                IsValue::True => " is true",
                IsValue::False => " is false",
                IsValue::Unknown => " is unknown",
            });
        }
        Operation::IsDistinct(value) => {
            sql.push(" is distinct from ").bind(value);
        }
        Operation::FullText {
            kind,
            language,
            value,
        } => {
            sql.push(full_text(*kind));
            if let Some(language) = language {
                sql.bind(language).push("::regconfig, ");
            }
            sql.bind(value).push(")");
        }
    }
}

/// The value compared with, read by a function where the column's type has one.
fn parsed<'a>(sql: &'a mut Writer, comparison: &Comparison, value: &str) -> &'a mut Writer {
    match &comparison.parse {
        Some(function) => sql.qualified(function).push("(").bind(value).push(")"),
        None => sql.bind(value),
    }
}

fn operator_text(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => " = ",
        Operator::NotEqual => " <> ",
        Operator::Greater => " > ",
        Operator::GreaterEqual => " >= ",
        Operator::Less => " < ",
        Operator::LessEqual => " <= ",
        Operator::Like => " like ",
        Operator::Ilike => " ilike ",
        Operator::Match => " ~ ",
        Operator::Imatch => " ~* ",
        Operator::Contains => " @> ",
        Operator::ContainedIn => " <@ ",
        Operator::Overlaps => " && ",
        Operator::StrictlyLeft => " << ",
        Operator::StrictlyRight => " >> ",
        Operator::NotExtendsRight => " &< ",
        Operator::NotExtendsLeft => " &> ",
        Operator::Adjacent => " -|- ",
    }
}

fn full_text(kind: FullText) -> &'static str {
    match kind {
        FullText::Query => " @@ to_tsquery(",
        FullText::Plain => " @@ plainto_tsquery(",
        FullText::Phrase => " @@ phraseto_tsquery(",
        FullText::Websearch => " @@ websearch_to_tsquery(",
    }
}

/// An array in PostgreSQL's text form. One empty element stands for no elements.
pub(super) fn array_literal(values: &[String]) -> String {
    let mut literal = String::from("{");
    if values != [""] {
        for (position, value) in values.iter().enumerate() {
            if position > 0 {
                literal.push(',');
            }
            literal.push('"');
            for character in value.chars() {
                if matches!(character, '"' | '\\') {
                    literal.push('\\');
                }
                literal.push(character);
            }
            literal.push('"');
        }
    }
    literal.push('}');
    literal
}

/// Direction and nulls of a criterion.
pub(super) fn direction(sql: &mut Writer, order: &OrderBy) {
    match order.direction {
        Some(Direction::Ascending) => {
            sql.push(" asc");
        }
        Some(Direction::Descending) => {
            sql.push(" desc");
        }
        None => {}
    }
    match order.nulls {
        Some(Nulls::First) => {
            sql.push(" nulls first");
        }
        Some(Nulls::Last) => {
            sql.push(" nulls last");
        }
        None => {}
    }
}
