//! CSV bodies, rewritten as a JSON array.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Content, Payload};
use crate::error::Error;

/// One value of a line.
#[derive(Debug, PartialEq, Eq)]
struct Value {
    text: String,
    quoted: bool,
}

/// Rewrites a CSV body, whose first line names the columns, as a JSON array of objects.
pub(super) fn convert(body: &Bytes) -> Result<Payload, Error> {
    let text = std::str::from_utf8(body).map_err(|_| invalid("Empty or invalid csv"))?;
    let mut lines = Lines {
        rest: text.trim_start_matches('\u{feff}'),
    };
    let header = match lines.next() {
        Some(line) => line?,
        None => return Err(invalid("Empty or invalid csv")),
    };
    let names: Vec<String> = header.into_iter().map(|value| value.text).collect();
    let mut json = String::with_capacity(text.len() * 2);
    json.push('[');
    for (number, line) in lines.enumerate() {
        if number > 0 {
            json.push(',');
        }
        write_row(&mut json, &names, &line?)?;
    }
    json.push(']');
    let keys: BTreeSet<String> = names.into_iter().collect();
    Ok(Payload {
        content: Content::Array(json.into()),
        keys: keys.into_iter().collect(),
    })
}

fn invalid(message: &str) -> Error {
    Error::InvalidBody(message.to_owned())
}

fn write_row(json: &mut String, names: &[String], values: &[Value]) -> Result<(), Error> {
    if names.len() != values.len() {
        return Err(invalid("All lines must have same number of fields"));
    }
    for (number, (name, value)) in names.iter().zip(values).enumerate() {
        json.push(if number == 0 { '{' } else { ',' });
        write_text(json, name);
        json.push(':');
        if value.text == "NULL" && !value.quoted {
            json.push_str("null");
        } else {
            write_text(json, &value.text);
        }
    }
    json.push('}');
    Ok(())
}

fn write_text(json: &mut String, text: &str) {
    // Text always has a JSON form.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// The lines that are left, blank ones passed over.
struct Lines<'a> {
    rest: &'a str,
}

impl Iterator for Lines<'_> {
    type Item = Result<Vec<Value>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rest = self.rest.trim_start_matches(['\r', '\n']);
        if self.rest.is_empty() {
            return None;
        }
        let mut values = Vec::new();
        loop {
            match self.value() {
                Ok(value) => values.push(value),
                Err(error) => {
                    self.rest = "";
                    return Some(Err(error));
                }
            }
            match self.rest.strip_prefix(',') {
                Some(rest) => self.rest = rest,
                None => return Some(Ok(values)),
            }
        }
    }
}

impl Lines<'_> {
    fn value(&mut self) -> Result<Value, Error> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([',', '\r', '\n']).unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok(Value {
                text: text.to_owned(),
                quoted: false,
            });
        };
        self.rest = quoted;
        let mut text = String::new();
        loop {
            let (part, rest) = self
                .rest
                .split_once('"')
                .ok_or_else(|| invalid("Empty or invalid csv"))?;
            text.push_str(part);
            self.rest = rest;
            // A doubled quote stands for one.
            match rest.strip_prefix('"') {
                Some(rest) => {
                    text.push('"');
                    self.rest = rest;
                }
                None if rest.is_empty() || rest.starts_with([',', '\r', '\n']) => break,
                None => return Err(invalid("Empty or invalid csv")),
            }
        }
        Ok(Value { text, quoted: true })
    }
}
