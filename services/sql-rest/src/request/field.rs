//! A column, or a place inside one.

use std::borrow::Cow;

use super::cursor::{Cursor, Expected, Failed, Parsed};

/// A column and a path into its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column's name; `*` for all.
    pub name: String,
    /// Steps into the value, none for the value itself.
    pub path: Vec<JsonStep>,
}

/// One step of a path into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonStep {
    /// Whether the result is text (`->>`) rather than JSON (`->`).
    pub as_text: bool,
    /// Where to step.
    pub key: JsonKey,
}

/// The target of a [`JsonStep`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonKey {
    /// A member of an object.
    Name(String),
    /// An element of an array: an integer as written, which PostgreSQL reads.
    Index(String),
}

const FIELD_NAME: &str = "field name (* or [a..z0..9_$])";
const JSON_KEY: &str = "any non reserved character different from: .,>()";

/// The dot between the parts of a path, an operator and its value, a column and its direction.
pub(super) const DELIMITER: Expected = Expected::Label("delimiter (.)");

impl Field {
    /// A whole column.
    pub fn column(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: Vec::new(),
        }
    }

    /// Whether all columns are meant.
    pub fn is_star(&self) -> bool {
        self.name == "*" && self.path.is_empty()
    }

    /// The name a value read by this path has in the answer, when it has a path: the last member
    /// named on it, or the column when only elements are.
    pub fn path_name(&self) -> Option<&str> {
        self.path.last()?;
        let named = self.path.iter().rev().find_map(|step| match &step.key {
            JsonKey::Name(name) => Some(name.as_str()),
            JsonKey::Index(_) => None,
        });
        Some(named.unwrap_or(&self.name))
    }

    /// `name->key->>0`, blanks around it allowed.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        cursor.skip_blanks();
        let name = field_name(cursor)?;
        let path = json_path(cursor)?;
        cursor.skip_blanks();
        Ok(Self { name, path })
    }
}

/// A name: letters, digits, `_`, `$`, inner blanks and dashes; anything between double quotes.
pub(super) fn field_name(cursor: &mut Cursor<'_>) -> Parsed<String> {
    cursor.labelled(FIELD_NAME, |cursor| {
        if cursor.peek() == Some('"') {
            quoted(cursor)
        } else {
            dashed(cursor, identifier)
        }
    })
}

/// Text between double quotes, where `\x` stands for x.
pub(super) fn quoted(cursor: &mut Cursor<'_>) -> Parsed<String> {
    cursor.token("\"")?;
    let mut text = String::new();
    loop {
        match cursor.take_any()? {
            '"' => return Ok(text),
            '\\' => text.push(cursor.take_any()?),
            character => text.push(character),
        }
    }
}

/// Letters, digits, `_`, `$` and inner blanks.
pub(super) fn identifier<'a>(cursor: &mut Cursor<'a>) -> Parsed<&'a str> {
    let name = cursor.take_while(|character| {
        character.is_alphabetic()
            || character.is_ascii_digit()
            || matches!(character, '_' | ' ' | '$')
    });
    cursor.could_follow(&[Expected::Label("letter"), Expected::Label("digit")]);
    if name.is_empty() {
        return Err(Failed);
    }
    Ok(name.trim())
}

/// Parts joined by dashes, none of which begins an arrow.
fn dashed<'a>(
    cursor: &mut Cursor<'a>,
    part: impl Fn(&mut Cursor<'a>) -> Parsed<&'a str>,
) -> Parsed<String> {
    let mut name = Cow::Borrowed(part(cursor)?);
    loop {
        let is_arrow = cursor.rest().starts_with("->");
        if is_arrow || cursor.token("-").is_err() {
            cursor.could_follow(&[Expected::Token("-")]);
            return Ok(name.into_owned());
        }
        let joined = name.to_mut();
        joined.push('-');
        joined.push_str(part(cursor)?);
    }
}

/// `.`
pub(super) fn delimiter(cursor: &mut Cursor<'_>) -> Parsed<()> {
    cursor.token_as(".", DELIMITER)
}

/// Any number of `->key` and `->>key`.
pub(super) fn json_path(cursor: &mut Cursor<'_>) -> Parsed<Vec<JsonStep>> {
    let mut path = Vec::new();
    loop {
        let as_text = if cursor.token("->>").is_ok() {
            true
        } else if cursor.token("->").is_ok() {
            false
        } else {
            return Ok(path);
        };
        let key = cursor.either(json_index, json_name)?;
        path.push(JsonStep { as_text, key });
    }
}

/// An integer with nothing of a name behind it.
fn json_index(cursor: &mut Cursor<'_>) -> Parsed<JsonKey> {
    let text = cursor.rest();
    let start = cursor.position();
    // Whether there is a sign or not, digits must follow.
    let _ = cursor.token("-");
    let digits = cursor.take_while(|character| character.is_ascii_digit());
    cursor.could_follow(&[Expected::Label("digit")]);
    if digits.is_empty() {
        return Err(Failed);
    }
    let ended = ["->", "::", ".", ","].iter().any(|end| cursor.follows(end))
        || cursor.peek() == Some(')')
        || cursor.at_end();
    if !ended {
        return Err(Failed);
    }
    let index = text.get(..cursor.position() - start).unwrap_or_default();
    Ok(JsonKey::Index(index.to_owned()))
}

fn json_name(cursor: &mut Cursor<'_>) -> Parsed<JsonKey> {
    let name = cursor.labelled(JSON_KEY, |cursor| {
        if cursor.peek() == Some('"') {
            quoted(cursor)
        } else {
            dashed(cursor, json_key_part)
        }
    })?;
    Ok(JsonKey::Name(name))
}

fn json_key_part<'a>(cursor: &mut Cursor<'a>) -> Parsed<&'a str> {
    let part = cursor
        .take_while(|character| !matches!(character, '(' | '-' | ':' | '.' | ',' | '>' | ')'));
    cursor.could_follow(&[]);
    if part.is_empty() {
        return Err(Failed);
    }
    Ok(part.trim())
}

/// Names joined by dots: where something belongs, and its own name last.
pub(super) fn tree_path(cursor: &mut Cursor<'_>) -> Parsed<(Vec<String>, Field)> {
    let (path, name) = dotted(cursor)?;
    let field = Field {
        name,
        path: json_path(cursor)?,
    };
    Ok((path, field))
}

/// Names joined by dots, the last apart.
pub(super) fn dotted(cursor: &mut Cursor<'_>) -> Parsed<(Vec<String>, String)> {
    let mut path = Vec::new();
    let mut last = field_name(cursor)?;
    while delimiter(cursor).is_ok() {
        path.push(std::mem::replace(&mut last, field_name(cursor)?));
    }
    Ok((path, last))
}
