//! BSON to JSON text.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mongodb::bson::{DateTime, RawBsonRef, RawDocument, RawDocumentBuf};
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap, SerializeSeq},
};

use crate::document::{ID, VERSION};

/// Largest integer that JavaScript holds exactly. Greater ones are written as `$numberLong`, so
/// that a browser which reads and sends back a document does not change them.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A document of a collection: relaxed extended JSON, except that its own `_id` is the plain text
/// that paths use.
#[derive(Clone, Debug)]
pub(crate) struct StoredDocument(RawDocumentBuf);

/// A document that a pipeline made: relaxed extended JSON throughout.
#[derive(Clone, Debug)]
pub(crate) struct ResultDocument(RawDocumentBuf);

struct Relaxed<'a>(&'a RawDocument);

struct Value<'a>(RawBsonRef<'a>);

impl StoredDocument {
    /// How often the document was written.
    pub(crate) fn version(&self) -> Option<i64> {
        match self.0.get(VERSION).ok()?? {
            RawBsonRef::Int64(version) => Some(version),
            RawBsonRef::Int32(version) => Some(version.into()),
            _ => None,
        }
    }
}

impl From<RawDocumentBuf> for StoredDocument {
    fn from(document: RawDocumentBuf) -> Self {
        Self(document)
    }
}

impl From<RawDocumentBuf> for ResultDocument {
    fn from(document: RawDocumentBuf) -> Self {
        Self(document)
    }
}

impl Serialize for ResultDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Relaxed(&self.0).serialize(serializer)
    }
}

impl Serialize for StoredDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for element in &self.0 {
            let (key, value) = element.map_err(S::Error::custom)?;
            match value {
                RawBsonRef::ObjectId(id) if key == ID => {
                    map.serialize_entry(key, &id.to_hex())?;
                }
                value => map.serialize_entry(key, &Value(value))?,
            }
        }
        map.end()
    }
}

impl Serialize for Relaxed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for element in self.0 {
            let (key, value) = element.map_err(S::Error::custom)?;
            map.serialize_entry(key, &Value(value))?;
        }
        map.end()
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            RawBsonRef::Null | RawBsonRef::Undefined => serializer.serialize_unit(),
            RawBsonRef::Boolean(value) => serializer.serialize_bool(value),
            RawBsonRef::Int32(value) => serializer.serialize_i32(value),
            RawBsonRef::Int64(value) if value.unsigned_abs() <= MAX_SAFE_INTEGER => {
                serializer.serialize_i64(value)
            }
            RawBsonRef::Int64(value) => tagged(serializer, "$numberLong", &value.to_string()),
            RawBsonRef::Double(value) if value.is_finite() => serializer.serialize_f64(value),
            RawBsonRef::Double(value) => tagged(serializer, "$numberDouble", non_finite(value)),
            RawBsonRef::String(value) | RawBsonRef::Symbol(value) => {
                serializer.serialize_str(value)
            }
            RawBsonRef::Document(value) => Relaxed(value).serialize(serializer),
            RawBsonRef::Array(items) => {
                let mut sequence = serializer.serialize_seq(None)?;
                for item in items {
                    sequence.serialize_element(&Value(item.map_err(S::Error::custom)?))?;
                }
                sequence.end()
            }
            RawBsonRef::ObjectId(id) => tagged(serializer, "$oid", &id.to_hex()),
            RawBsonRef::DateTime(at) => date(serializer, at),
            RawBsonRef::Decimal128(value) => {
                tagged(serializer, "$numberDecimal", &value.to_string())
            }
            RawBsonRef::MinKey => tagged(serializer, "$minKey", &1),
            RawBsonRef::MaxKey => tagged(serializer, "$maxKey", &1),
            rare => self::rare(serializer, rare),
        }
    }
}

/// Types that documents seldom hold.
fn rare<S: Serializer>(serializer: S, value: RawBsonRef<'_>) -> Result<S::Ok, S::Error> {
    match value {
        RawBsonRef::Binary(binary) => {
            let value = serde_json::json!({
                "base64": STANDARD.encode(binary.bytes),
                "subType": format!("{:02x}", u8::from(binary.subtype)),
            });
            tagged(serializer, "$binary", &value)
        }
        RawBsonRef::Timestamp(at) => {
            let value = serde_json::json!({ "t": at.time, "i": at.increment });
            tagged(serializer, "$timestamp", &value)
        }
        RawBsonRef::RegularExpression(regex) => {
            let value = serde_json::json!({ "pattern": regex.pattern, "options": regex.options });
            tagged(serializer, "$regularExpression", &value)
        }
        RawBsonRef::JavaScriptCode(code) => tagged(serializer, "$code", code),
        // Nothing this service writes: deprecated types that another program stored.
        _ => serializer.serialize_unit(),
    }
}

fn date<S: Serializer>(serializer: S, at: DateTime) -> Result<S::Ok, S::Error> {
    // The relaxed form uses text only between 1970 and 9999.
    match at.try_to_rfc3339_string() {
        Ok(text) if at.timestamp_millis() >= 0 => tagged(serializer, "$date", &text),
        _ => {
            let millis = at.timestamp_millis().to_string();
            tagged(
                serializer,
                "$date",
                &serde_json::json!({ "$numberLong": millis }),
            )
        }
    }
}

fn tagged<S, T>(serializer: S, tag: &'static str, value: &T) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    T: Serialize + ?Sized,
{
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, value)?;
    map.end()
}

fn non_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value.is_sign_positive() {
        "Infinity"
    } else {
        "-Infinity"
    }
}
