//! Where in a token the role is: `.role`, `.app."my roles"[0]`, `.roles[?(@ ^== "db_")]`.

use std::str::FromStr;

use serde_json::{Map, Value};

/// A path to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// The first element that compares so.
    First(Comparison, String),
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
#[error("it is not a path such as .role")]
pub struct InvalidPath;

impl ClaimPath {
    /// The claim as text, if it is there; what is not text is given as JSON.
    pub(super) fn find(&self, claims: &Map<String, Value>) -> Option<String> {
        let mut steps = self.0.iter();
        let Step::Key(first) = steps.next()? else {
            return None;
        };
        let found = steps.try_fold(claims.get(first)?, |value, step| step.apply(value))?;
        match found {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

impl Default for ClaimPath {
    fn default() -> Self {
        Self(vec![Step::Key("role".to_owned())])
    }
}

impl Step {
    fn apply<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Key(key) => value.get(key),
            Self::Index(index) => value.get(index),
            Self::First(comparison, operand) => value.as_array()?.iter().find(|item| {
                item.as_str()
                    .is_some_and(|text| comparison.holds(text, operand))
            }),
        }
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
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or(InvalidPath)?;
            steps.push(step);
            rest = after;
        }
        match steps.first() {
            Some(Step::Key(_)) => Ok(Self(steps)),
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
    let (index, rest) = rest.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), rest))
}

fn key(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        return quoted(text);
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
            ".role[?(@ = \"a\")]",
            ".\"a",
        ] {
            assert!(text.parse::<ClaimPath>().is_err(), "{text}");
        }
    }
}
