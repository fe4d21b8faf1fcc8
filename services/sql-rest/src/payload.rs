//! The body of a request: which columns it gives, without its values being looked at.

mod csv;
mod json;

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::{
    error::Error,
    media::MediaType,
    request::{Action, ApiRequest, CallMethod, encoding},
};

/// The body of a request, as far as planning needs to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// What PostgreSQL will be given.
    pub content: Content,
    /// Names of the columns or arguments given, sorted, each once.
    pub keys: Vec<String>,
}

/// What PostgreSQL will be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    #[default]
    None,
    /// A JSON object: one row, or the arguments of a function.
    Object(Bytes),
    /// A JSON array of objects: any number of rows.
    Array(Bytes),
    /// A form: arguments of a function.
    Form(Vec<(String, String)>),
    /// Bytes for the one unnamed parameter of a function.
    Raw(Bytes),
}

impl Payload {
    /// Looks at the body of a request. A request that takes none gives an empty payload.
    pub fn inspect(body: &Bytes, request: &ApiRequest) -> Result<Self, Error> {
        if !request.action.takes_body() {
            return Ok(Self::default());
        }
        let is_call = matches!(request.action, Action::Call(_));
        match &request.content_type {
            MediaType::Json => match columns(request) {
                Some(columns) => Ok(Self::of_columns(body, columns)),
                None if is_call && body.is_empty() => Ok(Self {
                    content: Content::Object(Bytes::new()),
                    keys: Vec::new(),
                }),
                None => json::inspect(body),
            },
            MediaType::Csv => csv::convert(body),
            MediaType::Form => Ok(Self::of_form(body, is_call)),
            MediaType::Text | MediaType::Xml | MediaType::OctetStream if is_call => Ok(Self {
                content: Content::Raw(body.clone()),
                keys: Vec::new(),
            }),
            other => Err(Error::InvalidBody(format!(
                "Content-Type not acceptable: {}",
                other.mime()
            ))),
        }
    }

    /// A JSON body of which only some members matter. PostgreSQL will tell whether it is valid.
    fn of_columns(body: &Bytes, columns: &[String]) -> Self {
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        Self {
            content: match first {
                Some(b'{') => Content::Object(body.clone()),
                _ => Content::Array(body.clone()),
            },
            keys: sorted(columns.iter().cloned()),
        }
    }

    fn of_form(body: &Bytes, is_call: bool) -> Self {
        let text = String::from_utf8_lossy(body);
        let pairs: Vec<(String, String)> = encoding::pairs(&text)
            .into_iter()
            .map(|(key, value)| (key.into_owned(), value.unwrap_or_default().into_owned()))
            .collect();
        let keys = sorted(pairs.iter().map(|(key, _)| key.clone()));
        let content = if is_call {
            Content::Form(pairs)
        } else {
            Content::Object(json::object(&pairs))
        };
        Self { content, keys }
    }
}

/// `columns=`, where it means something.
fn columns(request: &ApiRequest) -> Option<&[String]> {
    match request.action {
        Action::Insert | Action::Update | Action::Call(CallMethod::Post) => {
            request.query.columns.as_deref()
        }
        _ => None,
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests;
