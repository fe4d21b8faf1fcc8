//! Texts made of members of a JSON value.
//!
//! `links.avatar.href` is the member of that path; `{first_name} {last_name}` is a text in which paths
//! are replaced. A text one of whose paths is missing is none.

use serde_json::Value;

/// The text that `template` makes of `value`, unless it is empty.
pub fn text(template: &str, value: &Value) -> Option<String> {
    if !template.contains('{') {
        return plain(lookup(template, value)?);
    }
    let mut made = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (path, after) = after.split_once('}')?;
        made.push_str(before);
        made.push_str(&plain(lookup(path, value)?)?);
        rest = after;
    }
    made.push_str(rest);
    let made = made.trim();
    (!made.is_empty()).then(|| made.to_owned())
}

/// The member at `path`; numbers count into lists, and an empty path is the value itself.
pub fn lookup<'a>(path: &str, value: &'a Value) -> Option<&'a Value> {
    // The names of some claims have dots in them.
    if let Some(member) = value.get(path) {
        return Some(member);
    }
    let mut names = path.split('.').filter(|name| !name.is_empty());
    names.try_fold(value, |value, name| match name.parse::<usize>() {
        Ok(index) if value.is_array() => value.get(index),
        _ => value.get(name),
    })
}

/// Whether the member at `path` says yes: providers write it in many ways.
pub fn is_true(path: &str, value: &Value) -> bool {
    match lookup(path, value) {
        Some(Value::Bool(yes)) => *yes,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !["", "0", "false"].contains(&text.as_str()),
        _ => false,
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_and_texts_are_filled_in() {
        let value = json!({"id": 7, "a": {"b": [{"c": "x"}]}, "https://a.b/c": "y", "none": null});
        for (template, expected) in [
            ("id", Some("7")),
            ("a.b.0.c", Some("x")),
            ("https://a.b/c", Some("y")),
            ("{id}/{a.b.0.c}.png", Some("7/x.png")),
            ("{id}/{none}", None),
            ("missing", None),
            ("a", None),
        ] {
            assert_eq!(text(template, &value).as_deref(), expected, "{template}");
        }
    }

    #[test]
    fn yes_is_written_in_many_ways() {
        for yes in [json!(true), json!(1), json!("true"), json!("2020-01-01")] {
            assert!(is_true("x", &json!({ "x": yes })));
        }
        for no in [
            json!(false),
            json!(0),
            json!("false"),
            json!(""),
            Value::Null,
            json!([]),
        ] {
            assert!(!is_true("x", &json!({ "x": no })));
        }
    }
}
