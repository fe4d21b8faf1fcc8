//! A mail as the text that travels (RFC 5322, RFC 2045), written by lettre, which also encodes every
//! header.

use std::time::SystemTime;

use lettre::{
    Message,
    message::{
        Attachment as Part, Body as EncodedBody, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Error,
    mail::{Attachment, InvalidMail, Mail},
    mailbox::Mailbox,
};

const LIST_UNSUBSCRIBE: HeaderName = HeaderName::new_from_ascii_str("List-Unsubscribe");
const LIST_UNSUBSCRIBE_POST: HeaderName = HeaderName::new_from_ascii_str("List-Unsubscribe-Post");

/// Writes `mail` as the message `id`, accepted at `date`.
///
/// Every attempt at a message carries the same `Message-ID`, so that a receiver can recognise one
/// that it has already.
pub(crate) fn write(
    mail: &Mail,
    from: &Mailbox,
    id: Uuid,
    date: OffsetDateTime,
) -> Result<Vec<u8>, Error> {
    let mut builder = Message::builder()
        .from(from.to_lettre())
        .message_id(Some(format!(
            "<{}@{}>",
            id.simple(),
            from.address().domain()
        )))
        .date(SystemTime::from(date))
        .subject(mail.content.subject.as_str());
    for to in mail.to.iter() {
        builder = builder.to(to.to_lettre());
    }
    for cc in mail.cc.iter() {
        builder = builder.cc(cc.to_lettre());
    }
    for bcc in mail.bcc.iter() {
        // For the envelope only: lettre leaves the header out.
        builder = builder.bcc(bcc.to_lettre());
    }
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(reply_to.to_lettre());
    }
    if let Some(list) = &mail.list_unsubscribe {
        let value = list.header();
        // Validated to be printable ASCII; the encoder would break long URLs up.
        let encoded = value.clone();
        let header = HeaderValue::dangerous_new_pre_encoded(LIST_UNSUBSCRIBE, value, encoded);
        builder = builder.raw_header(header);
        if list.one_click {
            let value = "List-Unsubscribe=One-Click".to_owned();
            builder = builder.raw_header(HeaderValue::new(LIST_UNSUBSCRIBE_POST, value));
        }
    }
    let message = match body(mail)? {
        Body::Single(part) => builder.singlepart(part),
        Body::Multi(part) => builder.multipart(part),
    };
    message
        .map(|message| message.formatted())
        .map_err(|error| Error::Assembly(error.into()))
}

enum Body {
    Single(SinglePart),
    Multi(MultiPart),
}

/// Text and HTML as alternatives, images around the HTML, files around everything.
fn body(mail: &Mail) -> Result<Body, Error> {
    let (inline, attached): (Vec<_>, Vec<_>) = mail
        .attachments
        .iter()
        .partition(|file| file.content_id.is_some() && mail.content.html.is_some());

    let plain = SinglePart::plain(one_kind_of_line_break(&mail.content.text));
    let mut body = match &mail.content.html {
        None => Body::Single(plain),
        Some(html) => {
            let html = SinglePart::html(one_kind_of_line_break(html));
            let alternatives = MultiPart::alternative().singlepart(plain);
            Body::Multi(if inline.is_empty() {
                alternatives.singlepart(html)
            } else {
                let mut related = MultiPart::related().singlepart(html);
                for file in inline {
                    related = related.singlepart(part(file)?);
                }
                alternatives.multipart(related)
            })
        }
    };
    if !attached.is_empty() {
        let mut mixed = match body {
            Body::Single(part) => MultiPart::mixed().singlepart(part),
            Body::Multi(part) => MultiPart::mixed().multipart(part),
        };
        for file in attached {
            mixed = mixed.singlepart(part(file)?);
        }
        body = Body::Multi(mixed);
    }
    Ok(body)
}

fn part(file: &Attachment) -> Result<SinglePart, Error> {
    let content_type = ContentType::parse(&file.content_type.to_ascii_lowercase())
        .map_err(|error| Error::Assembly(error.into()))?;
    let name = file.filename.clone();
    let part = match &file.content_id {
        Some(id) => Part::new_inline_with_name(id.clone(), name),
        None => Part::new(name),
    };
    // As it is, a file could hold line breaks that servers take for more than that.
    let body = EncodedBody::new_with_encoding(file.bytes()?, ContentTransferEncoding::Base64)
        .map_err(|_| InvalidMail::Base64)?;
    Ok(part.body(body, content_type))
}

/// Leaves line feeds only, which lettre writes as CRLF; a lone carriage return it would keep.
fn one_kind_of_line_break(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        /// Servers disagree about line breaks that are not CRLF; with one, a text could end its
        /// message and begin another.
        #[test]
        fn every_line_break_is_crlf(
            text in "[a.\r\n é]{0,40}",
            html in proptest::option::of("[<p>.\r\n]{0,40}"),
            name in "[a-z\"\\\\;= é]{1,90}",
        ) {
            let mail = json!({
                "to": ["ada@example.com"], "cc": [], "bcc": [], "reply_to": null,
                "subject": name, "html": html, "text": text, "list_unsubscribe": null,
                "attachments": [{"filename": name, "content_type": "text/plain", "content": "Lg0KLgo="}],
            });
            let mail: Mail = serde_json::from_value(mail).unwrap();
            let from = "noreply@example.com".parse().unwrap();
            let message = write(&mail, &from, Uuid::nil(), OffsetDateTime::UNIX_EPOCH).unwrap();
            let rest = String::from_utf8(message).unwrap().replace("\r\n", "");
            prop_assert!(!rest.contains(['\r', '\n']), "{rest:?}");
        }
    }
}
