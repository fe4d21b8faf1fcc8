//! The only place where names become SQL text.

use std::fmt::Write;

use crate::catalog::QualifiedName;

/// Appends a quoted identifier.
pub fn ident(sql: &mut String, name: &str) {
    sql.push('"');
    for character in name.chars() {
        match character {
            // PostgreSQL cannot hold it in a name, and text ends there for it.
            '\0' => break,
            '"' => sql.push_str("\"\""),
            other => sql.push(other),
        }
    }
    sql.push('"');
}

/// Appends a quoted name with its schema; an empty schema is left out.
pub fn qualified(sql: &mut String, name: &QualifiedName) {
    if !name.schema.is_empty() {
        ident(sql, &name.schema);
        sql.push('.');
    }
    ident(sql, &name.name);
}

/// Appends a quoted text, for names of settings; values are binds.
pub fn literal(sql: &mut String, text: &str) {
    sql.push('\'');
    for character in text.chars() {
        match character {
            '\0' => break,
            '\'' => sql.push_str("\'\'"),
            other => sql.push(other),
        }
    }
    sql.push('\'');
}

/// Appends the placeholder of a bind.
pub fn placeholder(sql: &mut String, number: usize) {
    // Writing to a `String` cannot fail.
    let _ = write!(sql, "${number}");
}

/// Appends the name of a type as a client wrote it: words PostgreSQL's grammar knows as they are,
/// anything else as a name, in the case an unquoted name would have.
pub fn type_name(sql: &mut String, name: &str) {
    let lower = name.to_lowercase();
    match KEYWORD_TYPES.iter().find(|keyword| **keyword == lower) {
        Some(keyword) => sql.push_str(keyword),
        None => ident(sql, &lower),
    }
}

/// Types that are no names but words of the grammar.
const KEYWORD_TYPES: [&str; 22] = [
    "bit",
    "bit varying",
    "boolean",
    "bigint",
    "char",
    "character",
    "character varying",
    "dec",
    "decimal",
    "double precision",
    "float",
    "int",
    "integer",
    "interval",
    "numeric",
    "real",
    "smallint",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "varchar",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(&mut String, &str), name: &str) -> String {
        let mut sql = String::new();
        write(&mut sql, name);
        sql
    }

    #[test]
    fn quotes_in_names_are_doubled() {
        assert_eq!(written(ident, r#"a"b; drop--"#), r#""a""b; drop--""#);
        assert_eq!(written(ident, "a\0b"), r#""a""#);
    }

    #[test]
    fn types_are_words_of_the_grammar_or_quoted_names() {
        assert_eq!(written(type_name, "INT"), "int");
        assert_eq!(written(type_name, "_int4"), r#""_int4""#);
        assert_eq!(written(type_name, "Text"), r#""text""#);
        assert_eq!(written(type_name, "int)) from x"), r#""int)) from x""#);
    }
}
