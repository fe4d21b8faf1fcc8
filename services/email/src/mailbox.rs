//! Addresses, as they come from requests and configuration.

use std::{fmt, str::FromStr};

use lettre::Address;
use serde::{Deserialize, Deserializer, Serialize, de};
use url::Host;
use utoipa::ToSchema;

/// Longest mailbox that is looked at, in bytes: a name, and an address of 254 (RFC 5321, 4.5.3.1).
const MAX_BYTES: usize = 512;

/// Most mailboxes in one list.
const MAX_LISTED: usize = 50;

/// An address, perhaps with a name: `ada@example.com` or `Ada <ada@example.com>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "Ada <ada@example.com>")]
pub(crate) struct Mailbox(lettre::message::Mailbox);

/// Some mailboxes; a single one may stand without a list around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Vec<String>)]
pub(crate) struct Mailboxes(Vec<Mailbox>);

/// Why a text is not a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMailbox {
    #[error("an address is too long")]
    TooLong,
    #[error("an address holds a control character")]
    Control,
    #[error("an address is not a valid e-mail address")]
    Malformed,
}

impl Mailbox {
    pub(crate) fn address(&self) -> &Address {
        &self.0.email
    }

    /// Stands in while a configuration is found wanting, and for mail that nobody gets.
    pub(crate) fn placeholder() -> Self {
        let address = Address::new_dangerous("nobody", "localhost");
        Self(address.into())
    }

    pub(crate) fn to_lettre(&self) -> lettre::message::Mailbox {
        self.0.clone()
    }
}

impl FromStr for Mailbox {
    type Err = InvalidMailbox;

    fn from_str(text: &str) -> Result<Self, InvalidMailbox> {
        if text.len() > MAX_BYTES {
            return Err(InvalidMailbox::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidMailbox::Control);
        }
        let mut mailbox: lettre::message::Mailbox =
            text.trim().parse().map_err(|_| InvalidMailbox::Malformed)?;
        if !mailbox.email.domain().is_ascii() {
            // Mail servers know domains in their ASCII form (RFC 5890).
            mailbox.email = Host::parse(mailbox.email.domain())
                .ok()
                .and_then(|domain| Address::new(mailbox.email.user(), domain.to_string()).ok())
                .ok_or(InvalidMailbox::Malformed)?;
        }
        Ok(Self(mailbox))
    }
}

impl TryFrom<String> for Mailbox {
    type Error = InvalidMailbox;

    fn try_from(text: String) -> Result<Self, InvalidMailbox> {
        text.parse()
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.to_string()
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Mailboxes {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Mailbox> {
        self.0.iter()
    }
}

impl<'de> Deserialize<'de> for Mailboxes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Mailboxes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an e-mail address or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Mailboxes, E> {
                let mailbox = text.parse().map_err(E::custom)?;
                Ok(Mailboxes(vec![mailbox]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Mailboxes, A::Error> {
                let mut mailboxes = Vec::new();
                while let Some(mailbox) = list.next_element()? {
                    if mailboxes.len() == MAX_LISTED {
                        let text = format!("at most {MAX_LISTED} addresses are accepted");
                        return Err(de::Error::custom(text));
                    }
                    mailboxes.push(mailbox);
                }
                Ok(Mailboxes(mailboxes))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_may_have_a_name() {
        let named: Mailbox = "Ada Lovelace <ada@example.com>".parse().unwrap();
        assert_eq!(named.address().to_string(), "ada@example.com");
        let bare: Mailbox = " ada@example.com ".parse().unwrap();
        assert_eq!(bare.address(), named.address());
    }

    #[test]
    fn an_international_domain_is_written_in_ascii() {
        let mailbox: Mailbox = "ada@bücher.example".parse().unwrap();
        assert_eq!(mailbox.address().to_string(), "ada@xn--bcher-kva.example");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a b@example.com",
            "Ada <ada@example.com",
        ] {
            assert!(text.parse::<Mailbox>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn line_breaks_are_refused_everywhere() {
        for text in [
            "ada@example.com\r\nBcc: eve@example.com",
            "Ada\nBcc: eve@example.com <ada@example.com>",
            "\"a\r\n\"@example.com",
        ] {
            assert_eq!(
                text.parse::<Mailbox>(),
                Err(InvalidMailbox::Control),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn an_accepted_mailbox_survives_being_stored(text in ".{0,40}@[a-z]{1,9}\\.[a-z]{2,4}") {
            if let Ok(mailbox) = text.parse::<Mailbox>() {
                let stored = serde_json::to_string(&mailbox).unwrap();
                let read: Mailbox = serde_json::from_str(&stored).unwrap();
                prop_assert_eq!(read.address(), mailbox.address());
            }
        }
    }
}
