//! Where in a token the role is.
//!
//! The way of JSON Path (RFC 9535) begins with `$`: `$.app["my roles"][0]`,
//! `$.roles[?search(@, "^db_")]`; of several places the first counts. The older way begins with a
//! dot: `.role`, `.app."my roles"[0]`, `.roles[?(@ ^== "db_")]`, `.groups[0][3:-1]`.

use std::{borrow::Cow, num::ParseIntError, str::FromStr};

use serde_json::{Map, Value};
use serde_json_path::JsonPath;

/// A path to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimPath {
    /// In the standard way.
    Standard(JsonPath),
    /// In the older way.
    Older(Steps),
}

/// A path in the older way; the first step is a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// The first element that compares so.
    First(Comparison, String),
    /// A part of a text, from one character to before another, negative ones counted from its end.
    Slice(Option<i64>, Option<i64>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equals,
    Differs,
    StartsWith,
    EndsWith,
    Contains,
}

const COMPARISONS: [(&str, Comparison); 5] = [
    ("^==", Comparison::StartsWith),
    ("==^", Comparison::EndsWith),
    ("*==", Comparison::Contains),
    ("==", Comparison::Equals),
    ("!=", Comparison::Differs),
];

/// A path that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("it is not a path such as $.role")]
pub struct InvalidPath;

impl ClaimPath {
    /// The claim as text, if it is there; what is not text is given as JSON.
    pub(super) fn find(&self, claims: &Map<String, Value>) -> Option<String> {
        match self {
            Self::Standard(path) => {
                let claims = Value::Object(claims.clone());
                path.query(&claims).first().map(text)
            }
            Self::Older(steps) => steps.find(claims).as_deref().map(text),
        }
    }
}

impl Default for ClaimPath {
    fn default() -> Self {
        Self::Older(Steps(vec![Step::Key("role".to_owned())]))
    }
}

fn text(claim: &Value) -> String {
    match claim {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Steps {
    fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<Cow<'a, Value>> {
        let mut steps = self.0.iter();
        let Step::Key(first) = steps.next()? else {
            return None;
        };
        let first = Cow::Borrowed(claims.get(first)?);
        steps.try_fold(first, |value, step| step.apply(value))
    }
}

impl Step {
    fn apply<'a>(&self, value: Cow<'a, Value>) -> Option<Cow<'a, Value>> {
        let value = match value {
            Cow::Borrowed(value) => value,
            // Only a slice makes something new, and all that goes on with a text is another slice.
            Cow::Owned(text) => return self.slice(&text).map(Cow::Owned),
        };
        match self {
            Self::Key(key) => value.get(key).map(Cow::Borrowed),
            Self::Index(index) => value.get(index).map(Cow::Borrowed),
            Self::First(comparison, operand) => {
                let mut items = value.as_array()?.iter();
                let holds = |item: &&Value| {
                    item.as_str()
                        .is_some_and(|text| comparison.holds(text, operand))
                };
                items.find(holds).map(Cow::Borrowed)
            }
            Self::Slice(..) => self.slice(value).map(Cow::Owned),
        }
    }

    fn slice(&self, value: &Value) -> Option<Value> {
        let Self::Slice(from, to) = self else {
            return None;
        };
        let text = value.as_str()?;
        let length = text.chars().count();
        let position = |at: i64| {
            let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
            if at < 0 {
                length.saturating_sub(distance)
            } else {
                distance
            }
        };
        let from = from.map_or(0, position);
        let to = to.map_or(length, position);
        let part = text.chars().skip(from).take(to.saturating_sub(from));
        Some(Value::String(part.collect()))
    }
}

impl Comparison {
    fn holds(self, text: &str, operand: &str) -> bool {
        match self {
            Self::Equals => text == operand,
            Self::Differs => text != operand,
            Self::StartsWith => text.starts_with(operand),
            Self::EndsWith => text.ends_with(operand),
            Self::Contains => text.contains(operand),
        }
    }
}

impl FromStr for ClaimPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        if text.starts_with('$') {
            let path = JsonPath::parse(text).map_err(|_| InvalidPath)?;
            return Ok(Self::Standard(path));
        }
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or(InvalidPath)?;
            steps.push(step);
            rest = after;
        }
        match steps.first() {
            Some(Step::Key(_)) => Ok(Self::Older(Steps(steps))),
            _ => Err(InvalidPath),
        }
    }
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('.') {
        let (key, rest) = key(rest)?;
        return Some((Step::Key(key), rest));
    }
    let rest = text.strip_prefix('[')?;
    if let Some(condition) = rest.strip_prefix("?(@") {
        return first(condition);
    }
    let (inner, rest) = rest.split_once(']')?;
    let step = match inner.split_once(':') {
        Some((from, to)) => slice(from, to).ok()?,
        None => Step::Index(inner.parse().ok()?),
    };
    Some((step, rest))
}

/// A slice, whose ends may be left open.
fn slice(from: &str, to: &str) -> Result<Step, ParseIntError> {
    let position = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::parse);
    Ok(Step::Slice(
        position(from).transpose()?,
        position(to).transpose()?,
    ))
}

fn key(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = quoted(text) {
        return Some(quoted);
    }
    let is_plain = |character: char| character.is_alphanumeric() || "_$@".contains(character);
    let end = text
        .find(|character| !is_plain(character))
        .unwrap_or(text.len());
    let (key, rest) = text.split_at_checked(end)?;
    (!key.is_empty()).then(|| (key.to_owned(), rest))
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let (inner, rest) = text.strip_prefix('"')?.split_once('"')?;
    Some((inner.to_owned(), rest))
}

/// The rest of `[?(@ == "x")]`.
fn first(text: &str) -> Option<(Step, &str)> {
    let text = text.trim_start();
    let (comparison, text) = COMPARISONS
        .iter()
        .find_map(|(sign, comparison)| Some((*comparison, text.strip_prefix(sign)?)))?;
    let (operand, rest) = quoted(text.trim_start())?;
    let rest = rest.trim_start().strip_prefix(")]")?;
    Some((Step::First(comparison, operand), rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(path: &str) -> Option<String> {
        let claims = json!({
            "role": "me",
            "app": { "my roles": ["a", "db_b", "c_x"], "level": 3 },
            "https://x.y/role": "far"
        });
        path.parse::<ClaimPath>()
            .unwrap()
            .find(claims.as_object().unwrap())
    }

    #[test]
    fn a_path_leads_to_a_claim() {
        let cases = [
            (".role", Some("me")),
            (".app.\"my roles\"[1]", Some("db_b")),
            (".app.level", Some("3")),
            (".\"https://x.y/role\"", Some("far")),
            (".app.\"my roles\"[?(@ == \"a\")]", Some("a")),
            (".app.\"my roles\"[?(@ != \"a\")]", Some("db_b")),
            (".app.\"my roles\"[?(@ ^== \"db\")]", Some("db_b")),
            (".app.\"my roles\"[?(@ ==^ \"_x\")]", Some("c_x")),
            (".app.\"my roles\"[?(@ *== \"b_\")]", Some("db_b")),
            (".app.\"my roles\"[1][3:]", Some("b")),
            (".app.\"my roles\"[2][:-2]", Some("c")),
            (".app.\"my roles\"[1][1:-1]", Some("b_")),
            (".app.\"my roles\"[1][:]", Some("db_b")),
            (".app.\"my roles\"[?(@ ^== \"db\")][3:]", Some("b")),
            (".role[9:]", Some("")),
            ("$.role", Some("me")),
            ("$.app['my roles'][1]", Some("db_b")),
            ("$[\"https://x.y/role\"]", Some("far")),
            ("$.app['my roles'][?search(@, '^db_')]", Some("db_b")),
            ("$.app['my roles'][?match(@, '.*_x')]", Some("c_x")),
            ("$.app['my roles'][?@ != 'a']", Some("db_b")),
            ("$.app[\"my roles\"][-1]", Some("c_x")),
            ("$.app['my roles'][1:]", Some("db_b")),
            ("$.app.*[0]", Some("a")),
            ("$..level", Some("3")),
            ("$.app.nothing", None),
            (".role[0:][:1]", Some("m")),
            (".app[1:]", None),
            (".app.nothing", None),
            (".role.deeper", None),
            (".app.\"my roles\"[7]", None),
        ];
        for (path, expected) in cases {
            assert_eq!(find(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            "role",
            ".",
            "[0]",
            ".role[",
            ".role[x]",
            ".role[1:x]",
            ".role##",
            ".my_role;;domain",
            ".role[?(@ = \"a\")]",
            ".\"a",
            "$role",
            "$.my-role",
            "$.roles[?(@ ^== 'db')]",
        ] {
            assert!(text.parse::<ClaimPath>().is_err(), "{text}");
        }
    }
}
