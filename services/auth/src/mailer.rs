//! Hands mails to the email service, which stores them before it answers.

use std::time::Duration;

use common::client::ServiceClient;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::{
    config,
    error::{Error, Result},
    mails::Mail,
    user::Members,
};

/// Longest wait for the email service.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The way mails leave. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    service: Option<ServiceClient>,
    site_url: String,
    subjects: Vec<(&'static str, String)>,
}

impl Mailer {
    /// A mailer as configured; without an email service mails are dropped, as `GoTrue` drops them
    /// without an SMTP server.
    pub fn new(config: &config::Config) -> anyhow::Result<Self> {
        let mailer = &config.mailer;
        let service = match &mailer.email_url {
            Some(url) => Some(ServiceClient::new(
                url.clone(),
                mailer.email_token.clone(),
                TIMEOUT,
            )?),
            None => None,
        };
        Ok(Self {
            service,
            site_url: config.site_url.to_string(),
            subjects: mailer.subjects.clone(),
        })
    }

    /// Hands a mail over. It is on its way once this succeeds.
    async fn send(&self, mail: &Mail) -> Result<()> {
        let Some(service) = &self.service else {
            tracing::debug!(
                template = mail.purpose.template(),
                "no email service, mail dropped"
            );
            return Ok(());
        };
        let request = service
            .request(Method::POST, "/send")
            .json(&self.message(mail));
        let sent = request
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        sent.map_err(|error| Error::Mailer(error.without_url()))?;
        Ok(())
    }

    /// Hands over what there is, one after the other.
    pub async fn send_all(&self, mails: &[Mail]) -> Result<()> {
        for mail in mails {
            self.send(mail).await?;
        }
        Ok(())
    }

    fn message(&self, mail: &Mail) -> Value {
        let template = mail.purpose.template();
        let mut message = Map::from_iter([
            ("to".to_owned(), json!([mail.to])),
            ("template".to_owned(), json!(format!("auth-{template}"))),
            (
                "variables".to_owned(),
                json!({
                    "SiteURL": self.site_url,
                    "ConfirmationURL": mail.link,
                    "Email": mail.email,
                    "NewEmail": mail.new_email,
                    "Token": mail.code,
                    "TokenHash": mail.token,
                    "SendingTo": mail.to,
                    "Data": mail.data,
                    "RedirectTo": mail.redirect_to,
                }),
            ),
            (
                "idempotency_key".to_owned(),
                json!(format!("auth-{template}-{}", mail.stored)),
            ),
        ]);
        if let Some(locale) = locale(&mail.data) {
            message.insert("locale".to_owned(), json!(locale));
        }
        let subject = self.subjects.iter().find(|(name, _)| *name == template);
        if let Some((_, subject)) = subject {
            message.insert("subject".to_owned(), json!(subject));
        }
        Value::Object(message)
    }
}

/// Whether the email service may take the same mail in a while.
pub fn is_temporary(error: &reqwest::Error) -> bool {
    error
        .status()
        .is_none_or(|status| status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS)
}

/// The language a user asks for: the claim `locale` of `OpenID` Connect, if it is a language tag.
fn locale(data: &Members) -> Option<&str> {
    const MAX_BYTES: usize = 35;
    let tag = data.get("locale")?.as_str()?;
    let mut subtags = tag.split(['-', '_']);
    let language = subtags.next()?;
    let is_language = (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_subtag = |subtag: &str| {
        (2..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (tag.len() <= MAX_BYTES && is_language && subtags.all(is_subtag)).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_language_tag_is_passed_on() {
        let locale_of = |value: Value| {
            let data = Members::from_iter([("locale".to_owned(), value)]);
            locale(&data).map(str::to_owned)
        };
        for tag in ["de", "en-GB", "zh_Hant_TW"] {
            assert_eq!(locale_of(json!(tag)).as_deref(), Some(tag));
        }
        for other in [
            json!("d"),
            json!("Deutsch"),
            json!("de-"),
            json!("de\r\n"),
            json!(7),
        ] {
            assert_eq!(locale_of(other), None);
        }
        assert_eq!(locale(&Members::new()), None);
    }
}
