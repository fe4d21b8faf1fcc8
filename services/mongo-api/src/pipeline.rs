//! The aggregation language: an allow-list of stages over the owner's documents.
//!
//! No stage here reads another collection, writes, or runs code. The scope of the caller is the
//! first stage, put there by the store, so that nothing later can see more.
//!
//! MongoDB looks at the time between documents, not within one. So the work on one document must
//! be bounded too: an expression can only add up what is there, and after every stage that makes
//! new values the document's size is taken, which fails beyond MongoDB's limit for a document.
//! Without that, a value doubled thirty times would keep a thread busy for hours.

mod expression;

use expression::Expressions;
use mongodb::bson::{Bson, Document, doc};

use crate::{
    Error,
    filter::{self, Ids},
    path,
};

/// Most stages, those inside `$facet` included.
const MAX_STAGES: usize = 30;

/// Checks a client's pipeline and gives the stages to run after the caller's scope.
pub(crate) fn compile(stages: &[Bson]) -> Result<Vec<Document>, Error> {
    let mut compiler = Compiler {
        stages: 0,
        expressions: Expressions::default(),
    };
    compiler.pipeline(stages, true)
}

struct Compiler {
    stages: usize,
    expressions: Expressions,
}

impl Compiler {
    fn pipeline(&mut self, stages: &[Bson], facets: bool) -> Result<Vec<Document>, Error> {
        let mut compiled = Vec::with_capacity(stages.len());
        for stage in stages {
            let stage = document("a pipeline", stage)?;
            compiled.push(self.stage(stage, facets)?);
            if stage.keys().any(|name| makes_values(name)) {
                compiled.push(size_check());
            }
        }
        Ok(compiled)
    }

    fn stage(&mut self, stage: &Document, facets: bool) -> Result<Document, Error> {
        self.stages += 1;
        if self.stages > MAX_STAGES {
            return Err(Error::TooComplex("more than 30 stages"));
        }
        let mut entries = stage.iter();
        let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
            return Err(invalid("a stage has one key"));
        };
        let compiled = match name.as_str() {
            "$match" => filter::compile(document(name, argument)?, Ids::Any)?.into(),
            "$project" | "$set" | "$addFields" | "$group" => {
                self.fields(document(name, argument)?)?;
                argument.clone()
            }
            "$sort" => sort(document(name, argument)?)?,
            "$limit" | "$skip" => count(name, argument)?,
            "$count" => name_of_field(argument)?,
            "$unset" => unset(argument)?,
            "$unwind" => unwind(argument)?,
            "$sample" => sample(document(name, argument)?)?,
            "$sortByCount" | "$replaceWith" => {
                self.expressions.check(argument)?;
                argument.clone()
            }
            "$replaceRoot" | "$bucket" | "$bucketAuto" => {
                self.options(name, document(name, argument)?)?;
                argument.clone()
            }
            "$facet" if facets => self.facet(document(name, argument)?)?.into(),
            stage => return Err(Error::StageNotAllowed(stage.to_owned())),
        };
        Ok(doc! { name: compiled })
    }

    /// Output fields, each with an expression.
    fn fields(&mut self, fields: &Document) -> Result<(), Error> {
        for (path, expression) in fields {
            path::check(path)?;
            self.expressions.check(expression)?;
        }
        Ok(())
    }

    /// Named options whose values are expressions or groups of output fields.
    fn options(&mut self, stage: &str, options: &Document) -> Result<(), Error> {
        for (option, value) in options {
            match (stage, option.as_str()) {
                ("$replaceRoot", "newRoot")
                | ("$bucket", "groupBy" | "boundaries" | "default")
                | ("$bucketAuto", "groupBy" | "buckets" | "granularity") => {
                    self.expressions.check(value)?;
                }
                ("$bucket" | "$bucketAuto", "output") => self.fields(document(stage, value)?)?,
                _ => return Err(invalid(format!("{stage} has no option {option:?}"))),
            }
        }
        Ok(())
    }

    fn facet(&mut self, facets: &Document) -> Result<Document, Error> {
        let mut compiled = Document::new();
        for (name, stages) in facets {
            path::check(name)?;
            let Bson::Array(stages) = stages else {
                return Err(invalid("a facet is a list of stages"));
            };
            compiled.insert(name, self.pipeline(stages, false)?);
        }
        Ok(compiled)
    }
}

/// Whether a stage computes something that may be larger than what it was given.
fn makes_values(stage: &str) -> bool {
    !matches!(
        stage,
        "$match" | "$sort" | "$limit" | "$skip" | "$count" | "$unset" | "$unwind" | "$sample"
    )
}

/// Fails for a document that is larger than MongoDB stores, and lets every other through.
fn size_check() -> Document {
    doc! { "$match": { "$expr": { "$gt": [{ "$bsonSize": "$$ROOT" }, 0] } } }
}

fn document<'a>(stage: &str, argument: &'a Bson) -> Result<&'a Document, Error> {
    argument
        .as_document()
        .ok_or_else(|| invalid(format!("{stage} takes objects")))
}

fn sort(keys: &Document) -> Result<Bson, Error> {
    for (path, direction) in keys {
        path::check(path)?;
        if !matches!(direction, Bson::Int32(1 | -1)) {
            return Err(invalid("$sort takes 1 or -1 for each field"));
        }
    }
    Ok(keys.clone().into())
}

fn count(stage: &str, argument: &Bson) -> Result<Bson, Error> {
    match argument {
        Bson::Int32(number) if *number >= 0 => Ok(argument.clone()),
        _ => Err(invalid(format!("{stage} takes a whole number"))),
    }
}

fn name_of_field(argument: &Bson) -> Result<Bson, Error> {
    match argument {
        Bson::String(name) if path::check(name).is_ok() => Ok(argument.clone()),
        _ => Err(invalid("$count takes the name of a field")),
    }
}

fn unset(argument: &Bson) -> Result<Bson, Error> {
    let is_path = |item: &Bson| item.as_str().is_some_and(|path| path::check(path).is_ok());
    let is_valid = match argument {
        Bson::Array(items) => items.iter().all(is_path),
        item => is_path(item),
    };
    if is_valid {
        Ok(argument.clone())
    } else {
        Err(invalid("$unset takes paths of fields"))
    }
}

fn unwind(argument: &Bson) -> Result<Bson, Error> {
    let is_reference = |value: &Bson| {
        let path = value.as_str().and_then(|text| text.strip_prefix('$'));
        path.is_some_and(|path| path::check(path).is_ok())
    };
    let is_valid = match argument {
        Bson::Document(options) => options.iter().all(|(option, value)| match option.as_str() {
            "path" => is_reference(value),
            "includeArrayIndex" => value.as_str().is_some_and(|path| path::check(path).is_ok()),
            "preserveNullAndEmptyArrays" => value.as_bool().is_some(),
            _ => false,
        }),
        value => is_reference(value),
    };
    if is_valid {
        Ok(argument.clone())
    } else {
        Err(invalid("$unwind takes \"$field\" or its options"))
    }
}

fn sample(options: &Document) -> Result<Bson, Error> {
    match options.get("size") {
        Some(Bson::Int32(1..=1000)) if options.len() == 1 => Ok(options.clone().into()),
        _ => Err(invalid("$sample takes a size of 1 to 1000")),
    }
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::InvalidPipeline(reason.into())
}

#[cfg(test)]
mod tests {
    use common::error::Problem;

    use super::*;

    fn compiled(stages: Vec<Document>) -> Result<Vec<Document>, Error> {
        let stages: Vec<Bson> = stages.into_iter().map(Bson::from).collect();
        compile(&stages)
    }

    fn code(stage: Document) -> &'static str {
        compiled(vec![stage]).unwrap_err().code()
    }

    #[test]
    fn allowed_stages_pass_unchanged_but_for_size_checks() {
        let stages = vec![
            doc! { "$match": { "a": { "$gt": 1 } } },
            doc! { "$unwind": { "path": "$tags", "preserveNullAndEmptyArrays": true } },
            doc! { "$set": { "total": { "$multiply": ["$price", "$count"] }, "x.y": "$$ROOT.z" } },
            doc! { "$group": { "_id": "$tag", "n": { "$sum": 1 }, "all": { "$push": "$name" } } },
            doc! { "$bucket": { "groupBy": "$n", "boundaries": [0, 5], "output": { "c": { "$sum": 1 } } } },
            doc! { "$facet": { "top": [{ "$limit": 1 }], "count": [{ "$count": "n" }] } },
            doc! { "$project": { "a": 1, "b": { "c": { "$toUpper": "$d" } } } },
            doc! { "$sort": { "a": -1, "b": 1 } },
            doc! { "$skip": 1 },
            doc! { "$sample": { "size": 3 } },
            doc! { "$replaceRoot": { "newRoot": "$a" } },
            doc! { "$sortByCount": "$a" },
            doc! { "$unset": ["a", "b.c"] },
        ];
        let mut compiled = compiled(stages.clone()).unwrap();
        compiled.retain(|stage| *stage != size_check());
        assert_eq!(compiled, stages);
    }

    #[test]
    fn the_size_is_taken_after_every_stage_that_makes_values() {
        let stages = vec![doc! { "$limit": 1 }, doc! { "$set": { "a": ["$a", "$a"] } }];
        let compiled = compiled(stages).unwrap();
        assert_eq!(compiled.len(), 3);
        assert_eq!(compiled.last(), Some(&size_check()));
    }

    #[test]
    fn stages_that_leave_the_collection_or_the_caller_are_refused() {
        for stage in [
            "$out",
            "$merge",
            "$lookup",
            "$graphLookup",
            "$unionWith",
            "$collStats",
            "$indexStats",
            "$currentOp",
            "$listSessions",
            "$listLocalSessions",
            "$planCacheStats",
            "$changeStream",
            "$documents",
            "$geoNear",
            "$redact",
            "$search",
            "$setWindowFields",
            "$Match",
            "$match ",
            "ｍatch",
            "",
        ] {
            assert_eq!(code(doc! { stage: {} }), "stage_not_allowed", "{stage}");
        }
    }

    #[test]
    fn a_refused_stage_cannot_hide() {
        let hidden = doc! { "$facet": { "x": [{ "$lookup": { "from": "y" } }] } };
        assert_eq!(code(hidden), "stage_not_allowed");
        let nested = doc! { "$facet": { "x": [{ "$facet": { "y": [] } }] } };
        assert_eq!(code(nested), "stage_not_allowed");
        let two = doc! { "$limit": 1, "$out": "x" };
        assert_eq!(code(two), "invalid_pipeline");
        assert_eq!(
            code(doc! { "$match": { "$where": "1" } }),
            "operator_not_allowed"
        );
        assert_eq!(
            code(doc! { "$match": { "$expr": 1 } }),
            "operator_not_allowed"
        );
    }

    #[test]
    fn code_is_refused_wherever_an_expression_stands() {
        let code_expression = doc! { "$function": { "body": "x", "args": [], "lang": "js" } };
        for stage in [
            doc! { "$set": { "a": &code_expression } },
            doc! { "$project": { "a": { "b": [&code_expression] } } },
            doc! { "$group": { "_id": &code_expression } },
            doc! { "$group": { "_id": 1, "n": { "$accumulator": {} } } },
            doc! { "$group": { "_id": 1, "n": { "$sum": &code_expression } } },
            doc! { "$replaceWith": &code_expression },
            doc! { "$replaceRoot": { "newRoot": &code_expression } },
            doc! { "$sortByCount": &code_expression },
            doc! { "$bucket": { "groupBy": &code_expression, "boundaries": [0] } },
            doc! { "$bucketAuto": { "groupBy": 1, "output": { "n": &code_expression } } },
            doc! { "$facet": { "x": [{ "$set": { "a": &code_expression } }] } },
        ] {
            assert_eq!(code(stage.clone()), "operator_not_allowed", "{stage}");
        }
    }

    #[test]
    fn malformed_stages_are_refused() {
        for stage in [
            doc! {},
            doc! { "$limit": "many" },
            doc! { "$limit": -1 },
            doc! { "$sort": { "a": { "$meta": "textScore" } } },
            doc! { "$unwind": "tags" },
            doc! { "$unwind": "$$ROOT" },
            doc! { "$count": "$x" },
            doc! { "$bucket": { "into": "x" } },
            doc! { "$sample": { "size": 5000 } },
            doc! { "$unset": 1 },
        ] {
            assert_eq!(code(stage.clone()), "invalid_pipeline", "{stage}");
        }
        assert_eq!(
            compiled(vec![doc! { "$limit": 1 }; 31]).unwrap_err().code(),
            "too_complex"
        );
    }
}
