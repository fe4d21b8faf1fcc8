//! JSON text to BSON, once and with limits.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mongodb::bson::{Binary, Bson, DateTime, Document, Regex, Timestamp, oid::ObjectId};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::Error;

/// Deepest nesting of objects and arrays.
const MAX_DEPTH: usize = 32;

/// Most values in one text, those in arrays included.
const MAX_VALUES: usize = 20_000;

/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 256;

/// Reads one JSON text.
pub(crate) fn decode(text: &[u8]) -> Result<Bson, Error> {
    let mut reader = Reader {
        values_left: MAX_VALUES,
        refusal: None,
    };
    let mut json = serde_json::Deserializer::from_slice(text);
    let seed = Value {
        reader: &mut reader,
        depth: 0,
    };
    let value = seed
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value));
    value.map_err(|error| {
        reader
            .refusal
            .unwrap_or_else(|| Error::InvalidJson(error.to_string()))
    })
}

/// Reads one JSON text that must be an object.
pub(crate) fn decode_document(text: &[u8]) -> Result<Document, Error> {
    match decode(text)? {
        Bson::Document(document) => Ok(document),
        _ => Err(Error::InvalidValue("a JSON object is expected".to_owned())),
    }
}

/// What is shared by the whole of one text.
struct Reader {
    values_left: usize,
    /// Why reading ended, where that was our decision and not a mistake in the JSON.
    refusal: Option<Error>,
}

struct Value<'a> {
    reader: &'a mut Reader,
    depth: usize,
}

impl Value<'_> {
    fn refuse<E: serde::de::Error>(&mut self, refusal: Error) -> E {
        let error = E::custom(&refusal);
        self.reader.refusal = Some(refusal);
        error
    }

    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(Error::TooComplex("nested deeper than 32 levels")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Bson;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Bson, D::Error> {
        match self.reader.values_left.checked_sub(1) {
            Some(left) => self.reader.values_left = left,
            None => return Err(self.refuse(Error::TooComplex("more than 20000 values"))),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Bson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Bson, E> {
        Ok(Bson::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Bson, E> {
        Ok(Bson::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Bson, E> {
        Ok(i32::try_from(value).map_or(Bson::Int64(value), Bson::Int32))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "an integer beyond 64 bits is a double in extended JSON"
    )]
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Bson, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Ok(Bson::Double(value as f64)),
        }
    }

    fn visit_f64<E>(self, value: f64) -> Result<Bson, E> {
        Ok(Bson::Double(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Bson, E> {
        Ok(Bson::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Bson, E> {
        Ok(Bson::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Bson, A::Error> {
        self.enter()?;
        let mut array = Vec::new();
        let depth = self.depth + 1;
        while let Some(item) = items.next_element_seed(Value {
            reader: self.reader,
            depth,
        })? {
            array.push(item);
        }
        Ok(Bson::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Bson, A::Error> {
        self.enter()?;
        let mut document = Document::new();
        let depth = self.depth + 1;
        while let Some(key) = entries.next_key::<String>()? {
            if key.len() > MAX_KEY_BYTES {
                return Err(self.refuse(Error::TooComplex("a key longer than 256 bytes")));
            }
            if key.contains('\0') {
                let reason = format!("{key:?} holds a zero character");
                return Err(self.refuse(Error::InvalidKey(reason)));
            }
            if document.contains_key(&key) {
                return Err(self.refuse(Error::RepeatedKey(key)));
            }
            let value = entries.next_value_seed(Value {
                reader: self.reader,
                depth,
            })?;
            document.insert(key, value);
        }
        typed(document).map_err(|refusal| {
            let error = A::Error::custom(&refusal);
            self.reader.refusal = Some(refusal);
            error
        })
    }
}

/// Gives a wrapper such as `{"$date": …}` its BSON type; leaves other documents as they are.
fn typed(document: Document) -> Result<Bson, Error> {
    let Some(tag) = document.keys().find(|key| is_type_tag(key)) else {
        return Ok(Bson::Document(document));
    };
    if ["$code", "$scope"].contains(&tag.as_str()) {
        return Err(Error::CodeNotAllowed);
    }
    let value = match (document.len(), document.iter().next()) {
        (1, Some((tag, value))) => typed_value(tag, value),
        _ => None,
    };
    value.ok_or_else(|| Error::InvalidValue(format!("malformed {tag}")))
}

fn is_type_tag(key: &str) -> bool {
    matches!(
        key,
        "$oid"
            | "$date"
            | "$numberInt"
            | "$numberLong"
            | "$numberDouble"
            | "$numberDecimal"
            | "$binary"
            | "$uuid"
            | "$timestamp"
            | "$regularExpression"
            | "$minKey"
            | "$maxKey"
            | "$code"
            | "$scope"
            | "$symbol"
            | "$undefined"
            | "$dbPointer"
    )
}

/// The value of a wrapper, if it is well-formed and of a type that is not deprecated.
fn typed_value(tag: &str, value: &Bson) -> Option<Bson> {
    let text = value.as_str();
    match tag {
        "$oid" => ObjectId::parse_str(text?).ok().map(Bson::ObjectId),
        "$date" => date(value).map(Bson::DateTime),
        "$numberInt" => text?.parse().ok().map(Bson::Int32),
        "$numberLong" => text?.parse().ok().map(Bson::Int64),
        "$numberDouble" => double(text?).map(Bson::Double),
        "$numberDecimal" => text?.parse().ok().map(Bson::Decimal128),
        "$binary" => binary(value.as_document()?).map(Bson::Binary),
        "$uuid" => {
            let uuid = mongodb::bson::Uuid::parse_str(text?).ok()?;
            Some(Bson::Binary(uuid.into()))
        }
        "$timestamp" => timestamp(value.as_document()?).map(Bson::Timestamp),
        "$regularExpression" => {
            regular_expression(value.as_document()?).map(Bson::RegularExpression)
        }
        "$minKey" => (value.as_i32() == Some(1)).then_some(Bson::MinKey),
        "$maxKey" => (value.as_i32() == Some(1)).then_some(Bson::MaxKey),
        _ => None,
    }
}

fn date(value: &Bson) -> Option<DateTime> {
    match value {
        Bson::String(text) => DateTime::parse_rfc3339_str(text).ok(),
        Bson::Int32(millis) => Some(DateTime::from_millis((*millis).into())),
        Bson::Int64(millis) => Some(DateTime::from_millis(*millis)),
        _ => None,
    }
}

fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

fn binary(wrapper: &Document) -> Option<Binary> {
    if wrapper.len() != 2 {
        return None;
    }
    let bytes = STANDARD.decode(wrapper.get_str("base64").ok()?).ok()?;
    let subtype = u8::from_str_radix(wrapper.get_str("subType").ok()?, 16).ok()?;
    Some(Binary {
        subtype: subtype.into(),
        bytes,
    })
}

fn timestamp(wrapper: &Document) -> Option<Timestamp> {
    let part = |name| match wrapper.get(name)? {
        Bson::Int32(number) => u32::try_from(*number).ok(),
        Bson::Int64(number) => u32::try_from(*number).ok(),
        _ => None,
    };
    Some(Timestamp {
        time: part("t")?,
        increment: part("i")?,
    })
    .filter(|_| wrapper.len() == 2)
}

fn regular_expression(wrapper: &Document) -> Option<Regex> {
    let part = |name| {
        let text = wrapper.get_str(name).ok()?;
        (!text.contains('\0')).then(|| text.to_owned())
    };
    Some(Regex {
        pattern: part("pattern")?,
        options: part("options")?.chars().collect(),
    })
    .filter(|_| wrapper.len() == 2)
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    fn code(text: &str) -> &'static str {
        common::error::Problem::code(&decode(text.as_bytes()).unwrap_err())
    }

    #[test]
    fn a_repeated_key_is_refused_however_it_is_written() {
        assert_eq!(code(r#"{"a":1,"a":2}"#), "repeated_key");
        assert_eq!(code(r#"{"owner_id":1,"owner\u005fid":2}"#), "repeated_key");
        assert_eq!(code(r#"{"x":[{"a":1,"a":2}]}"#), "repeated_key");
    }

    #[test]
    fn nesting_and_size_are_bounded_while_reading() {
        let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
        assert!(decode(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(code(&nested(MAX_DEPTH + 1)), "too_complex");
        assert_eq!(
            code(&format!("[{}0]", "0,".repeat(MAX_VALUES))),
            "too_complex"
        );
        assert_eq!(
            code(&format!(r#"{{"{}":1}}"#, "k".repeat(300))),
            "too_complex"
        );
    }

    #[test]
    fn malformed_json_is_told_apart_from_refused_json() {
        for text in [
            "",
            "{",
            "{}x",
            "{'a':1}",
            "[1,]",
            r#"{"a":"\ud800"}"#,
            "NaN",
            "1e999",
        ] {
            assert_eq!(code(text), "invalid_json", "{text}");
        }
        assert_eq!(code(r#"{"a\u0000b":1}"#), "invalid_key");
        let not_utf8 = [b'"', 0xff, b'"'];
        assert!(matches!(decode(&not_utf8), Err(Error::InvalidJson(_))));
    }

    #[test]
    fn wrappers_must_be_whole_and_alone() {
        for text in [
            r#"{"$oid":"xyz"}"#,
            r#"{"$oid":"65a1b2c3d4e5f60718293a4b","x":1}"#,
            r#"{"x":1,"$oid":"65a1b2c3d4e5f60718293a4b"}"#,
            r#"{"$date":"yesterday"}"#,
            r#"{"$numberInt":"2147483648"}"#,
            r#"{"$numberDouble":"inf"}"#,
            r#"{"$numberDecimal":"twelve"}"#,
            r#"{"$binary":{"base64":"?","subType":"00"}}"#,
            r#"{"$undefined":true}"#,
            r#"{"$symbol":"s"}"#,
        ] {
            assert_eq!(code(text), "invalid_value", "{text}");
        }
        for text in [
            r#"{"$code":"x"}"#,
            r#"{"a":{"$code":"x","$scope":{}}}"#,
            r#"{"$scope":{}}"#,
        ] {
            assert_eq!(code(text), "code_not_allowed", "{text}");
        }
    }

    #[test]
    fn numbers_take_the_narrowest_type_that_holds_them() {
        let text = br#"{"a":1,"b":2147483648,"c":1.0,"d":18446744073709551615,"e":-0}"#;
        let expected = doc! {
            "a": 1_i32, "b": 2_147_483_648_i64, "c": 1.0, "d": 18_446_744_073_709_551_615.0, "e": 0_i32,
        };
        let read = decode_document(text).unwrap();
        for key in ["a", "b", "c", "d"] {
            assert_eq!(read.get(key), expected.get(key), "{key}");
        }
    }
}
