//! The filter language: an allow-list of MongoDB's query operators.
//!
//! What comes out is a query that only looks at fields of the documents it is run on. Scoping to
//! an owner is not done here: [`crate::access::Scope`] puts it around the outside, whatever the
//! filter says.

use mongodb::bson::{Bson, Document};

use crate::{Error, document, id::DocumentId, path};

/// Most alternatives in one `$and`, `$or` or `$nor`.
const MAX_BRANCHES: usize = 50;

/// Most values in one `$in`, `$nin` or `$all`.
const MAX_LISTED: usize = 1000;

/// Longest regular expression, in bytes.
const MAX_REGEX_BYTES: usize = 256;

/// Most conditions in one filter.
const MAX_CONDITIONS: usize = 200;

/// How ids are written in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// `_id` is that of a stored document: the plain text of a path stands for it.
    Stored,
    /// `_id` can be anything, as between the stages of a pipeline.
    Any,
}

/// Checks a client's filter and gives the query to run.
pub(crate) fn compile(filter: &Document, ids: Ids) -> Result<Document, Error> {
    Compiler { ids, conditions: 0 }.filter(filter)
}

struct Compiler {
    ids: Ids,
    conditions: usize,
}

impl Compiler {
    fn filter(&mut self, filter: &Document) -> Result<Document, Error> {
        let mut query = Document::new();
        for (key, value) in filter {
            self.conditions += 1;
            if self.conditions > MAX_CONDITIONS {
                return Err(Error::TooComplex("more than 200 conditions"));
            }
            let compiled = match key.as_str() {
                "$and" | "$or" | "$nor" => self.branches(key, value)?,
                operator if operator.starts_with('$') => return Err(not_allowed(operator)),
                path => {
                    path::check(path)?;
                    self.condition(path, value)?
                }
            };
            query.insert(key, compiled);
        }
        Ok(query)
    }

    fn branches(&mut self, operator: &str, value: &Bson) -> Result<Bson, Error> {
        let items = list(operator, value, MAX_BRANCHES)?;
        let compile = |item: &Bson| match item {
            Bson::Document(filter) => self.filter(filter).map(Bson::Document),
            _ => Err(invalid(format!("{operator} takes a list of filters"))),
        };
        items.iter().map(compile).collect::<Result<_, _>>()
    }

    /// What follows a field: a value to be equal to, or operators.
    fn condition(&mut self, path: &str, value: &Bson) -> Result<Bson, Error> {
        match value {
            Bson::Document(operators) if has_operator(operators) => {
                self.operators(path, operators).map(Bson::Document)
            }
            value => self.literal(path, value),
        }
    }

    fn operators(&mut self, path: &str, operators: &Document) -> Result<Document, Error> {
        let mut compiled = Document::new();
        for (operator, value) in operators {
            self.conditions += 1;
            let value = match operator.as_str() {
                "$eq" | "$ne" | "$gt" | "$gte" | "$lt" | "$lte" => self.literal(path, value)?,
                "$in" | "$nin" | "$all" => {
                    let items = list(operator, value, MAX_LISTED)?;
                    let literals = items.iter().map(|item| self.literal(path, item));
                    literals.collect::<Result<_, _>>()?
                }
                "$not" => match value {
                    Bson::Document(inner) if has_operator(inner) => {
                        self.operators(path, inner)?.into()
                    }
                    _ => return Err(invalid("$not takes operators")),
                },
                "$elemMatch" => self.element(path, value)?,
                "$exists" if value.as_bool().is_some() => value.clone(),
                "$exists" => return Err(invalid("$exists takes true or false")),
                "$size" if matches!(value, Bson::Int32(size) if *size >= 0) => value.clone(),
                "$size" => return Err(invalid("$size takes a whole number")),
                "$regex" => regex(value)?,
                "$options" if operators.contains_key("$regex") => options(value)?,
                operator => return Err(not_allowed(operator)),
            };
            compiled.insert(operator, value);
        }
        Ok(compiled)
    }

    fn element(&mut self, path: &str, value: &Bson) -> Result<Bson, Error> {
        let Bson::Document(inner) = value else {
            return Err(invalid("$elemMatch takes a filter or operators"));
        };
        let is_logical = |key: &String| ["$and", "$or", "$nor"].contains(&key.as_str());
        let compiled = if has_operator(inner) && !inner.keys().any(is_logical) {
            self.operators(path, inner)?
        } else {
            // Inside an element, `_id` is the user's own field.
            let ids = std::mem::replace(&mut self.ids, Ids::Any);
            let compiled = self.filter(inner);
            self.ids = ids;
            compiled?
        };
        Ok(compiled.into())
    }

    fn literal(&self, path: &str, value: &Bson) -> Result<Bson, Error> {
        if matches!(value, Bson::RegularExpression(_)) {
            return Err(invalid("write a regular expression as $regex"));
        }
        document::check_value(value)?;
        match value {
            Bson::String(text) if path == document::ID && self.ids == Ids::Stored => {
                Ok(text.parse::<DocumentId>().map_or(value.clone(), Bson::from))
            }
            value => Ok(value.clone()),
        }
    }
}

fn has_operator(document: &Document) -> bool {
    document.keys().any(|key| key.starts_with('$'))
}

fn list<'a>(operator: &str, value: &'a Bson, most: usize) -> Result<&'a [Bson], Error> {
    match value {
        Bson::Array(items) if items.len() > most => Err(Error::TooComplex("a list is too long")),
        Bson::Array(items) if !items.is_empty() || operator == "$in" || operator == "$nin" => {
            Ok(items)
        }
        _ => Err(invalid(format!("{operator} takes a list"))),
    }
}

/// A pattern that is short and holds no control verb such as `(*LIMIT_MATCH=…)`.
pub(crate) fn regex(value: &Bson) -> Result<Bson, Error> {
    match value {
        Bson::String(pattern)
            if pattern.len() <= MAX_REGEX_BYTES
                && !pattern.contains("(*")
                && !pattern.contains("(?C")
                && !pattern.contains('\0') =>
        {
            Ok(value.clone())
        }
        _ => Err(invalid(
            "a regular expression is text of at most 256 bytes, without control verbs",
        )),
    }
}

/// Options of a regular expression, each once.
pub(crate) fn options(value: &Bson) -> Result<Bson, Error> {
    let is_valid = |text: &str| {
        let mut seen = Vec::new();
        text.chars().all(|option| {
            let is_new = !seen.contains(&option);
            seen.push(option);
            is_new && "imsx".contains(option)
        })
    };
    match value {
        Bson::String(text) if is_valid(text) => Ok(value.clone()),
        _ => Err(invalid("$options takes letters of `imsx`, each once")),
    }
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::InvalidFilter(reason.into())
}

fn not_allowed(operator: &str) -> Error {
    Error::OperatorNotAllowed(operator.to_owned())
}

#[cfg(test)]
mod tests {
    use common::error::Problem;
    use mongodb::bson::{doc, oid::ObjectId};

    use super::*;

    fn code(filter: &Document) -> &'static str {
        compile(filter, Ids::Stored).unwrap_err().code()
    }

    #[test]
    fn allowed_operators_pass_unchanged() {
        let filter = doc! {
            "a": 1,
            "b": { "$gte": 1, "$lt": 9, "$ne": null },
            "c.d": { "$in": [1, "x", { "y": 1 }] },
            "e": { "$not": { "$regex": "^x", "$options": "i" } },
            "f": { "$elemMatch": { "g": 1, "$or": [{ "h": 2 }, { "i": { "$exists": false } }] } },
            "j": { "$elemMatch": { "$gt": 1 } },
            "k": { "$size": 2, "$all": ["x"] },
            "$or": [{ "l": 1 }, { "$and": [{ "m": 2 }, { "$nor": [{ "n": 3 }] }] }],
            "embedded": { "x": { "y": 1 } },
        };
        assert_eq!(compile(&filter, Ids::Stored).unwrap(), filter);
    }

    #[test]
    fn what_runs_code_or_is_not_listed_is_refused_wherever_it_stands() {
        for filter in [
            doc! { "$where": "true" },
            doc! { "$expr": { "$function": {} } },
            doc! { "$or": [{ "a": 1 }, { "$where": "true" }] },
            doc! { "a": { "$elemMatch": { "$where": "true" } } },
            doc! { "a": { "$not": { "$where": "true" } } },
            doc! { "a": { "$type": 2 } },
            doc! { "a": { "$options": "i" } },
            doc! { "$jsonSchema": {} },
            doc! { "$text": { "$search": "x" } },
            doc! { "$comment": "x" },
            doc! { "a": { "$gt": 1, "b": 2 } },
        ] {
            assert_eq!(code(&filter), "operator_not_allowed", "{filter}");
        }
        assert_eq!(
            code(&doc! { "a": { "$eq": { "$where": 1 } } }),
            "invalid_key"
        );
        assert_eq!(code(&doc! { "a.$where": 1 }), "invalid_key");
        assert_eq!(
            code(&doc! { "a": { "$in": [{ "b": { "$gt": 1 } }] } }),
            "invalid_key"
        );
    }

    #[test]
    fn arguments_of_the_wrong_kind_are_refused() {
        for filter in [
            doc! { "$or": [] },
            doc! { "$and": { "a": 1 } },
            doc! { "$nor": [1] },
            doc! { "a": { "$in": 1 } },
            doc! { "a": { "$exists": 1 } },
            doc! { "a": { "$size": -1 } },
            doc! { "a": { "$not": 1 } },
            doc! { "a": { "$regex": 1 } },
            doc! { "a": { "$regex": "(*LIMIT_MATCH=1)x" } },
            doc! { "a": { "$regex": "x".repeat(300) } },
            doc! { "a": { "$regex": "x", "$options": "ii" } },
            doc! { "a": { "$elemMatch": 1 } },
        ] {
            assert_eq!(code(&filter), "invalid_filter", "{filter}");
        }
    }

    #[test]
    fn size_is_bounded() {
        let many: Document = (0..=MAX_CONDITIONS)
            .map(|n| (format!("f{n}"), Bson::from(1)))
            .collect();
        assert_eq!(code(&many), "too_complex");
        let long = vec![Bson::from(1); MAX_LISTED + 1];
        assert_eq!(code(&doc! { "a": { "$in": long } }), "too_complex");
    }

    #[test]
    fn ids_are_written_as_in_paths() {
        let hex = "65a1b2c3d4e5f60718293a4b";
        let id = ObjectId::parse_str(hex).unwrap();
        let filter = doc! { "_id": { "$in": [hex, "other"] }, "ref": hex };
        assert_eq!(
            compile(&filter, Ids::Stored).unwrap(),
            doc! { "_id": { "$in": [id, "other"] }, "ref": hex }
        );
        assert_eq!(compile(&filter, Ids::Any).unwrap(), filter);
    }
}
