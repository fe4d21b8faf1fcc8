//! What is delivered, and what can become of it.

use std::collections::BTreeMap;

use lettre::Address;

use crate::smtp::SmtpError;

/// One message on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel<'a> {
    pub(crate) from: &'a Address,
    pub(crate) recipients: &'a [Address],
    /// The whole text, headers included.
    pub(crate) message: &'a [u8],
}

/// What an attempt did for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The mail server took responsibility.
    Delivered,
    /// The mail server will never take it.
    Rejected(String),
    /// It did not work this time; nothing was delivered.
    Deferred(String),
    /// The mail server was handed the message, and its answer was lost.
    Unconfirmed(String),
}

/// What an attempt did for each recipient.
#[derive(Debug, Default)]
pub(crate) struct Fates(BTreeMap<String, Fate>);

impl Parcel<'_> {
    /// Whether an address has characters beyond ASCII (RFC 6531).
    pub(crate) fn needs_unicode(&self) -> bool {
        let is_unicode = |address: &Address| !AsRef::<str>::as_ref(address).is_ascii();
        is_unicode(self.from) || self.recipients.iter().any(is_unicode)
    }
}

impl Fate {
    /// What an error before the dot means.
    pub(crate) fn of_error(error: &SmtpError) -> Self {
        match error {
            SmtpError::Refused(reply) if reply.is_permanent => Self::Rejected(reply.to_string()),
            SmtpError::NoUnicode => Self::Rejected(error.to_string()),
            _ => Self::Deferred(error.to_string()),
        }
    }

    /// The name of the outcome, for metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Rejected(_) => "rejected",
            Self::Deferred(_) => "deferred",
            Self::Unconfirmed(_) => "unconfirmed",
        }
    }

    /// What the mail server said, or what kept it from saying something.
    pub(crate) fn reply(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::Rejected(reply) | Self::Deferred(reply) | Self::Unconfirmed(reply) => Some(reply),
        }
    }
}

impl Fates {
    /// The same fate for all recipients of `parcel`.
    pub(crate) fn all(parcel: &Parcel<'_>, fate: &Fate) -> Self {
        let mut fates = Self::default();
        fates.settle_rest(parcel, fate);
        fates
    }

    /// Decides about one recipient.
    pub(crate) fn settle(&mut self, recipient: &Address, fate: Fate) {
        self.0.insert(recipient.to_string(), fate);
    }

    /// Decides about all recipients that nothing was decided about.
    pub(crate) fn settle_rest(&mut self, parcel: &Parcel<'_>, fate: &Fate) {
        for recipient in parcel.recipients {
            self.0
                .entry(recipient.to_string())
                .or_insert_with(|| fate.clone());
        }
    }

    /// Recipients that nothing was decided about.
    pub(crate) fn undecided<'a>(&self, parcel: &Parcel<'a>) -> Vec<&'a Address> {
        let is_open = |recipient: &&Address| !self.0.contains_key(AsRef::<str>::as_ref(recipient));
        parcel.recipients.iter().filter(is_open).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Fate)> {
        self.0
            .iter()
            .map(|(address, fate)| (address.as_str(), fate))
    }

    /// Something a reader of the message's state should know.
    pub(crate) fn complaint(&self) -> Option<&str> {
        self.0.values().find_map(Fate::reply)
    }
}
