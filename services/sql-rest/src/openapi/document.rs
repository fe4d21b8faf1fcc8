//! The parts of a Swagger 2.0 document (OpenAPI specification 2.0) that are written here.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// The whole.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    pub(super) swagger: &'static str,
    pub(super) info: Info<'a>,
    pub(super) host: &'a str,
    pub(super) base_path: &'a str,
    pub(super) schemes: [&'a str; 1],
    pub(super) consumes: &'static [&'static str],
    pub(super) produces: &'static [&'static str],
    pub(super) paths: IndexMap<String, PathItem<'a>>,
    pub(super) definitions: IndexMap<&'a str, Schema<'a>>,
    pub(super) parameters: IndexMap<String, Parameter<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_definitions: Option<SecurityDefinitions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security: Option<[SecurityRequirement; 1]>,
    pub(super) external_docs: ExternalDocs,
}

#[derive(Debug, Serialize)]
pub(super) struct Info<'a> {
    pub(super) version: &'static str,
    pub(super) title: &'a str,
    pub(super) description: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct ExternalDocs {
    pub(super) description: &'static str,
    pub(super) url: String,
}

#[derive(Debug, Serialize)]
pub(super) struct SecurityDefinitions {
    #[serde(rename = "JWT")]
    pub(super) jwt: SecurityScheme,
}

/// What a request needs; scopes are for OAuth alone.
#[derive(Debug, Default, Serialize)]
pub(super) struct SecurityRequirement {
    #[serde(rename = "JWT")]
    scopes: [&'static str; 0],
}

#[derive(Debug, Serialize)]
pub(super) struct SecurityScheme {
    pub(super) description: &'static str,
    pub(super) name: &'static str,
    #[serde(rename = "in")]
    pub(super) place: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct PathItem<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) get: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) post: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delete: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) patch: Option<Operation<'a>>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Operation<'a> {
    pub(super) tags: [Cow<'a, str>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    pub(super) produces: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parameters: Vec<Maybe<Parameter<'a>>>,
    pub(super) responses: Responses<'a>,
}

/// Responses by status.
#[derive(Clone, Debug)]
pub(super) struct Responses<'a>(pub(super) Vec<(&'static str, Response<'a>)>);

#[derive(Clone, Debug, Serialize)]
pub(super) struct Response<'a> {
    pub(super) description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<Schema<'a>>,
}

/// Something in place, or elsewhere in the document.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Maybe<T> {
    Reference {
        #[serde(rename = "$ref")]
        reference: String,
    },
    Inline(Box<T>),
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    #[serde(rename = "in")]
    pub(super) place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    pub(super) required: bool,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Type>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<&'a str>,
    #[serde(rename = "enum", skip_serializing_if = "<[&str]>::is_empty")]
    pub(super) words: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Box<Schema<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) collection_format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<Box<Schema<'a>>>,
}

/// Where a parameter stands in a request.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Place {
    #[default]
    Query,
    Header,
    Body,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schema<'a> {
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) required: Vec<&'a str>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(super) properties: IndexMap<&'a str, Self>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Cow<'a, str>>,
    #[serde(rename = "enum", skip_serializing_if = "<[String]>::is_empty")]
    pub(super) labels: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_length: Option<i32>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Type>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Box<Self>>,
}

/// The types of Swagger that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Type {
    String,
    Boolean,
    Integer,
    Number,
    Array,
    Object,
}

impl Responses<'_> {
    /// One response without a body worth describing.
    pub(super) fn plain(status: &'static str, description: &'static str) -> Self {
        let response = Response {
            description,
            schema: None,
        };
        Self(vec![(status, response)])
    }
}

impl Serialize for Responses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (status, response) in &self.0 {
            map.serialize_entry(status, response)?;
        }
        map.end()
    }
}

/// Leads to a parameter or definition called `name` (a JSON pointer, RFC 6901).
pub(super) fn pointer(to: &str, name: &str) -> String {
    let name = name.replace('~', "~0").replace('/', "~1");
    format!("#/{to}/{name}")
}
