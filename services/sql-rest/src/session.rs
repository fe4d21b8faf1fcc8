//! What a transaction is told before its statement runs: role, claims and the request itself.
//!
//! Everything is set for one transaction with `set_config(name, value, true)`, so it ends with the
//! transaction and cannot reach the next user of the connection.

use std::fmt::Write;

use common::postgres::{self, Isolation, Session};
use http::{HeaderMap, Method, header::COOKIE};

use crate::{
    catalog::QualifiedName,
    config::Settings,
    jwt::Identity,
    plan::Access,
    quote,
    schema_cache::{self, RoleSettings},
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

/// Everything the transaction of a request is told.
///
/// Settings of a role come before the role, since our own may be allowed more than it is.
pub fn session<'a>(
    context: &Context<'a>,
    settings: &'a Settings,
    roles: &'a RoleSettings,
) -> Session<'a> {
    let identity = context.identity;
    let mut session = Session::new(match context.access {
        Access::ReadOnly => postgres::Access::ReadOnly,
        Access::ReadWrite => postgres::Access::ReadWrite,
    });
    let mut isolation = roles.isolation(&identity.role);
    session.set(
        "search_path",
        search_path(context.schema, &settings.extra_search_path),
    );
    for (name, value) in roles.of(&identity.role) {
        session.set(name, value);
    }
    session.set("role", &identity.role);
    session.set("request.jwt.claims", &identity.claims);
    session.set("request.jwt.claim.sub", &identity.subject);
    session.set("request.method", context.method.as_str());
    session.set("request.path", context.path);
    session.set("request.headers", headers_json(context.headers));
    session.set("request.cookies", cookies_json(context.headers));
    if let Some(timezone) = context.timezone {
        session.set("timezone", timezone);
    }
    for (name, value) in context.function_settings {
        if name == schema_cache::ISOLATION {
            isolation = parse_isolation(value);
        } else {
            session.set(name, value);
        }
    }
    for (name, value) in &settings.app {
        session.set(name, value);
    }
    session.isolate(isolation);
    session
}

/// Reads a level of isolation; the default one is none.
pub(crate) fn parse_isolation(text: &str) -> Option<Isolation> {
    match text.to_ascii_lowercase().as_str() {
        "repeatable read" => Some(Isolation::RepeatableRead),
        "serializable" => Some(Isolation::Serializable),
        _ => None,
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
    let is_plain = |byte: u8| byte >= b' ' && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(is_plain) {
        json.push_str(text);
    } else {
        json_escaped(json, text);
    }
    json.push('"');
}

fn json_escaped(json: &mut String, text: &str) {
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
}
