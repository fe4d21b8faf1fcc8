//! Relaxed extended JSON (MongoDB Extended JSON v2): how BSON travels as JSON and back.
//!
//! [`decode_document`] reads a text once into BSON and refuses what JSON leaves open: repeated keys,
//! unbounded nesting, unbounded size. [`StoredDocument`] and [`ResultDocument`] write BSON straight into
//! the response, without a tree in between.

mod decode;
mod encode;

pub(crate) use decode::decode_document;
pub(crate) use encode::{ResultDocument, StoredDocument};

#[cfg(test)]
mod tests {
    use mongodb::bson::{Bson, Document, RawDocumentBuf, doc, oid::ObjectId};
    use proptest::prelude::*;

    use super::{decode::decode, *};

    fn encode(document: &Document) -> String {
        let raw = RawDocumentBuf::from_document(document).unwrap();
        serde_json::to_string(&ResultDocument::from(raw)).unwrap()
    }

    fn scalar() -> impl Strategy<Value = Bson> {
        prop_oneof![
            Just(Bson::Null),
            any::<bool>().prop_map(Bson::Boolean),
            any::<i32>().prop_map(Bson::Int32),
            // Narrower numbers come back as 32-bit ones, by design of the relaxed form.
            any::<i64>()
                .prop_filter("needs 64 bits", |number| i32::try_from(*number).is_err())
                .prop_map(Bson::Int64),
            any::<f64>()
                .prop_filter("equal to itself", |number| !number.is_nan())
                .prop_map(Bson::Double),
            any::<String>().prop_map(Bson::String),
            any::<[u8; 12]>().prop_map(|bytes| ObjectId::from_bytes(bytes).into()),
            any::<i64>().prop_map(|ms| mongodb::bson::DateTime::from_millis(ms).into()),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| {
                Bson::Binary(mongodb::bson::Binary {
                    subtype: mongodb::bson::spec::BinarySubtype::Generic,
                    bytes,
                })
            }),
            (any::<u32>(), any::<u32>()).prop_map(|(time, increment)| {
                Bson::Timestamp(mongodb::bson::Timestamp { time, increment })
            }),
            (-999_999_i64..999_999, 0_u8..20).prop_map(|(digits, exponent)| {
                Bson::Decimal128(format!("{digits}E-{exponent}").parse().unwrap())
            }),
            Just(Bson::MinKey),
            Just(Bson::MaxKey),
        ]
    }

    fn value() -> impl Strategy<Value = Bson> {
        scalar().prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Bson::Array),
                proptest::collection::vec(("[a-zé][a-z0-9]{0,6}", inner), 0..6)
                    .prop_map(|pairs| Bson::Document(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_survives_a_round_trip(value in value()) {
            let document = doc! { "value": value };
            let text = encode(&document);
            prop_assert_eq!(decode_document(text.as_bytes()).unwrap(), document, "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\":,$a-e0-9.\\\\u-]{0,60}") {
            decode(text.as_bytes()).ok();
        }
    }

    #[test]
    fn integers_that_javascript_cannot_hold_travel_as_text() {
        assert_eq!(encode(&doc! { "n": 7_i64 }), r#"{"n":7}"#);
        assert_eq!(
            encode(&doc! { "n": 9_007_199_254_740_993_i64 }),
            r#"{"n":{"$numberLong":"9007199254740993"}}"#
        );
    }

    #[test]
    fn a_stored_document_shows_its_id_as_plain_text() {
        let id = ObjectId::parse_str("65a1b2c3d4e5f60718293a4b").unwrap();
        let raw = RawDocumentBuf::from_document(&doc! { "_id": id, "ref": id }).unwrap();
        assert_eq!(
            serde_json::to_string(&StoredDocument::from(raw)).unwrap(),
            r#"{"_id":"65a1b2c3d4e5f60718293a4b","ref":{"$oid":"65a1b2c3d4e5f60718293a4b"}}"#
        );
    }
}
