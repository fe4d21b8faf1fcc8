//! Types of PostgreSQL in terms of Swagger.

use serde_json::Value;

use super::document::{Schema, Type};
use crate::catalog::Column;

/// The type of JSON that values of a type have; none when that can be any.
pub(super) fn kind(data_type: &str) -> Option<Type> {
    match data_type {
        "boolean" => Some(Type::Boolean),
        "smallint" | "integer" | "bigint" => Some(Type::Integer),
        "numeric" | "real" | "double precision" => Some(Type::Number),
        "json" | "jsonb" => None,
        array if array.ends_with("[]") => Some(Type::Array),
        _ => Some(Type::String),
    }
}

/// What narrows that down: a format of Swagger, or the name of the type.
pub(super) fn format(data_type: &str) -> &str {
    match data_type {
        "smallint" | "integer" => "int32",
        "bigint" => "int64",
        other => other,
    }
}

/// The type of an array's elements.
pub(super) fn element(data_type: &str) -> &str {
    data_type.strip_suffix("[]").unwrap_or(data_type)
}

/// The schema of values of a type.
pub(super) fn schema(data_type: &str) -> Schema<'_> {
    let kind = kind(data_type);
    let items = || {
        Box::new(Schema {
            kind: self::kind(element(data_type)),
            ..Schema::default()
        })
    };
    Schema {
        kind,
        format: Some(format(data_type)),
        items: (kind == Some(Type::Array)).then(items),
        ..Schema::default()
    }
}

/// The type to describe a column by: that below a domain when PostgreSQL knows it by itself.
pub(super) fn of_column(column: &Column) -> &str {
    let is_built_in = !column.base_type.contains('.');
    if is_built_in && !column.base_type.is_empty() {
        &column.base_type
    } else {
        &column.data_type
    }
}

/// The name of a type without the schema that is searched first.
pub(super) fn unqualified<'a>(data_type: &'a str, schema: &str) -> &'a str {
    let rest = data_type.strip_prefix(schema);
    rest.and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(data_type)
}

/// A default as a value, when the expression is one.
pub(super) fn default(data_type: &str, expression: &str) -> Option<Value> {
    if kind(data_type) != Some(Type::String) {
        return serde_json::from_str(expression).ok();
    }
    let literal = expression
        .strip_suffix(data_type)
        .and_then(|rest| rest.strip_suffix("::"));
    let text = match literal {
        Some(literal) => literal.trim_matches('\'').replace("''", "'"),
        None => expression.to_owned(),
    };
    Some(Value::String(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_values_where_they_can_be() {
        let cases = [
            ("text", "'default'::text", Some(json!("default"))),
            ("text", "'it''s'::text", Some(json!("it's"))),
            ("boolean", "false", Some(json!(false))),
            ("integer", "42", Some(json!(42))),
            ("numeric", "42.2", Some(json!(42.2))),
            ("date", "'1900-01-01'::date", Some(json!("1900-01-01"))),
            ("app.mood", "'ok'::app.mood", Some(json!("ok"))),
            ("timestamp with time zone", "now()", Some(json!("now()"))),
            ("integer", "nextval('a_id_seq'::regclass)", None),
            ("jsonb", "'{}'::jsonb", None),
        ];
        for (data_type, expression, value) in cases {
            assert_eq!(default(data_type, expression), value, "{expression}");
        }
    }

    #[test]
    fn arrays_describe_their_elements() {
        let written = |data_type| serde_json::to_value(schema(data_type)).unwrap();
        assert_eq!(
            written("integer[]"),
            json!({ "type": "array", "format": "integer[]", "items": { "type": "integer" } })
        );
        assert_eq!(
            written("json[]"),
            json!({ "type": "array", "format": "json[]", "items": {} })
        );
        assert_eq!(written("jsonb"), json!({ "format": "jsonb" }));
        assert_eq!(
            written("bigint"),
            json!({ "type": "integer", "format": "int64" })
        );
    }
}
