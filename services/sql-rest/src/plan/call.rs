//! A call of a function, resolved.

use std::collections::BTreeSet;

use super::{node::Node, scope::Scope, write::Needs};
use crate::{
    catalog::{Catalog, Function, Parameter, QualifiedName, ReturnKind},
    error::{Error, NoFunction, SingleParameter},
    fuzzy,
    media::MediaType,
    payload::{Content, Payload},
    request::{Action, ApiRequest, CallMethod},
};

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function's name.
    pub name: QualifiedName,
    /// The overload chosen.
    pub function: Function,
    /// What it is called with.
    pub arguments: Arguments,
    /// What of its rows is needed afterwards; nothing when it gives none.
    pub returning: Needs,
}

/// What a function is called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// Nothing.
    None,
    /// The body as its one unnamed argument.
    Body {
        /// Type of the parameter.
        data_type: String,
        /// The body.
        content: Content,
    },
    /// Members of a JSON body.
    Members {
        /// The parameters given.
        parameters: Vec<Parameter>,
        /// The body.
        content: Content,
    },
    /// Texts.
    Texts(Vec<(Parameter, Text)>),
}

/// An argument given as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// One value.
    One(String),
    /// The values of a variadic parameter.
    Many(Vec<String>),
}

impl Call {
    pub(super) fn new(
        name: QualifiedName,
        function: &Function,
        request: &ApiRequest,
        payload: Payload,
        returning: Needs,
    ) -> Self {
        let by_body = request.action == Action::Call(CallMethod::Post);
        let arguments = match (function.parameters.as_slice(), payload.content) {
            ([single], content) if single.name.is_empty() => Arguments::Body {
                data_type: single.data_type.clone(),
                content,
            },
            (parameters, Content::Form(pairs)) => texts(parameters, &pairs),
            (parameters, _) if !by_body => texts(parameters, &request.query.arguments),
            (parameters, content) => members(parameters, &payload.keys, content),
        };
        Self {
            name,
            function: function.clone(),
            arguments,
            returning,
        }
    }

    /// Whether the result is a value rather than a row.
    pub fn gives_scalar(&self) -> bool {
        matches!(
            self.function.returns.kind,
            ReturnKind::Scalar(_) | ReturnKind::Void
        )
    }
}

fn members(parameters: &[Parameter], keys: &[String], content: Content) -> Arguments {
    let given: Vec<Parameter> = parameters
        .iter()
        .filter(|parameter| keys.contains(&parameter.name))
        .cloned()
        .collect();
    if given.is_empty() {
        return Arguments::None;
    }
    Arguments::Members {
        parameters: given,
        content,
    }
}

/// The last text of each name, or all of them where any number is taken.
fn texts(parameters: &[Parameter], pairs: &[(String, String)]) -> Arguments {
    let given = parameters.iter().filter_map(|parameter| {
        let named = pairs.iter().filter(|(name, _)| *name == parameter.name);
        let mut values: Vec<String> = named.map(|(_, value)| value.clone()).collect();
        let text = if parameter.variadic {
            (!values.is_empty()).then_some(Text::Many(values))
        } else {
            values.pop().map(Text::One)
        };
        text.map(|text| (parameter.clone(), text))
    });
    let given: Vec<(Parameter, Text)> = given.collect();
    if given.is_empty() {
        Arguments::None
    } else {
        Arguments::Texts(given)
    }
}

/// The relation whose rows a function gives.
pub(super) fn row_type(function: &Function) -> Option<&QualifiedName> {
    match &function.returns.kind {
        ReturnKind::Relation(name) => Some(name),
        ReturnKind::Void | ReturnKind::Scalar(_) | ReturnKind::Record => None,
    }
}

/// The names that mean something in a function's result.
pub(super) fn scope<'a>(
    function: &'a Function,
    row_of: &QualifiedName,
    shown_as: &'a str,
    catalog: &'a Catalog,
) -> Scope<'a> {
    let scope = Scope::of_relation(catalog, row_of, shown_as);
    match function.returns.kind {
        ReturnKind::Void | ReturnKind::Scalar(_) => scope.of_value(),
        ReturnKind::Relation(_) | ReturnKind::Record => {
            scope.with_result(&function.returns.columns)
        }
    }
}

/// What of a function's rows a read needs afterwards.
pub(super) fn needs(function: &Function, node: &Node, scope: &Scope<'_>) -> Result<Needs, Error> {
    match function.returns.kind {
        ReturnKind::Void | ReturnKind::Scalar(_) => Ok(Needs::default()),
        ReturnKind::Relation(_) | ReturnKind::Record => {
            // All columns are there anyway; what counts is what must be computed from them.
            Needs::of(node, scope, true)
        }
    }
}

/// The overload that is meant.
pub(super) fn find<'a>(
    request: &ApiRequest,
    payload: &Payload,
    name: &QualifiedName,
    catalog: &'a Catalog,
) -> Result<&'a Function, Error> {
    let overloads = catalog.functions.get(name).map_or(&[][..], Vec::as_slice);
    let given = Given::by(request, payload);
    let by_names: Vec<&Function> = overloads
        .iter()
        .filter(|function| given.fits(function))
        .collect();
    let candidates = if by_names.is_empty() {
        overloads
            .iter()
            .filter(|function| given.fits_single(function))
            .collect()
    } else {
        by_names
    };
    match candidates.as_slice() {
        [] => Err(given.none(name, overloads, catalog)),
        [one] => Ok(*one),
        several => Err(Error::AmbiguousFunction(
            several
                .iter()
                .map(|function| signature(name, function))
                .collect(),
        )),
    }
}

fn signature(name: &QualifiedName, function: &Function) -> String {
    let parameters: Vec<String> = function
        .parameters
        .iter()
        .map(|parameter| format!("{} => {}", parameter.name, parameter.data_type))
        .collect();
    format!("{}.{}({})", name.schema, name.name, parameters.join(", "))
}

/// The arguments of a call, as far as they choose the function.
struct Given<'a> {
    names: BTreeSet<&'a str>,
    /// Media type of the body; none when there is no body.
    body: Option<&'a MediaType>,
}

impl<'a> Given<'a> {
    fn by(request: &'a ApiRequest, payload: &'a Payload) -> Self {
        let by_body = request.action == Action::Call(CallMethod::Post);
        let names = if by_body {
            payload.keys.iter().map(String::as_str).collect()
        } else {
            request
                .query
                .arguments
                .iter()
                .map(|(name, _)| name.as_str())
                .collect()
        };
        Self {
            names,
            body: by_body.then_some(&request.content_type),
        }
    }

    /// The body is no set of arguments but one value.
    fn raw_type(&self) -> Option<&'static str> {
        match self.body? {
            MediaType::Text => Some("text"),
            MediaType::Xml => Some("xml"),
            MediaType::OctetStream => Some("bytea"),
            _ => None,
        }
    }

    /// Whether all required parameters are given and nothing that is no parameter.
    fn fits(&self, function: &Function) -> bool {
        if function.parameters.is_empty() {
            return self.names.is_empty() && self.raw_type().is_none();
        }
        let all_given = function
            .parameters
            .iter()
            .filter(|parameter| parameter.required)
            .all(|parameter| self.names.contains(parameter.name.as_str()));
        let all_known = self.names.iter().all(|name| {
            function
                .parameters
                .iter()
                .any(|parameter| parameter.name == *name)
        });
        all_given && all_known
    }

    /// Whether the one parameter takes the whole body.
    fn fits_single(&self, function: &Function) -> bool {
        let [parameter] = function.parameters.as_slice() else {
            return false;
        };
        let data_type = parameter.data_type.as_str();
        match self.body {
            Some(MediaType::Json) => {
                parameter.name.is_empty() && matches!(data_type, "json" | "jsonb")
            }
            _ => parameter.name.is_empty() && self.raw_type() == Some(data_type),
        }
    }

    fn none(&self, name: &QualifiedName, overloads: &[Function], catalog: &Catalog) -> Error {
        let single = match (self.raw_type(), self.body) {
            (Some(data_type), _) => SingleParameter::Only(data_type),
            (None, Some(MediaType::Json)) => SingleParameter::Json,
            _ => SingleParameter::NotConsidered,
        };
        let similar = match single {
            SingleParameter::Only(_) => None,
            _ => self.similar(name, overloads, catalog),
        };
        Error::NoFunction(Box::new(NoFunction {
            schema: name.schema.clone(),
            name: name.name.clone(),
            arguments: self.names.iter().map(|name| (*name).to_owned()).collect(),
            single,
            similar,
        }))
    }

    /// Another function or, where there is one of this name, other arguments for it.
    fn similar(
        &self,
        name: &QualifiedName,
        overloads: &[Function],
        catalog: &Catalog,
    ) -> Option<String> {
        let schema = &name.schema;
        if overloads.is_empty() {
            let names = catalog
                .functions
                .keys()
                .filter(|other| other.schema == *schema);
            let names = names.map(|other| other.name.as_str());
            let (_, similar) = fuzzy::closest(&name.name, names, fuzzy::SIMILAR)?;
            return Some(format!("{schema}.{similar}"));
        }
        let lists: Vec<String> = overloads
            .iter()
            .map(|function| {
                list(
                    function
                        .parameters
                        .iter()
                        .map(|parameter| parameter.name.as_str()),
                )
            })
            .collect();
        let asked = list(self.names.iter().copied());
        let lists = lists.iter().map(String::as_str);
        let (_, similar) = fuzzy::closest(&asked, lists, fuzzy::LOOSELY_SIMILAR)?;
        Some(format!("{schema}.{}{similar}", name.name))
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    format!("({})", names.join(", "))
}
