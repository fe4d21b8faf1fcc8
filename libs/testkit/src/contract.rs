//! Contracts: a service's OpenAPI document, kept current in `contracts/` and held against every
//! response of its tests.

use std::{collections::HashSet, fs, path::PathBuf};

use common::service::Service;
use http::{Method, StatusCode};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::client::Response;

/// Set to rewrite the files instead of failing.
const UPDATE: &str = "UPDATE_CONTRACTS";

/// The OpenAPI document of one service.
#[derive(Clone, Debug)]
pub struct Contract(Value);

/// A method and a path template of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path, parameters in braces.
    pub template: String,
}

/// Fails when the service's file in `contracts/` is not what its code says, or two operations have
/// one name. With `UPDATE_CONTRACTS=1` the file is written instead.
pub fn assert_current<S: Service>() {
    Contract::of::<S>().assert_unique_names();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../contracts")
        .join(format!("{}.json", S::NAME));
    let text = S::contract().to_pretty_json().expect("a contract is JSON") + "\n";
    if std::env::var_os(UPDATE).is_some() {
        fs::create_dir_all(file.parent().expect("a file in a folder")).expect("a folder");
        fs::write(&file, text).expect("the contract is written");
        return;
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == text,
        "contracts/{}.json is not current; run the test again with {UPDATE}=1",
        S::NAME
    );
}

impl Contract {
    /// What the code of `S` says.
    pub fn of<S: Service>() -> Self {
        Self(serde_json::to_value(S::contract()).expect("a contract is JSON"))
    }

    /// Every operation of the contract.
    pub fn operations(&self) -> Vec<Operation> {
        let of_path = |(template, item): (&String, &Value)| {
            let methods = item.as_object().into_iter().flatten();
            let operation = |(name, _): (&String, &Value)| {
                let method = name.to_ascii_uppercase().parse().ok()?;
                let template = template.clone();
                is_method(name).then_some(Operation { method, template })
            };
            methods.filter_map(operation).collect::<Vec<_>>()
        };
        self.paths().flat_map(of_path).collect()
    }

    /// Fails when two operations have one name: generated clients would lose one of them.
    fn assert_unique_names(&self) {
        let mut names = HashSet::new();
        for (template, item) in self.paths() {
            for operation in item
                .as_object()
                .into_iter()
                .flatten()
                .map(|(_, value)| value)
            {
                if let Some(name) = operation["operationId"].as_str() {
                    assert!(names.insert(name), "{template} repeats the name {name}");
                }
            }
        }
    }

    /// Fails when the contract does not know this response to `method path`.
    pub(crate) fn check(&self, method: &Method, path: &str, response: &Response) {
        let status = response.status;
        let Some(item) = self.item(path) else {
            assert_eq!(status, StatusCode::NOT_FOUND, "{path} is in no contract");
            return;
        };
        let known = match *method {
            // A GET without its body.
            Method::HEAD => return,
            _ => item.get(method.as_str().to_ascii_lowercase()),
        };
        let Some(operation) = known else {
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            return;
        };
        let documented = operation["responses"].get(status.as_str());
        assert!(
            documented.is_some(),
            "{method} {path} answers {status}, which its contract does not know:\n{}",
            response.text()
        );
        if let Some(schema) =
            documented.unwrap_or(&Value::Null)["content"]["application/json"].get("schema")
        {
            let body = response.json();
            let errors: Vec<String> = self
                .validator(schema)
                .iter_errors(&body)
                .map(|error| format!("{} at {}", error, error.instance_path()))
                .collect();
            assert!(
                errors.is_empty(),
                "{method} {path} answers {status} with what its contract does not know: {errors:#?}\n{body:#}"
            );
        }
    }

    /// A validator for a schema that may refer to others of the document.
    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({ "allOf": [schema], "components": self.0["components"] });
        jsonschema::validator_for(&whole).expect("a schema of the contract is valid")
    }

    /// The description of the path; of several that fit, the one with the fewest parameters.
    fn item(&self, path: &str) -> Option<&Value> {
        self.paths()
            .filter(|(template, _)| fits(template, path))
            .min_by_key(|(template, _)| template.matches('{').count())
            .map(|(_, item)| item)
    }

    fn paths(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["paths"].as_object().into_iter().flatten()
    }
}

impl Operation {
    /// The path with `value` for every parameter.
    pub fn path_with(&self, value: &str) -> String {
        let segment = |name: &str| {
            if name.starts_with('{') {
                value.to_owned()
            } else {
                name.to_owned()
            }
        };
        let segments: Vec<String> = self.template.split('/').map(segment).collect();
        segments.join("/")
    }
}

fn fits(template: &str, path: &str) -> bool {
    let names = template.split('/');
    names.clone().count() == path.split('/').count()
        && names.zip(path.split('/')).all(|(name, segment)| {
            name == segment || (name.starts_with('{') && !segment.is_empty())
        })
}

fn is_method(name: &str) -> bool {
    [
        "get", "put", "post", "delete", "options", "head", "patch", "trace",
    ]
    .contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_described_by_the_template_with_the_fewest_parameters() {
        let contract = Contract(json!({ "paths": {
            "/a/{id}": { "get": {}, "summary": "one" },
            "/a/all": { "post": {}, "parameters": [] },
        } }));
        assert!(contract.item("/a/all").unwrap().get("post").is_some());
        assert!(contract.item("/a/7").unwrap().get("get").is_some());
        assert!(contract.item("/a/").is_none());
        assert!(contract.item("/a/7/b").is_none());
        assert_eq!(contract.operations().len(), 2);
    }

    #[test]
    fn parameters_are_filled_in() {
        let operation = Operation {
            method: Method::GET,
            template: "/a/{id}/b/{name}".to_owned(),
        };
        assert_eq!(operation.path_with("x"), "/a/x/b/x");
    }
}
