//! Calls of functions.

use bytes::Bytes;

use super::{Bind, value::array_literal, write::needs, writer::Writer};
use crate::{
    catalog::Parameter,
    payload::Content,
    plan::call::{Arguments, Call, Text},
};

/// What the arguments in the body are called.
const BODY: &str = "pgrst_body";
/// What the rows of the function are called.
const ROWS: &str = "rest_call";
/// What a value that is no row is called: the heading of the one column of its CSV.
pub(super) const SCALAR: &str = "pgrst_scalar";

/// The call, giving its rows or its value.
pub(super) fn call(sql: &mut Writer, call: &Call) {
    sql.push("select ");
    if call.gives_scalar() {
        invoke(sql, call);
        sql.push(" as ").ident(SCALAR);
        if let Arguments::Members {
            parameters,
            content,
        } = &call.arguments
        {
            sql.push(" from ");
            members(sql, parameters, content);
        }
        return;
    }
    needs(sql, &call.returning, ROWS);
    sql.push(" from ");
    if let Arguments::Members {
        parameters,
        content,
    } = &call.arguments
    {
        members(sql, parameters, content);
        sql.push(", lateral ");
    }
    invoke(sql, call);
    sql.push(" as ").ident(ROWS);
}

fn invoke(sql: &mut Writer, call: &Call) {
    sql.qualified(&call.name).push("(");
    match &call.arguments {
        Arguments::None => {}
        Arguments::Body { data_type, content } => {
            sql.bind_as(whole(data_type, content))
                .push("::")
                .catalog_sql(data_type);
        }
        Arguments::Members { parameters, .. } => {
            sql.separated(", ", parameters, |sql, parameter| {
                named(sql, parameter).member(BODY, &parameter.name);
            });
        }
        Arguments::Texts(texts) => {
            sql.separated(", ", texts, |sql, (parameter, text)| {
                let text = match text {
                    Text::One(text) => text.clone(),
                    Text::Many(texts) => array_literal(texts),
                };
                named(sql, parameter)
                    .bind(text)
                    .push("::")
                    .catalog_sql(&parameter.data_type);
            });
        }
    }
    sql.push(")");
}

fn named<'a>(sql: &'a mut Writer, parameter: &Parameter) -> &'a mut Writer {
    if parameter.variadic {
        sql.push("variadic ");
    }
    sql.ident(&parameter.name).push(" => ")
}

/// The body as one value.
fn whole(data_type: &str, content: &Content) -> Bind {
    match content {
        Content::Raw(bytes) if data_type == "bytea" => Bind::Binary(bytes.clone()),
        Content::Object(bytes) | Content::Array(bytes) | Content::Raw(bytes) => {
            Bind::Body(bytes.clone())
        }
        Content::None | Content::Form(_) => Bind::Body(Bytes::new()),
    }
}

/// The members of the body; of several objects those of the first.
fn members(sql: &mut Writer, parameters: &[Parameter], content: &Content) {
    let (bytes, is_array) = match content {
        Content::Array(bytes) => (bytes.clone(), true),
        Content::Object(bytes) | Content::Raw(bytes) => (bytes.clone(), false),
        Content::None | Content::Form(_) => (Bytes::from_static(b"{}"), false),
    };
    let function = if is_array {
        "(select * from json_to_recordset("
    } else {
        "json_to_record("
    };
    sql.push(function)
        .bind_body(&bytes)
        .push("::json) as ")
        .ident(BODY)
        .push("(");
    sql.separated(", ", parameters, |sql, parameter| {
        sql.ident(&parameter.name)
            .push(" ")
            .catalog_sql(&parameter.data_type);
    });
    sql.push(")");
    if is_array {
        sql.push(" limit 1) as ").ident(BODY);
    }
}
