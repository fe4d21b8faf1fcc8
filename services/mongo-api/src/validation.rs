//! Which rule of a collection's validator a document breaks.

use mongodb::bson::{Bson, Document};
use serde::Serialize;
use utoipa::ToSchema;

/// Most rules that are told.
const MAX_RULES: usize = 50;

/// A rule of a validator that a document breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Broken {
    /// Path of the field, empty for the document itself.
    pub(crate) field: String,
    /// Keyword of the JSON schema, such as `bsonType` or `required`.
    pub(crate) rule: String,
    /// What is wrong.
    pub(crate) reason: String,
}

/// The broken rules in what MongoDB says of a refused document (its `errInfo`).
pub(crate) fn broken_rules(info: Option<&Document>) -> Vec<Broken> {
    let mut rules = Vec::new();
    if let Some(details) = info.and_then(|info| info.get_document("details").ok()) {
        collect("", details, &mut rules);
    }
    rules
}

/// Walks one node: a broken rule, or a group of them for a field, an element or a branch.
fn collect(field: &str, node: &Document, rules: &mut Vec<Broken>) {
    if rules.len() == MAX_RULES {
        return;
    }
    let field = match (node.get("propertyName"), node.get("itemIndex")) {
        (Some(Bson::String(name)), _) => join(field, name),
        (_, Some(index)) => join(field, &index.to_string()),
        _ => field.to_owned(),
    };
    let mut groups = node
        .iter()
        .filter(|(key, _)| {
            key.ends_with("NotSatisfied") || *key == "details" || *key == "clausesNotSatisfied"
        })
        .filter_map(|(_, value)| value.as_array())
        .peekable();
    if groups.peek().is_none()
        && let Ok(rule) = node.get_str("operatorName")
    {
        rules.push(Broken {
            field,
            rule: rule.to_owned(),
            reason: reason(node),
        });
        return;
    }
    for child in groups.flatten().filter_map(Bson::as_document) {
        collect(&field, child, rules);
    }
}

/// What MongoDB says, with the names that only it knows.
fn reason(node: &Document) -> String {
    let names = |key| node.get_array(key).ok().map(|names| list(names));
    if let Some(missing) = names("missingProperties") {
        return format!("missing: {missing}");
    }
    if let Some(additional) = names("additionalProperties") {
        return format!("not allowed: {additional}");
    }
    let reason = node.get_str("reason").unwrap_or("not satisfied");
    match node.get_document("specifiedAs") {
        Ok(rule) => format!("{reason}: {}", Bson::from(rule).into_relaxed_extjson()),
        Err(_) => reason.to_owned(),
    }
}

fn list(names: &[Bson]) -> String {
    let names: Vec<&str> = names.iter().filter_map(Bson::as_str).collect();
    names.join(", ")
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn nested_rules_are_told_with_their_paths() {
        let info = doc! { "details": {
            "operatorName": "$jsonSchema",
            "schemaRulesNotSatisfied": [
                { "operatorName": "properties", "propertiesNotSatisfied": [
                    { "propertyName": "price", "details": [
                        { "operatorName": "bsonType", "specifiedAs": { "bsonType": "number" },
                          "reason": "type did not match", "consideredValue": "secret" },
                    ] },
                ] },
                { "operatorName": "required", "specifiedAs": { "required": ["title"] },
                  "missingProperties": ["title"] },
            ],
        } };
        let broken = broken_rules(Some(&info));
        let told: Vec<_> = broken
            .iter()
            .map(|rule| {
                (
                    rule.field.as_str(),
                    rule.rule.as_str(),
                    rule.reason.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    "price",
                    "bsonType",
                    r#"type did not match: {"bsonType":"number"}"#
                ),
                ("", "required", "missing: title"),
            ]
        );
    }

    #[test]
    fn nothing_to_tell_is_no_failure() {
        assert!(broken_rules(None).is_empty());
        assert!(broken_rules(Some(&doc! { "details": { "x": 1 } })).is_empty());
    }
}
