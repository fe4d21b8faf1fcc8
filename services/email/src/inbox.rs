//! The development inbox: the last mails, kept in memory instead of being sent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{mail::Mail, mailbox::Mailbox};

/// Most mails that are kept; the oldest makes room.
const CAPACITY: usize = 200;

/// The mails that were caught. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbox(Arc<Mutex<VecDeque<CaughtMail>>>);

/// A mail that was caught.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CaughtMail {
    /// The id that `POST /send` gave.
    id: Uuid,
    from: String,
    to: Vec<String>,
    cc: Vec<String>,
    bcc: Vec<String>,
    reply_to: Option<String>,
    subject: String,
    html: Option<String>,
    text: String,
    /// Names of the attached files.
    attachments: Vec<String>,
    /// The message as it would have travelled.
    source: String,
    /// When it was caught.
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
}

impl Inbox {
    /// Keeps a mail.
    pub(crate) fn catch(&self, id: Uuid, from: &Mailbox, mail: &Mail, message: &[u8]) {
        let list = |mailboxes: &crate::mailbox::Mailboxes| {
            mailboxes.iter().map(ToString::to_string).collect()
        };
        let caught = CaughtMail {
            id,
            from: from.to_string(),
            to: list(&mail.to),
            cc: list(&mail.cc),
            bcc: list(&mail.bcc),
            reply_to: mail.reply_to.as_ref().map(ToString::to_string),
            subject: mail.content.subject.clone(),
            html: mail.content.html.clone(),
            text: mail.content.text.clone(),
            attachments: mail
                .attachments
                .iter()
                .map(|file| file.filename.clone())
                .collect(),
            source: String::from_utf8_lossy(message).into_owned(),
            received_at: OffsetDateTime::now_utc(),
        };
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // An attempt that could not be recorded is made again; the mail is the same.
        mails.retain(|mail| mail.id != id);
        mails.truncate(CAPACITY - 1);
        mails.push_front(caught);
    }

    /// The mails that were caught, newest first; only those to `recipient` if one is given.
    pub(crate) fn mails(&self, recipient: Option<&str>) -> Vec<CaughtMail> {
        let mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails
            .iter()
            .filter(|mail| recipient.is_none_or(|address| mail.is_for(address)))
            .cloned()
            .collect()
    }

    /// Throws all mails away.
    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl CaughtMail {
    fn is_for(&self, address: &str) -> bool {
        let is_address = |mailbox: &String| {
            let own = mailbox.parse::<Mailbox>();
            own.is_ok_and(|own| own.address().to_string().eq_ignore_ascii_case(address))
        };
        [&self.to, &self.cc, &self.bcc]
            .into_iter()
            .flatten()
            .any(is_address)
    }
}
