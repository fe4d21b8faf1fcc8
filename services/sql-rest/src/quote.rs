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
