//! Functions and their arguments.

use std::borrow::Cow;

use super::{
    JSON_TYPES,
    document::{Maybe, Operation, Parameter, PathItem, Place, Responses, Schema, Type},
    parameters::references,
    summary_of, types,
};
use crate::catalog::{self, Function, QualifiedName, Volatility};

/// How a function can be called.
pub(super) fn path<'a>(name: &'a QualifiedName, function: &'a Function) -> PathItem<'a> {
    let (summary, description) = summary_of(function.description.as_deref());
    let operation = |parameters| Operation {
        tags: [format!("(rpc) {}", name.name).into()],
        summary,
        description,
        produces: &JSON_TYPES,
        parameters,
        responses: Responses::plain("200", "OK"),
    };
    let arguments = function.parameters.iter();
    let in_query = || {
        arguments
            .map(|parameter| Maybe::Inline(Box::new(in_query(parameter, &name.schema))))
            .collect()
    };
    let reads = function.volatility != Volatility::Volatile;
    let mut in_body = vec![Maybe::Inline(Box::new(body(name, function)))];
    in_body.extend(references(["preferParams"]));
    PathItem {
        get: reads.then(|| operation(in_query())),
        post: Some(operation(in_body)),
        ..PathItem::default()
    }
}

/// An argument in the query string. Arrays are written as PostgreSQL writes them, except for those
/// of variadic parameters, which repeat.
fn in_query<'a>(parameter: &'a catalog::Parameter, schema: &str) -> Parameter<'a> {
    let data_type = types::unqualified(&parameter.data_type, schema);
    let common = Parameter {
        name: &parameter.name,
        required: parameter.required,
        ..Parameter::default()
    };
    let kind = types::kind(data_type).unwrap_or(Type::String);
    if parameter.variadic {
        let element = types::element(data_type);
        return Parameter {
            kind: Some(kind),
            items: Some(Box::new(Schema {
                kind: Some(types::kind(element).unwrap_or(Type::String)),
                format: Some(types::format(element)),
                ..Schema::default()
            })),
            collection_format: Some("multi"),
            ..common
        };
    }
    let kind = match kind {
        Type::Array => Type::String,
        other => other,
    };
    Parameter {
        kind: Some(kind),
        format: Some(types::format(data_type)),
        ..common
    }
}

/// All arguments as one object.
fn body<'a>(name: &QualifiedName, function: &'a Function) -> Parameter<'a> {
    let parameters = function.parameters.iter();
    let required = parameters
        .clone()
        .filter(|parameter| parameter.required)
        .map(|parameter| parameter.name.as_str());
    let properties = parameters.map(|parameter| {
        let data_type = types::unqualified(&parameter.data_type, &name.schema);
        (parameter.name.as_str(), types::schema(data_type))
    });
    let schema = Schema {
        description: function.description.as_deref().map(Cow::Borrowed),
        kind: Some(Type::Object),
        required: required.collect(),
        properties: properties.collect(),
        ..Schema::default()
    };
    Parameter {
        name: "args",
        place: Place::Body,
        required: true,
        schema: Some(Box::new(schema)),
        ..Parameter::default()
    }
}
