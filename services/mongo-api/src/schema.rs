//! JSON schemas of validators: the service's own fields are always allowed.

use mongodb::bson::{Bson, Document};

use crate::document::RESERVED;

/// A schema that forbids unknown fields, with ours made known.
pub(crate) fn with_own_fields(mut schema: Document) -> Document {
    if schema.get("additionalProperties") != Some(&Bson::Boolean(false)) {
        return schema;
    }
    let own = RESERVED.map(|field| (field.to_owned(), Document::new().into()));
    match schema.get_mut("properties") {
        Some(Bson::Document(properties)) => {
            for (field, rule) in own {
                properties.entry(field).or_insert(rule);
            }
        }
        _ => {
            schema.insert("properties", Document::from_iter(own));
        }
    }
    schema
}

/// The schema as it was given.
pub(crate) fn without_own_fields(mut schema: Document) -> Document {
    if let Some(Bson::Document(properties)) = schema.get_mut("properties") {
        for field in RESERVED {
            if properties.get(field) == Some(&Document::new().into()) {
                properties.remove(field);
            }
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn a_closed_schema_admits_our_fields_and_is_given_back_as_it_was() {
        let schema = doc! {
            "additionalProperties": false,
            "properties": { "title": { "bsonType": "string" } },
        };
        let stored = with_own_fields(schema.clone());
        assert!(
            stored
                .get_document("properties")
                .unwrap()
                .contains_key("owner_id")
        );
        assert_eq!(without_own_fields(stored), schema);
    }

    #[test]
    fn an_open_schema_stays_as_it_is() {
        let schema = doc! { "required": ["title"] };
        assert_eq!(with_own_fields(schema.clone()), schema);
    }
}
