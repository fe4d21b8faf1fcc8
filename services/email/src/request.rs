//! What a caller asks for, and how that becomes a mail.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    mail::{Attachment, Content, ListUnsubscribe, Mail},
    mailbox::{Mailbox, Mailboxes},
    render::{Source, Variables},
    template::{Locale, TemplateName},
    text,
};

/// Longest idempotency key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// A mail to be sent.
///
/// Its content is either a `template` with `variables`, or a `subject` with `html`, `text` or both.
/// A `subject` beside a `template` stands in for the template's own, and is a template itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendMail {
    /// Addresses, or a single one.
    #[serde(default)]
    pub(crate) to: Mailboxes,
    /// Addresses that everybody sees.
    #[serde(default)]
    pub(crate) cc: Mailboxes,
    /// Addresses that nobody sees.
    #[serde(default)]
    pub(crate) bcc: Mailboxes,
    /// Where answers go.
    #[serde(default)]
    pub(crate) reply_to: Option<Mailbox>,
    /// Subject line.
    #[serde(default)]
    pub(crate) subject: Option<String>,
    /// HTML part.
    #[serde(default)]
    pub(crate) html: Option<String>,
    /// Plain part; derived from `html` when missing.
    #[serde(default)]
    pub(crate) text: Option<String>,
    /// Name of a template.
    #[serde(default)]
    pub(crate) template: Option<TemplateName>,
    /// The reader's language; the template falls back from `en-GB` to `en` to `default`.
    #[serde(default)]
    pub(crate) locale: Option<Locale>,
    /// What the template is filled with.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(crate) variables: Variables,
    /// Files that go along.
    #[serde(default)]
    pub(crate) attachments: Vec<Attachment>,
    /// How a reader gets off the list.
    #[serde(default)]
    pub(crate) list_unsubscribe: Option<ListUnsubscribe>,
    /// The same key and the same mail are accepted once; see `docs/email.md`.
    #[serde(default)]
    pub(crate) idempotency_key: Option<IdempotencyKey>,
}

/// A caller's name for one wish: 1 to 255 printable ASCII characters.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 255)]
pub(crate) struct IdempotencyKey(String);

/// Where the content of a mail comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A template, in the reader's language.
    Template(TemplateName, Locale),
    /// The request itself.
    Given(Content),
}

/// Why a request is not a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRequest {
    #[error("give either a template without html and text, or a subject with html or text")]
    Content,
    #[error("variables and locale belong to a template")]
    Variables,
}

impl SendMail {
    /// Where its content comes from.
    pub(crate) fn origin(&self) -> Result<Origin, InvalidRequest> {
        match (&self.template, &self.subject, &self.html, &self.text) {
            (Some(name), _, None, None) => {
                let locale = self.locale.clone().unwrap_or_default();
                Ok(Origin::Template(name.clone(), locale))
            }
            (None, Some(_), _, _) if !self.variables.is_empty() || self.locale.is_some() => {
                Err(InvalidRequest::Variables)
            }
            (None, Some(subject), html, text) => {
                let text = match (html, text) {
                    (_, Some(text)) => text.clone(),
                    (Some(html), None) => text::from_html(html),
                    (None, None) => return Err(InvalidRequest::Content),
                };
                Ok(Origin::Given(Content {
                    subject: subject.clone(),
                    html: html.clone(),
                    text,
                }))
            }
            _ => Err(InvalidRequest::Content),
        }
    }

    /// The mail, with its content.
    pub(crate) fn into_mail(self, content: Content) -> Mail {
        Mail {
            to: self.to,
            cc: self.cc,
            bcc: self.bcc,
            reply_to: self.reply_to,
            content,
            attachments: self.attachments,
            list_unsubscribe: self.list_unsubscribe,
        }
    }

    /// Tells this wish from another under the same key.
    pub(crate) fn fingerprint(&self) -> Result<[u8; 32], serde_json::Error> {
        Ok(Sha256::digest(serde_json::to_vec(self)?).into())
    }
}

impl IdempotencyKey {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = &'static str;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        let is_key = (1..=MAX_KEY_BYTES).contains(&key.len())
            && key
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ');
        is_key
            .then_some(Self(key))
            .ok_or("an idempotency_key is 1 to 255 printable ASCII characters")
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> Self {
        key.0
    }
}

/// A template that is tried out before it is stored, or a stored one.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preview {
    /// The reader's language.
    #[serde(default)]
    pub(crate) locale: Option<Locale>,
    /// What the template is filled with.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(crate) variables: Variables,
    /// Shows this instead of what is stored.
    #[serde(default)]
    pub(crate) draft: Option<Source>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn origin(value: serde_json::Value) -> Result<Origin, InvalidRequest> {
        serde_json::from_value::<SendMail>(value).unwrap().origin()
    }

    #[test]
    fn content_comes_from_one_place() {
        for template in [
            json!({"template": "invite"}),
            json!({"template": "invite", "subject": "s"}),
        ] {
            assert!(matches!(origin(template), Ok(Origin::Template(..))));
        }
        assert!(matches!(
            origin(json!({"subject": "s", "text": "t"})),
            Ok(Origin::Given(_))
        ));
        for refused in [
            json!({}),
            json!({"subject": "s"}),
            json!({"text": "t"}),
            json!({"template": "invite", "text": "t"}),
            json!({"template": "invite", "subject": "s", "html": "h"}),
        ] {
            assert_eq!(
                origin(refused.clone()).unwrap_err(),
                InvalidRequest::Content,
                "{refused}"
            );
        }
        let with_variables = json!({"subject": "s", "text": "t", "variables": {"a": 1}});
        assert_eq!(
            origin(with_variables).unwrap_err(),
            InvalidRequest::Variables
        );
    }

    #[test]
    fn a_plain_part_is_derived_from_html() {
        let Ok(Origin::Given(content)) = origin(json!({"subject": "s", "html": "<p>Hi</p>"}))
        else {
            panic!("content is given");
        };
        assert_eq!(content.text, "Hi");
    }

    #[test]
    fn the_order_of_fields_makes_no_other_wish() {
        let fingerprint = |text| {
            serde_json::from_str::<SendMail>(text)
                .unwrap()
                .fingerprint()
                .unwrap()
        };
        let one = fingerprint(r#"{"subject":"s","text":"t","to":"a@example.com"}"#);
        let same = fingerprint(r#"{"to":["a@example.com"],"text":"t","subject":"s"}"#);
        let other = fingerprint(r#"{"to":["a@example.com"],"text":"u","subject":"s"}"#);
        assert_eq!(one, same);
        assert_ne!(one, other);
    }
}
