//! What goes out once a request's changes are stored: mails, or a text message.

use crate::{
    AppState,
    error::Result,
    mails::{self, Mail},
    request::Origin,
    texts::{self, Text},
};

/// Mails or a text message.
#[derive(Debug)]
pub enum Message {
    /// Mails of one request.
    Mails(Vec<Mail>),
    /// A text message.
    Text(Text),
}

impl Message {
    /// Sends it. It is on its way once this succeeds.
    pub async fn send(&self, state: &AppState, origin: &Origin) -> Result<()> {
        match self {
            Self::Mails(mails) => mails::send(state, mails, origin).await,
            Self::Text(text) => texts::send(state, text, origin).await,
        }
    }
}
