//! What an identity provider says about a user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::user::Members;

/// Addresses as names of subjects.
pub const EMAIL_ADDRESS: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
/// Names that stay the same.
pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
/// Names that change each time.
pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
/// Names of any kind.
pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

/// The attribute that names a subject for good (SAML subject identifier attributes).
const SUBJECT_ID: &str = "urn:oasis:names:tc:SAML:attribute:subject-id";

/// Attributes that hold an address where no mapping says so.
const EMAIL_ATTRIBUTES: [&str; 6] = [
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "http://schemas.xmlsoap.org/claims/EmailAddress",
    "mail",
    "Mail",
    "email",
];

/// Claims of OpenID Connect and of GoTrue; others are kept apart.
const CLAIMS: [&str; 20] = [
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "phone",
    "full_name",
    "avatar_url",
    "slug",
    "provider_id",
    "user_name",
];

/// An assertion that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Identifies it among the provider's assertions.
    pub id: String,
    /// Until when it could be presented again.
    pub usable_until: OffsetDateTime,
    /// The subject's name and its format.
    pub name_id: Option<(String, String)>,
    /// What is said about the subject.
    pub attributes: Vec<Attribute>,
    /// When the session is to end.
    pub session_ends_at: Option<OffsetDateTime>,
}

/// Something said about a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, often a URN.
    pub name: String,
    /// Its name for people.
    pub friendly_name: String,
    /// Its values.
    pub values: Vec<String>,
}

/// Which attributes become which claims.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Mapping {
    /// Claims and where they come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<BTreeMap<String, Source>>,
}

/// Where a claim comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Source {
    /// The attribute.
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    /// Other attributes, if that one is not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    /// The claim if none is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    default: Option<Value>,
    /// Whether all values count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    array: bool,
}

/// A user as the identity provider describes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Who they are to the provider.
    pub id: String,
    /// Their address, in lower case.
    pub email: String,
    /// Everything that is kept about them.
    pub data: Members,
}

/// What an assertion does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Who the user is, the next time too.
    Id,
    /// The user's address.
    Email,
}

impl Assertion {
    /// Who it is about, its attributes mapped to claims.
    pub fn subject(&self, entity_id: &str, mapping: &Mapping) -> Result<Subject, Missing> {
        let id = self
            .user_id()
            .filter(|id| !id.is_empty())
            .ok_or(Missing::Id)?;
        let mut claims = self.claims(mapping);
        let mapped = claims.remove("email");
        let mapped = mapped.as_ref().and_then(Value::as_str).map(str::to_owned);
        let email = mapped
            .filter(|email| !email.is_empty())
            .or_else(|| self.email());
        let email = email.ok_or(Missing::Email)?.trim().to_lowercase();
        let mut data = Map::new();
        for name in CLAIMS {
            if claims.get(name).is_some_and(Value::is_string)
                && let Some(value) = claims.remove(name)
            {
                data.insert(name.to_owned(), value);
            }
        }
        for (name, value) in [
            ("iss", json!(entity_id)),
            ("sub", json!(id)),
            ("email", json!(email)),
            ("email_verified", json!(true)),
            ("phone_verified", json!(false)),
        ] {
            claims.remove(name);
            data.insert(name.to_owned(), value);
        }
        if !claims.is_empty() {
            data.insert("custom_claims".to_owned(), Value::Object(claims));
        }
        Ok(Subject { id, email, data })
    }

    /// Values of the attributes with this name, in either way of naming them.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named =
            move |attribute: &&Attribute| attribute.name == name || attribute.friendly_name == name;
        let values = self
            .attributes
            .iter()
            .filter(named)
            .flat_map(|attribute| &attribute.values);
        values.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What names the user for good.
    fn user_id(&self) -> Option<String> {
        if let Some(id) = self.values(SUBJECT_ID).next() {
            return Some(id.to_owned());
        }
        match self.name_id.as_ref()? {
            (_, format) if format == TRANSIENT => None,
            (name, format) if format == EMAIL_ADDRESS => Some(name.trim().to_lowercase()),
            (name, _) => Some(name.clone()),
        }
    }

    fn email(&self) -> Option<String> {
        let mut values = EMAIL_ATTRIBUTES.iter().flat_map(|name| self.values(name));
        if let Some(email) = values.next() {
            return Some(email.to_owned());
        }
        let (name, format) = self.name_id.as_ref()?;
        (format == EMAIL_ADDRESS && !name.is_empty()).then(|| name.clone())
    }

    fn claims(&self, mapping: &Mapping) -> Members {
        let mut claims = Map::new();
        for (claim, source) in mapping.keys.iter().flatten() {
            let names = [&source.name].into_iter().chain(&source.names);
            let found = names
                .filter(|name| !name.is_empty())
                .map(|name| self.values(name).collect::<Vec<_>>())
                .find(|values| !values.is_empty());
            let value = match found {
                Some(values) if source.array => Some(json!(values)),
                Some(values) => values.first().map(|value| json!(value)),
                None => source.default.clone(),
            };
            if let Some(value) = value {
                claims.insert(claim.clone(), value);
            }
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assertion(name_id: (&str, &str), attributes: &[(&str, &str, &[&str])]) -> Assertion {
        let read = |(name, friendly_name, values): &(&str, &str, &[&str])| Attribute {
            name: (*name).to_owned(),
            friendly_name: (*friendly_name).to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        Assertion {
            id: "a".to_owned(),
            usable_until: OffsetDateTime::UNIX_EPOCH,
            name_id: Some((name_id.0.to_owned(), name_id.1.to_owned())),
            attributes: attributes.iter().map(read).collect(),
            session_ends_at: None,
        }
    }

    #[test]
    fn attributes_become_claims_as_the_mapping_says() {
        let said = assertion(
            ("u-1", PERSISTENT),
            &[
                (
                    "urn:oid:0.9.2342.19200300.100.1.3",
                    "mail",
                    &["Ada@Example.com"],
                ),
                ("urn:oid:2.5.4.42", "givenName", &["", "Ada"]),
                ("groups", "", &["a", "b"]),
            ],
        );
        let mapping = json!({"keys": {
            "given_name": {"name": "nothing", "names": ["givenName"]},
            "groups": {"name": "groups", "array": true},
            "first_group": {"name": "groups"},
            "team": {"name": "team", "default": 7},
            "absent": {"name": "absent"},
        }});
        let mapping: Mapping = serde_json::from_value(mapping).unwrap();
        let subject = said.subject("https://idp", &mapping).unwrap();
        assert_eq!(
            (subject.id.as_str(), subject.email.as_str()),
            ("u-1", "ada@example.com")
        );
        let expected = json!({
            "iss": "https://idp", "sub": "u-1", "email": "ada@example.com",
            "email_verified": true, "phone_verified": false, "given_name": "Ada",
            "custom_claims": {"groups": ["a", "b"], "first_group": "a", "team": 7},
        });
        assert_eq!(Value::Object(subject.data), expected);
    }

    #[test]
    fn a_mapping_cannot_say_who_the_user_is() {
        let said = assertion(("u-1", PERSISTENT), &[("mail", "", &["ada@example.com"])]);
        let mapping = json!({"keys": {
            "sub": {"default": "u-2"}, "iss": {"default": "x"},
            "email_verified": {"default": false},
        }});
        let mapping: Mapping = serde_json::from_value(mapping).unwrap();
        let data = said.subject("https://idp", &mapping).unwrap().data;
        assert_eq!(
            (&data["sub"], &data["iss"]),
            (&json!("u-1"), &json!("https://idp"))
        );
        assert_eq!(data["email_verified"], true);
    }

    #[test]
    fn a_user_is_named_for_good_or_not_at_all() {
        fn subject(
            name_id: (&str, &str),
            attributes: &[(&str, &str, &[&str])],
        ) -> Result<Subject, Missing> {
            assertion(name_id, attributes).subject("i", &Mapping::default())
        }
        let by_email = subject((" Ada@Example.com ", EMAIL_ADDRESS), &[]).unwrap();
        assert_eq!(by_email.id, "ada@example.com");
        assert_eq!(by_email.email, "ada@example.com");
        let mail: (&str, &str, &[&str]) = ("mail", "", &["ada@example.com"]);
        assert_eq!(subject(("x", TRANSIENT), &[mail]), Err(Missing::Id));
        assert_eq!(subject(("", PERSISTENT), &[mail]), Err(Missing::Id));
        assert_eq!(subject(("x", PERSISTENT), &[]), Err(Missing::Email));
        let named: (&str, &str, &[&str]) = (SUBJECT_ID, "", &["u-1"]);
        assert_eq!(subject(("x", TRANSIENT), &[mail, named]).unwrap().id, "u-1");
    }
}
