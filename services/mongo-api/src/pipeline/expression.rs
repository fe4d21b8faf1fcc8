//! Expressions inside a pipeline: an allow-list of operators and of variables.
//!
//! Operators that run code, read settings of the server, or can make a value grow without bound
//! (`$reduce`, `$range`, `$concatArrays`, `$replaceAll`, …) are not in the list.

use mongodb::bson::{Bson, Document};

use crate::{Error, filter, path};

/// Variables of MongoDB that hold nothing but the caller's documents and the time.
const VARIABLES: [&str; 4] = ["ROOT", "CURRENT", "NOW", "REMOVE"];

/// Most that `$concat` can multiply the length of a text by, over a whole pipeline.
const MAX_GROWTH: usize = 64;

/// Most operators in one pipeline.
const MAX_OPERATORS: usize = 500;

/// Operators whose arguments are expressions.
const OPERATORS: &str = " \
    $abs $add $ceil $divide $exp $floor $ln $log $log10 $mod $multiply $pow $round $sqrt $subtract \
    $trunc $sin $cos $tan $asin $acos $atan $atan2 $degreesToRadians $radiansToDegrees \
    $cmp $eq $gt $gte $lt $lte $ne $and $not $or $cond $ifNull $switch \
    $arrayElemAt $first $firstN $last $lastN $in $indexOfArray $isArray $reverseArray $size $slice \
    $maxN $minN $arrayToObject $objectToArray $mergeObjects \
    $setDifference $setEquals $setIntersection $setIsSubset $setUnion $allElementsTrue \
    $anyElementTrue \
    $dateAdd $dateDiff $dateFromParts $dateFromString $dateSubtract $dateToParts $dateToString \
    $dateTrunc $dayOfMonth $dayOfWeek $dayOfYear $hour $isoDayOfWeek $isoWeek $isoWeekYear \
    $millisecond $minute $month $second $week $year \
    $concat $indexOfBytes $indexOfCP $ltrim $rtrim $trim $split $strcasecmp $strLenBytes $strLenCP \
    $substr $substrBytes $substrCP $toLower $toUpper \
    $convert $isNumber $toBool $toDate $toDecimal $toDouble $toInt $toLong $toObjectId $toString \
    $type $binarySize $bsonSize \
    $sum $avg $min $max $push $addToSet $count $stdDevPop $stdDevSamp $top $topN $bottom $bottomN \
    $filter $let $literal $regexMatch $regexFind ";

/// Checks the expressions of one pipeline.
#[derive(Debug)]
pub(super) struct Expressions {
    operators: usize,
    growth: usize,
    in_filter: bool,
}

impl Default for Expressions {
    fn default() -> Self {
        Self {
            operators: 0,
            growth: 1,
            in_filter: false,
        }
    }
}

impl Expressions {
    /// Accepts an expression made of listed operators, fields and plain values.
    pub(super) fn check(&mut self, expression: &Bson) -> Result<(), Error> {
        match expression {
            Bson::String(text) => text.strip_prefix('$').map_or(Ok(()), reference),
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
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            return Err(Error::TooComplex("more than 500 operators"));
        }
        if !OPERATORS.contains(&format!(" {operator} ")) {
            return Err(Error::OperatorNotAllowed(operator.to_owned()));
        }
        let (1, Some(argument)) = (document.len(), document.get(operator)) else {
            return Err(invalid(format!("{operator} stands beside another key")));
        };
        match operator {
            "$literal" => Ok(()),
            "$concat" => self.concat(argument),
            "$filter" => self.filter(argument),
            "$regexMatch" | "$regexFind" => self.regex(operator, argument),
            // Named arguments are plain keys, as the fields of an object are.
            _ => self.check(argument),
        }
    }

    fn concat(&mut self, argument: &Bson) -> Result<(), Error> {
        let parts = argument.as_array().map_or(1, |parts| {
            let is_constant = |part: &&Bson| part.as_str().is_some_and(|t| !t.starts_with('$'));
            parts.len() - parts.iter().filter(is_constant).count()
        });
        self.growth = self.growth.saturating_mul(parts.max(1));
        if self.growth > MAX_GROWTH || (self.in_filter && parts > 1) {
            return Err(Error::TooComplex("$concat could make a text too long"));
        }
        self.check(argument)
    }

    /// One filter inside another would look at every pair of elements, without a pause in which
    /// MongoDB could notice that time is up.
    fn filter(&mut self, argument: &Bson) -> Result<(), Error> {
        if self.in_filter {
            return Err(Error::TooComplex("$filter inside $filter"));
        }
        self.in_filter = true;
        let checked = self.check(argument);
        self.in_filter = false;
        checked
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

/// Accepts what follows the first `$` of a reference: a path, or `$` and a variable.
fn reference(rest: &str) -> Result<(), Error> {
    let Some(variable) = rest.strip_prefix('$') else {
        return path::check(rest);
    };
    path::check(variable)?;
    let name = path::root(variable);
    // A name that begins in lower case was defined by the pipeline itself.
    if name.starts_with(|first: char| first.is_ascii_lowercase()) || VARIABLES.contains(&name) {
        Ok(())
    } else {
        Err(Error::OperatorNotAllowed(format!("$${name}")))
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
            doc! { "$let": { "vars": { "x": "$a" }, "in": { "$add": ["$$x", 1] } } },
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
            "$map",
            "$reduce",
            "$range",
            "$zip",
            "$concatArrays",
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
    fn values_cannot_be_made_to_grow_without_bound() {
        let mut expressions = Expressions::default();
        let double = Bson::from(doc! { "$concat": ["$a", "$a"] });
        let refused = (0..20).find_map(|_| expressions.check(&double).err());
        assert_eq!(refused.unwrap().code(), "too_complex");
        let inner = doc! { "$filter": { "input": "$b", "cond": true } };
        let nested = doc! { "$filter": { "input": "$a", "cond": inner } };
        assert_eq!(code(nested), "too_complex");
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
