//! Hands mails to the email service, which stores them before it answers.

use std::time::Duration;

use common::client::ServiceClient;
use http::Method;
use serde_json::{Map, Value, json};

use crate::{
    config,
    error::{Error, Result},
    mails::Mail,
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
        sent.map_err(|error| {
            let error = error.without_url();
            Error::Internal(anyhow::Error::new(error).context("the email service took no mail"))
        })?;
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
                    "TokenHash": mail.hash,
                    "SendingTo": mail.to,
                    "Data": mail.data,
                    "RedirectTo": mail.redirect_to,
                }),
            ),
            (
                "idempotency_key".to_owned(),
                json!(format!("auth-{template}-{}", mail.hash)),
            ),
        ]);
        let subject = self.subjects.iter().find(|(name, _)| *name == template);
        if let Some((_, subject)) = subject {
            message.insert("subject".to_owned(), json!(subject));
        }
        Value::Object(message)
    }
}
