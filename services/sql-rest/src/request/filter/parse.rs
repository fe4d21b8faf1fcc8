//! The grammar of conditions.

use super::super::{
    cursor::{Cursor, Expected, Failed, Parsed},
    field::{DELIMITER, Field, delimiter, identifier, quoted},
};
use super::{Connective, Filter, FullText, IsValue, Logic, Operation, Operator, Quantifier};

const OPERATOR: &str = "operator (eq, gt, ...)";
const NEGATION: &str = "negation operator (not)";
const CONNECTIVE: &str = "logic operator (and, or)";
const IS_VALUE: &str = "isVal: (null, not_null, true, false, unknown)";

/// What the name of an operator stands for.
#[derive(Clone, Copy)]
enum Named {
    In,
    Is,
    IsDistinct,
    Compare(Operator),
    FullText(FullText),
}

const OPERATORS: [(&str, Named); 25] = [
    ("eq", Named::Compare(Operator::Equal)),
    ("neq", Named::Compare(Operator::NotEqual)),
    ("gt", Named::Compare(Operator::Greater)),
    ("gte", Named::Compare(Operator::GreaterEqual)),
    ("lt", Named::Compare(Operator::Less)),
    ("lte", Named::Compare(Operator::LessEqual)),
    ("like", Named::Compare(Operator::Like)),
    ("ilike", Named::Compare(Operator::Ilike)),
    ("match", Named::Compare(Operator::Match)),
    ("imatch", Named::Compare(Operator::Imatch)),
    ("in", Named::In),
    ("is", Named::Is),
    ("isdistinct", Named::IsDistinct),
    ("fts", Named::FullText(FullText::Query)),
    ("plfts", Named::FullText(FullText::Plain)),
    ("phfts", Named::FullText(FullText::Phrase)),
    ("wfts", Named::FullText(FullText::Websearch)),
    ("cs", Named::Compare(Operator::Contains)),
    ("cd", Named::Compare(Operator::ContainedIn)),
    ("ov", Named::Compare(Operator::Overlaps)),
    ("sl", Named::Compare(Operator::StrictlyLeft)),
    ("sr", Named::Compare(Operator::StrictlyRight)),
    ("nxr", Named::Compare(Operator::NotExtendsRight)),
    ("nxl", Named::Compare(Operator::NotExtendsLeft)),
    ("adj", Named::Compare(Operator::Adjacent)),
];

const IS_VALUES: [(&str, IsValue); 5] = [
    ("null", IsValue::Null),
    ("not_null", IsValue::NotNull),
    ("true", IsValue::True),
    ("false", IsValue::False),
    ("unknown", IsValue::Unknown),
];

/// How a value is delimited.
type ValueParser = fn(&mut Cursor<'_>) -> Parsed<String>;

/// `operator.value` or `not.operator.value`, the value reaching to the end.
pub(in super::super) fn condition(cursor: &mut Cursor<'_>) -> Parsed<(bool, Operation)> {
    condition_with(cursor, |cursor| Ok(cursor.take_rest().to_owned()))
}

fn condition_with(cursor: &mut Cursor<'_>, value: ValueParser) -> Parsed<(bool, Operation)> {
    let negated = cursor.attempt(|cursor| negation(cursor)).is_ok();
    let operation = cursor.labelled(OPERATOR, |cursor| operation(cursor, value))?;
    Ok((negated, operation))
}

fn negation(cursor: &mut Cursor<'_>) -> Parsed<()> {
    cursor.token("not")?;
    delimiter(cursor)
}

fn operation(cursor: &mut Cursor<'_>, value: ValueParser) -> Parsed<Operation> {
    let (named, modifier) = cursor.attempt(operator)?;
    Ok(match (named, modifier) {
        (Named::In, _) => Operation::In(list(cursor)?),
        (Named::Is, _) => Operation::Is(cursor.labelled(IS_VALUE, is_value)?),
        (Named::IsDistinct, _) => Operation::IsDistinct(value(cursor)?),
        (Named::FullText(kind), modifier) => Operation::FullText {
            kind,
            language: modifier.map(str::to_owned),
            value: value(cursor)?,
        },
        (Named::Compare(operator), modifier) => Operation::Compare {
            operator,
            quantifier: modifier.map(quantifier),
            value: value(cursor)?,
        },
    })
}

/// The name of an operator, what it has in parentheses, and the dot behind.
fn operator<'a>(cursor: &mut Cursor<'a>) -> Parsed<(Named, Option<&'a str>)> {
    let rest = cursor.rest();
    let (name, named) = OPERATORS
        .iter()
        .filter(|(name, _)| rest.starts_with(name))
        .max_by_key(|(name, _)| name.len())
        .ok_or_else(|| cursor.fail(&[]))?;
    cursor.token(name)?;
    let modifier = match named {
        Named::FullText(_) => language(cursor)?,
        Named::Compare(operator) if operator.takes_quantifier() => any_or_all(cursor)?,
        _ => None,
    };
    delimiter(cursor)?;
    Ok((*named, modifier))
}

fn language<'a>(cursor: &mut Cursor<'a>) -> Parsed<Option<&'a str>> {
    if cursor.token("(").is_err() {
        return Ok(None);
    }
    let language = identifier(cursor)?;
    cursor.token(")")?;
    Ok(Some(language))
}

fn any_or_all<'a>(cursor: &mut Cursor<'a>) -> Parsed<Option<&'a str>> {
    if cursor.token("(").is_err() {
        return Ok(None);
    }
    for word in ["any", "all"] {
        if cursor.token(word).is_ok() {
            cursor.token(")")?;
            return Ok(Some(word));
        }
    }
    Err(Failed)
}

fn quantifier(word: &str) -> Quantifier {
    if word == "all" {
        Quantifier::All
    } else {
        Quantifier::Any
    }
}

/// One of the words of `is`, in any case.
fn is_value(cursor: &mut Cursor<'_>) -> Parsed<IsValue> {
    let rest = cursor.rest();
    let starts_with = |word: &str| {
        rest.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let (word, value) = IS_VALUES
        .iter()
        .find(|(word, _)| starts_with(word))
        .ok_or_else(|| cursor.fail(&[]))?;
    for _ in word.chars() {
        cursor.take_any()?;
    }
    Ok(*value)
}

/// `(a,b,"c,d")`.
fn list(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    opening(cursor)?;
    let mut values = vec![list_element(cursor)?];
    while cursor.token(",").is_ok() {
        values.push(list_element(cursor)?);
    }
    closing(cursor)?;
    Ok(values)
}

fn list_element(cursor: &mut Cursor<'_>) -> Parsed<String> {
    cursor.either(quoted_element, |cursor| Ok(bare_element(cursor)))
}

/// A value in quotes with nothing behind them.
fn quoted_element(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let value = quoted(cursor)?;
    match cursor.peek() {
        None | Some(',' | ')') => Ok(value),
        Some(_) => Err(Failed),
    }
}

fn bare_element(cursor: &mut Cursor<'_>) -> String {
    cursor
        .take_while(|character| !matches!(character, ',' | ')'))
        .to_owned()
}

/// `{a,b}`, whose commas do not end the value.
fn array_element(cursor: &mut Cursor<'_>) -> Parsed<String> {
    cursor.token("{")?;
    let inner = cursor.take_while(|character| !matches!(character, '{' | '}'));
    cursor.token("}")?;
    Ok(format!("{{{inner}}}"))
}

/// A value inside a logic tree.
fn logic_value(cursor: &mut Cursor<'_>) -> Parsed<String> {
    cursor.either(quoted_element, |cursor| {
        cursor.either(array_element, |cursor| Ok(bare_element(cursor)))
    })
}

/// `(` with blanks around it.
fn opening(cursor: &mut Cursor<'_>) -> Parsed<()> {
    cursor.skip_blanks();
    cursor.token("(")?;
    cursor.skip_blanks();
    Ok(())
}

/// `)` with blanks around it.
fn closing(cursor: &mut Cursor<'_>) -> Parsed<()> {
    cursor.skip_blanks();
    cursor.token(")")?;
    cursor.skip_blanks();
    Ok(())
}

/// A condition, or several: `and(a.eq.1,not.or(b.gt.2,c.is.null))`.
pub(in super::super) fn logic(cursor: &mut Cursor<'_>) -> Parsed<Logic> {
    cursor.deeper(|cursor| cursor.either(logic_filter, logic_group))
}

fn logic_filter(cursor: &mut Cursor<'_>) -> Parsed<Logic> {
    let field = Field::parse(cursor)?;
    cursor.token_as(".", DELIMITER)?;
    let (negated, operation) = condition_with(cursor, logic_value)?;
    Ok(Logic::Filter(Filter {
        field,
        negated,
        operation,
    }))
}

fn logic_group(cursor: &mut Cursor<'_>) -> Parsed<Logic> {
    let negated = cursor
        .labelled(NEGATION, |cursor| cursor.attempt(negation))
        .is_ok();
    let connective = cursor.labelled(CONNECTIVE, connective)?;
    opening(cursor)?;
    let mut items = vec![logic(cursor)?];
    loop {
        cursor.skip_blanks();
        if cursor.token(",").is_err() {
            break;
        }
        cursor.skip_blanks();
        items.push(logic(cursor)?);
    }
    closing(cursor)?;
    Ok(Logic::Group {
        negated,
        connective,
        items,
    })
}

fn connective(cursor: &mut Cursor<'_>) -> Parsed<Connective> {
    if cursor.token_as("and", Expected::Label(CONNECTIVE)).is_ok() {
        return Ok(Connective::And);
    }
    cursor.token("or")?;
    Ok(Connective::Or)
}
