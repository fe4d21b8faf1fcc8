//! A mail that is ready to be sent, and the rules about what it may hold.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lettre::message::header::ContentType;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use crate::mailbox::{Mailbox, Mailboxes};

/// Most addresses one mail goes to.
const MAX_RECIPIENTS: usize = 50;

/// Longest subject, in characters.
const MAX_SUBJECT_CHARS: usize = 400;

/// Largest text and HTML together, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Most attachments of one mail.
const MAX_ATTACHMENTS: usize = 10;

/// Largest sum of all attachments as they travel in a request, in bytes.
const MAX_ATTACHMENT_BYTES: usize = 256 * 1024;

/// Longest name of a file, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// A mail, complete: what the outbox keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: Mailboxes,
    pub(crate) cc: Mailboxes,
    pub(crate) bcc: Mailboxes,
    pub(crate) reply_to: Option<Mailbox>,
    #[serde(flatten)]
    pub(crate) content: Content,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) list_unsubscribe: Option<ListUnsubscribe>,
}

/// What a reader sees.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Content {
    /// Subject line.
    pub(crate) subject: String,
    /// HTML part.
    pub(crate) html: Option<String>,
    /// Plain part.
    pub(crate) text: String,
}

/// A file that goes along.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attachment {
    /// Name of the file, without a path.
    pub(crate) filename: String,
    /// MIME type, such as `application/pdf`.
    pub(crate) content_type: String,
    /// The file in base64.
    pub(crate) content: String,
    /// Makes it an image inside the HTML, as `<img src="cid:…">`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_id: Option<String>,
}

/// How a reader gets off the list (RFC 2369, RFC 8058).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListUnsubscribe {
    /// An HTTPS page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// An address that takes such wishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mailto: Option<Mailbox>,
    /// Whether a POST to `url` is enough.
    #[serde(default)]
    pub(crate) one_click: bool,
}

/// Why a mail is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMail {
    #[error("a mail needs at least one address in `to`, `cc` or `bcc`")]
    NoRecipients,
    #[error("a mail goes to at most {MAX_RECIPIENTS} addresses")]
    TooManyRecipients,
    #[error("a subject has 1 to {MAX_SUBJECT_CHARS} characters and no line breaks")]
    Subject,
    #[error("text, html and urls hold no zero character")]
    ZeroCharacter,
    #[error("text and html together have at most {MAX_BODY_BYTES} bytes")]
    BodyTooLarge,
    #[error("attachments have at most {MAX_ATTACHMENT_BYTES} bytes together")]
    AttachmentsTooLarge,
    #[error("a mail has at most {MAX_ATTACHMENTS} attachments")]
    TooManyAttachments,
    #[error("a filename has 1 to {MAX_NAME_BYTES} bytes and no path or control characters")]
    Filename,
    #[error("a content_type is a MIME type of one part, such as application/pdf")]
    ContentType,
    #[error("a content_id has letters, digits and `.-_@` only")]
    ContentId,
    #[error("the content of an attachment is not base64")]
    Base64,
    #[error("list_unsubscribe needs an https url, or a mailto; one_click needs the url")]
    ListUnsubscribe,
}

impl Mail {
    /// Everybody it goes to, each once; case does not make another address.
    pub(crate) fn recipients(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        [&self.to, &self.cc, &self.bcc]
            .into_iter()
            .flat_map(Mailboxes::iter)
            .map(|mailbox| mailbox.address().as_ref())
            .filter(|address| seen.insert(normalized(address)))
            .collect()
    }

    /// Whether it may be sent.
    pub(crate) fn validate(&self) -> Result<(), InvalidMail> {
        match self.recipients().len() {
            0 => return Err(InvalidMail::NoRecipients),
            1..=MAX_RECIPIENTS => {}
            _ => return Err(InvalidMail::TooManyRecipients),
        }
        self.content.validate()?;
        if self.attachments.len() > MAX_ATTACHMENTS {
            return Err(InvalidMail::TooManyAttachments);
        }
        if self
            .attachments
            .iter()
            .map(|file| file.content.len())
            .sum::<usize>()
            > MAX_ATTACHMENT_BYTES
        {
            return Err(InvalidMail::AttachmentsTooLarge);
        }
        self.attachments.iter().try_for_each(Attachment::validate)?;
        self.list_unsubscribe
            .as_ref()
            .map_or(Ok(()), ListUnsubscribe::validate)
    }
}

impl Content {
    fn validate(&self) -> Result<(), InvalidMail> {
        let subject = self.subject.trim();
        if subject.is_empty()
            || subject.chars().count() > MAX_SUBJECT_CHARS
            || self.subject.chars().any(char::is_control)
        {
            return Err(InvalidMail::Subject);
        }
        let html = self.html.as_deref().unwrap_or_default();
        refuse_zeros(&self.text)?;
        refuse_zeros(html)?;
        let bytes = self.text.len() + html.len();
        if bytes > MAX_BODY_BYTES {
            return Err(InvalidMail::BodyTooLarge);
        }
        Ok(())
    }
}

impl Attachment {
    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, InvalidMail> {
        STANDARD
            .decode(&self.content)
            .map_err(|_| InvalidMail::Base64)
    }

    fn validate(&self) -> Result<(), InvalidMail> {
        let name = &self.filename;
        if name.is_empty()
            || name.len() > MAX_NAME_BYTES
            || name.contains(['/', '\\'])
            || name.chars().any(char::is_control)
        {
            return Err(InvalidMail::Filename);
        }
        let content_type = self.content_type.to_ascii_lowercase();
        let is_composite =
            content_type.starts_with("multipart/") || content_type.starts_with("message/");
        if is_composite
            || content_type.chars().any(char::is_control)
            || ContentType::parse(&content_type).is_err()
        {
            return Err(InvalidMail::ContentType);
        }
        let is_id = |id: &String| {
            (1..=MAX_NAME_BYTES).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte))
        };
        if !self.content_id.as_ref().is_none_or(is_id) {
            return Err(InvalidMail::ContentId);
        }
        self.bytes().map(drop)
    }
}

impl ListUnsubscribe {
    /// The value of the header: the URIs in angle brackets.
    pub(crate) fn header(&self) -> String {
        let url = self.url.as_deref().and_then(https);
        let mailto = self.mailto.as_ref().map(|mailbox| {
            let mut url = "mailto:".to_owned();
            url.extend(percent_encoding::utf8_percent_encode(
                mailbox.address().as_ref(),
                MAILTO_UNSAFE,
            ));
            url
        });
        [url.map(String::from), mailto]
            .into_iter()
            .flatten()
            .map(|uri| format!("<{uri}>"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn validate(&self) -> Result<(), InvalidMail> {
        refuse_zeros(self.url.as_deref().unwrap_or_default())?;
        let has_url = match self.url.as_deref().map(https) {
            Some(None) => return Err(InvalidMail::ListUnsubscribe),
            Some(Some(_)) => true,
            None => false,
        };
        if has_url || (self.mailto.is_some() && !self.one_click) {
            Ok(())
        } else {
            Err(InvalidMail::ListUnsubscribe)
        }
    }
}

/// What must be escaped in the address of a `mailto:` URI (RFC 6068, 2).
const MAILTO_UNSAFE: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'@')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'+');

/// The outbox can hold no zero character, and a mail must not.
fn refuse_zeros(text: &str) -> Result<(), InvalidMail> {
    if text.contains('\0') {
        Err(InvalidMail::ZeroCharacter)
    } else {
        Ok(())
    }
}

/// The form in which addresses are compared: nobody uses two that differ in case alone.
pub(crate) fn normalized(address: &str) -> String {
    address.to_lowercase()
}

/// An HTTPS URL of header-safe characters.
fn https(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_safe = url.as_str().bytes().all(|byte| byte.is_ascii_graphic());
    (url.scheme() == "https" && is_safe && !url.as_str().contains(['<', '>'])).then_some(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mail(changes: &serde_json::Value) -> Mail {
        let mut value = json!({
            "to": ["ada@example.com"], "cc": [], "bcc": [], "reply_to": null,
            "subject": "Hello", "html": null, "text": "Hi", "attachments": [],
            "list_unsubscribe": null,
        });
        for (name, change) in changes.as_object().unwrap() {
            value[name] = change.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    fn attached(file: &serde_json::Value) -> Result<(), InvalidMail> {
        let mut whole =
            json!({"filename": "a.txt", "content_type": "text/plain", "content": "aGk="});
        for (name, value) in file.as_object().unwrap() {
            whole[name] = value.clone();
        }
        mail(&json!({ "attachments": [whole] })).validate()
    }

    #[test]
    fn an_address_that_is_given_twice_gets_one_mail() {
        let mail = mail(&json!({"cc": "Ada <ADA@example.com>", "bcc": "bob@example.com"}));
        assert_eq!(mail.recipients(), ["ada@example.com", "bob@example.com"]);
    }

    #[test]
    fn a_subject_is_one_line() {
        for subject in ["", " ", "a\r\nBcc: eve@example.com", "a\nb", "a\u{0}b"] {
            let result = mail(&json!({ "subject": subject })).validate();
            assert_eq!(result, Err(InvalidMail::Subject), "{subject:?}");
        }
        assert_eq!(mail(&json!({"subject": "Grüße 🎉"})).validate(), Ok(()));
    }

    #[test]
    fn an_attachment_is_a_plain_file() {
        assert_eq!(attached(&json!({})), Ok(()));
        assert_eq!(
            attached(&json!({"filename": "../a"})),
            Err(InvalidMail::Filename)
        );
        assert_eq!(
            attached(&json!({"filename": "a\r\nX: y"})),
            Err(InvalidMail::Filename)
        );
        for kind in [
            "text",
            "multipart/mixed",
            "message/rfc822",
            "text/plain\r\nX: y",
            "text/plain; a=\"\r\n\"",
        ] {
            assert_eq!(
                attached(&json!({ "content_type": kind })),
                Err(InvalidMail::ContentType),
                "{kind:?}"
            );
        }
        assert_eq!(attached(&json!({"content": "?"})), Err(InvalidMail::Base64));
        assert_eq!(
            attached(&json!({"content_id": "a>\r\nX: y"})),
            Err(InvalidMail::ContentId)
        );
    }

    #[test]
    fn unsubscribing_needs_a_safe_way() {
        let validate = |value| mail(&json!({ "list_unsubscribe": value })).validate();
        assert_eq!(
            validate(json!({"url": "https://example.com/u?t=1", "one_click": true})),
            Ok(())
        );
        assert_eq!(validate(json!({"mailto": "off@example.com"})), Ok(()));
        for refused in [
            json!({}),
            json!({"url": "http://example.com"}),
            json!({"url": "javascript:alert(1)"}),
            json!({"mailto": "off@example.com", "one_click": true}),
        ] {
            assert_eq!(
                validate(refused.clone()),
                Err(InvalidMail::ListUnsubscribe),
                "{refused}"
            );
        }
    }
}
