//! Expressions inside a pipeline: an allow-list of operators and of variables.
//!
//! Operators that run code or read settings of the server are not in the list, nor are those whose
//! work on one document is more than the sum of its parts (`$reduce`, `$range`, `$let`,
//! `$replaceAll`, …). `$map` and `$filter` are: they may look at one element at a time.

use mongodb::bson::{Bson, Document};

use crate::{Error, filter, path};

/// Variables of MongoDB that hold nothing but the caller's documents and the time.
const VARIABLES: [&str; 4] = ["ROOT", "CURRENT", "NOW", "REMOVE"];

/// Most operators and references in one pipeline.
const MAX_PARTS: usize = 500;

/// Operators whose arguments are expressions.
const OPERATORS: &str = " \
    $abs $add $ceil $divide $exp $floor $ln $log $log10 $mod $multiply $pow $round $sqrt $subtract \
    $trunc $sin $cos $tan $asin $acos $atan $atan2 $degreesToRadians $radiansToDegrees \
    $cmp $eq $gt $gte $lt $lte $ne $and $not $or $cond $ifNull $switch \
    $arrayElemAt $first $firstN $last $lastN $in $indexOfArray $isArray $reverseArray $size $slice \
    $maxN $minN $arrayToObject $objectToArray $mergeObjects \
    $concatArrays $setDifference $setEquals $setIntersection $setIsSubset $setUnion $allElementsTrue \
    $anyElementTrue \
    $dateAdd $dateDiff $dateFromParts $dateFromString $dateSubtract $dateToParts $dateToString \
    $dateTrunc $dayOfMonth $dayOfWeek $dayOfYear $hour $isoDayOfWeek $isoWeek $isoWeekYear \
    $millisecond $minute $month $second $week $year \
    $concat $indexOfBytes $indexOfCP $ltrim $rtrim $trim $split $strcasecmp $strLenBytes $strLenCP \
    $substr $substrBytes $substrCP $toLower $toUpper \
    $convert $isNumber $toBool $toDate $toDecimal $toDouble $toInt $toLong $toObjectId $toString \
    $type $binarySize $bsonSize \
    $sum $avg $min $max $push $addToSet $count $stdDevPop $stdDevSamp $top $topN $bottom $bottomN \
    $filter $map $literal $regexMatch $regexFind ";

/// Checks the expressions of one pipeline.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    parts: usize,
    /// Whether what is read is done for every element of an array.
    in_element: bool,
}

impl Expressions {
    /// Accepts an expression made of listed operators, fields and plain values.
    pub(super) fn check(&mut self, expression: &Bson) -> Result<(), Error> {
        match expression {
            Bson::String(text) => match text.strip_prefix('$') {
                Some(rest) => self.reference(rest),
                None => Ok(()),
            },
            Bson::Array(items) => items.iter().try_for_each(|item| self.check(item)),
            Bson::Document(document) => match document.keys().find(|key| key.starts_with('$')) {
                Some(operator) => self.operator(operator, document),
                None => document.iter().try_for_each(|(key, value)| {
                    path::check(key)?;
                    self.check(value)
                }),
            },
            Bson::RegularExpression(_) => Err(invalid("write a regular expression as text")),
            _ => Ok(()),
        }
    }

    fn operator(&mut self, operator: &str, document: &Document) -> Result<(), Error> {
        self.count()?;
        if !OPERATORS.contains(&format!(" {operator} ")) {
            return Err(Error::OperatorNotAllowed(operator.to_owned()));
        }
        let (1, Some(argument)) = (document.len(), document.get(operator)) else {
            return Err(invalid(format!("{operator} stands beside another key")));
        };
        match operator {
            "$literal" => Ok(()),
            "$map" | "$filter" => self.elements(operator, argument),
            "$regexMatch" | "$regexFind" => self.regex(operator, argument),
            // Named arguments are plain keys, as the fields of an object are.
            _ => self.check(argument),
        }
    }

    /// Accepts what follows the first `$` of a reference: a path, or `$` and a variable.
    fn reference(&mut self, rest: &str) -> Result<(), Error> {
        self.count()?;
        let variable = rest.strip_prefix('$');
        path::check(variable.unwrap_or(rest))?;
        let name = variable.map(path::root);
        // A name that begins in lower case was defined by the pipeline itself: an element.
        if name.is_some_and(|name| name.starts_with(|first: char| first.is_ascii_lowercase())) {
            return Ok(());
        }
        if self.in_element {
            return Err(Error::TooComplex(
                "per element, only the element can be used",
            ));
        }
        match name {
            Some(name) if !VARIABLES.contains(&name) => {
                Err(Error::OperatorNotAllowed(format!("$${name}")))
            }
            _ => Ok(()),
        }
    }

    /// One array inside another, or the whole document for every element, would be work that
    /// grows with the square of the document.
    fn elements(&mut self, operator: &str, argument: &Bson) -> Result<(), Error> {
        let Some(arguments) = argument.as_document() else {
            return Err(invalid(format!("{operator} takes an object")));
        };
        if self.in_element {
            return Err(Error::TooComplex("arrays inside arrays"));
        }
        for (name, value) in arguments {
            self.in_element = name != "input";
            let checked = self.check(value);
            self.in_element = false;
            checked?;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Error> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(Error::TooComplex("more than 500 operators and references"));
        }
        Ok(())
    }

    fn regex(&mut self, operator: &str, argument: &Bson) -> Result<(), Error> {
        let Some(arguments) = argument.as_document() else {
            return Err(invalid(format!("{operator} takes an object")));
        };
        for (name, value) in arguments {
            match name.as_str() {
                "input" => self.check(value)?,
                // A pattern taken from a document would escape the bound on its length.
                "regex" if value.as_str().is_some_and(|text| text.starts_with('$')) => {
                    return Err(invalid(format!("{operator} takes a constant pattern")));
                }
                "regex" => drop(filter::regex(value)?),
                "options" => drop(filter::options(value)?),
                name => return Err(invalid(format!("{operator} has no argument {name:?}"))),
            }
        }
        Ok(())
    }
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::InvalidPipeline(reason.into())
}

#[cfg(test)]
mod tests {
    use common::error::Problem;
    use mongodb::bson::doc;

    use super::*;

    fn check(expression: impl Into<Bson>) -> Result<(), Error> {
        Expressions::default().check(&expression.into())
    }

    fn code(expression: impl Into<Bson>) -> &'static str {
        check(expression).unwrap_err().code()
    }

    #[test]
    fn listed_operators_are_accepted() {
        for expression in [
            doc! { "$cond": { "if": { "$gt": ["$a", 1] }, "then": "x", "else": "$$REMOVE" } },
            doc! { "$switch": { "branches": [{ "case": true, "then": 1 }], "default": 2 } },
            doc! { "$map": { "input": "$a", "in": { "$toUpper": "$$this" } } },
            doc! { "$concatArrays": ["$a", "$b"] },
            doc! { "$filter": { "input": "$a", "as": "i", "cond": { "$gt": ["$$i.n", 1] } } },
            doc! { "$dateToString": { "date": "$$NOW", "format": "%Y" } },
            doc! { "$literal": "$$USER_ROLES" },
            doc! { "$concat": ["$first", " ", "$last"] },
            doc! { "$regexMatch": { "input": "$a", "regex": "^x", "options": "i" } },
        ] {
            assert!(check(expression.clone()).is_ok(), "{expression}");
        }
    }

    #[test]
    fn unlisted_operators_and_variables_are_refused_at_any_depth() {
        for operator in [
            "$function",
            "$accumulator",
            "$where",
            "$getField",
            "$setField",
            "$let",
            "$reduce",
            "$range",
            "$zip",
            "$replaceAll",
            "$meta",
            "$toHashedIndexKey",
            "$_internalFindAllValuesAtPath",
            "$Add",
            "$",
        ] {
            let hidden = doc! { "a": [{ "$cond": [true, { operator: 1 }, 2] }] };
            assert_eq!(code(hidden), "operator_not_allowed", "{operator}");
        }
        for variable in ["$$USER_ROLES", "$$CLUSTER_TIME", "$$SEARCH_META", "$$_x"] {
            assert_eq!(code(variable), "operator_not_allowed", "{variable}");
        }
    }

    #[test]
    fn an_operator_stands_alone() {
        assert_eq!(code(doc! { "$add": [1], "a": 1 }), "invalid_pipeline");
        assert_eq!(code(doc! { "a": 1, "$add": [1] }), "invalid_pipeline");
        assert_eq!(
            code(doc! { "$add": [1], "$function": {} }),
            "invalid_pipeline"
        );
    }

    #[test]
    fn work_per_element_cannot_depend_on_the_rest_of_the_document() {
        for per_element in [
            Bson::from("$a"),
            "$$ROOT".into(),
            doc! { "$in": ["$$this", "$a"] }.into(),
            doc! { "$filter": { "input": "$$this", "cond": true } }.into(),
            doc! { "$map": { "input": "$$this", "in": 1 } }.into(),
        ] {
            for expression in [
                doc! { "$map": { "input": "$a", "in": &per_element } },
                doc! { "$filter": { "input": "$a", "cond": &per_element } },
            ] {
                assert_eq!(code(expression.clone()), "too_complex", "{expression}");
            }
        }
    }

    #[test]
    fn the_number_of_parts_is_bounded() {
        assert_eq!(code(vec!["$a"; MAX_PARTS + 1]), "too_complex");
    }

    #[test]
    fn a_pattern_is_short_and_constant() {
        for regex in [
            Bson::from("$pattern"),
            "x".repeat(300).into(),
            "(*UTF)x".into(),
        ] {
            let expression = doc! { "$regexMatch": { "input": "$a", "regex": regex } };
            assert!(check(expression).is_err());
        }
    }
}
