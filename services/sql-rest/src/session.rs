//! What a transaction is told before its statement runs: role, claims and the request itself.
//!
//! Everything is set for one transaction with `set_config(name, value, true)`, so it ends with the
//! transaction and cannot reach the next user of the connection.

use std::fmt::Write;

use http::{HeaderMap, Method, header::COOKIE};

use crate::{
    catalog::QualifiedName,
    config::Settings,
    jwt::Identity,
    plan::Access,
    quote,
    schema_cache::{Isolation, RoleSettings},
    wire::Param,
};

/// Who asks for what.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Who the request speaks for.
    pub identity: &'a Identity,
    /// Method of the request.
    pub method: &'a Method,
    /// Path of the request.
    pub path: &'a str,
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// The schema the request addresses.
    pub schema: &'a str,
    /// What the transaction may do.
    pub access: Access,
    /// The time zone the client prefers.
    pub timezone: Option<&'a str>,
    /// Settings of the function that is called.
    pub function_settings: &'a [(String, String)],
}

/// The statement that sets a transaction up.
#[derive(Debug)]
pub struct Session {
    sql: String,
    values: Vec<String>,
    isolation: Option<Isolation>,
}

impl Session {
    /// Sets up a transaction for `context`.
    ///
    /// Settings of a role come before the role, since our own may be allowed more than it is.
    pub fn new(context: &Context<'_>, settings: &Settings, roles: &RoleSettings) -> Self {
        let identity = context.identity;
        let mut session = Self {
            sql: String::with_capacity(512),
            values: Vec::with_capacity(16),
            isolation: roles.isolation(&identity.role),
        };
        session.set(
            "search_path",
            search_path(context.schema, &settings.extra_search_path),
        );
        for (name, value) in roles.of(&identity.role) {
            session.set(name, value.clone());
        }
        session.set("role", identity.role.clone());
        session.set("request.jwt.claims", identity.claims.clone());
        session.set("request.jwt.claim.sub", identity.subject.clone());
        session.set("request.method", context.method.to_string());
        session.set("request.path", context.path.to_owned());
        session.set("request.headers", headers_json(context.headers));
        session.set("request.cookies", cookies_json(context.headers));
        if let Some(timezone) = context.timezone {
            session.set("timezone", timezone.to_owned());
        }
        for (name, value) in context.function_settings {
            if name == Isolation::SETTING {
                session.isolation = Isolation::parse(value);
            } else {
                session.set(name, value.clone());
            }
        }
        for (name, value) in &settings.app {
            session.set(name, value.clone());
        }
        session
    }

    /// The statement's text; `read_only` has it forbid writes too.
    pub fn sql(&self, read_only: bool) -> String {
        let first = if read_only {
            "set_config('transaction_read_only', 'on', true), "
        } else {
            ""
        };
        format!("select {first}{}", self.sql)
    }

    /// The statement's parameters.
    pub fn params(&self) -> Vec<Param<'_>> {
        let texts = self
            .values
            .iter()
            .map(|value| Param::Text(value.as_bytes()));
        texts.collect()
    }

    /// The statement that begins the transaction, when that cannot be left to the server.
    pub fn begin(&self, access: Access, forced: bool) -> Option<String> {
        if self.isolation.is_none() && !forced {
            return None;
        }
        let isolation = match self.isolation {
            None => "",
            Some(Isolation::RepeatableRead) => " isolation level repeatable read",
            Some(Isolation::Serializable) => " isolation level serializable",
        };
        let access = match access {
            Access::ReadOnly => " read only",
            Access::ReadWrite => "",
        };
        Some(format!("begin{isolation}{access}"))
    }

    fn set(&mut self, name: &str, value: String) {
        if !self.sql.is_empty() {
            self.sql.push_str(", ");
        }
        self.values.push(value);
        self.sql.push_str("set_config(");
        quote::literal(&mut self.sql, name);
        // Writing to a string does not fail.
        let _ = write!(self.sql, ", ${}, true)", self.values.len());
    }
}

/// The call of a function that prepares each request.
pub fn call(function: &QualifiedName) -> String {
    let mut sql = "select ".to_owned();
    quote::qualified(&mut sql, function);
    sql + "()"
}

fn search_path(schema: &str, extra: &[String]) -> String {
    let mut path = String::new();
    quote::ident(&mut path, schema);
    for schema in extra {
        path.push_str(", ");
        quote::ident(&mut path, schema);
    }
    path
}

/// The headers as a JSON object; of repeated ones JSON takes the last.
fn headers_json(headers: &HeaderMap) -> String {
    let pairs = headers
        .iter()
        .filter(|(name, _)| *name != COOKIE)
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    json_object(pairs)
}

fn cookies_json(headers: &HeaderMap) -> String {
    let lines = headers.get_all(COOKIE).into_iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='));
    json_object(pairs)
}

fn json_object(pairs: impl Iterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> String {
    let mut json = String::with_capacity(256);
    json.push('{');
    for (name, value) in pairs {
        if json.len() > 1 {
            json.push(',');
        }
        json_string(&mut json, name.as_ref());
        json.push(':');
        json_string(&mut json, value.as_ref());
    }
    json.push('}');
    json
}

/// Appends a JSON string.
fn json_string(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => {
                // Writing to a string does not fail.
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}
