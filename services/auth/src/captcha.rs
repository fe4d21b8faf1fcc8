//! Asks a service whether a person or a program is there.

use common::client;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    config,
    error::{Error, Result, code},
    request::Origin,
};

/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What clients say beside what they want.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MetaSecurity {
    captcha_token: Option<String>,
}

/// The service, if one is asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Captcha(Option<(config::Captcha, reqwest::Client)>);

/// What the service answers.
#[derive(Debug, Deserialize)]
struct Answer {
    success: bool,
    #[serde(rename = "error-codes", default)]
    error_codes: Vec<String>,
}

impl Captcha {
    /// The service as configured.
    pub fn new(config: Option<config::Captcha>) -> anyhow::Result<Self> {
        let with_client = |config: config::Captcha| {
            let client = client::client(config.timeout)?;
            anyhow::Ok((config, client))
        };
        config.map(with_client).transpose().map(Self)
    }

    /// Fails unless the service takes the client's token for a person's. Admins are not asked.
    pub async fn check(
        &self,
        security: &MetaSecurity,
        origin: &Origin,
        by_admin: bool,
    ) -> Result<()> {
        let Some((config, client)) = self.0.as_ref().filter(|_| !by_admin) else {
            return Ok(());
        };
        let token = security.captcha_token.as_deref().unwrap_or_default().trim();
        if token.is_empty() {
            return Err(failed("no captcha_token found"));
        }
        let ip = origin.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("secret", config.secret.expose_secret())
            .append_pair("response", token)
            .append_pair("remoteip", &ip)
            .finish();
        let answer = ask(client, config, form)
            .await
            .map_err(|error| Error::Internal(error.context("the captcha service")))?;
        if answer.success {
            Ok(())
        } else {
            Err(failed(&answer.error_codes.join(", ")))
        }
    }
}

async fn ask(
    client: &reqwest::Client,
    config: &config::Captcha,
    form: String,
) -> anyhow::Result<Answer> {
    let mut response = client
        .post(config.url.clone())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(reqwest::Error::without_url)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(reqwest::Error::without_url)?
    {
        anyhow::ensure!(
            bytes.len() + chunk.len() <= MAX_ANSWER_BYTES,
            "its answer is too large"
        );
        bytes.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&bytes)?)
}

fn failed(reason: &str) -> Error {
    let message = format!("captcha protection: request disallowed ({reason})");
    Error::bad_request(code::CAPTCHA_FAILED, message)
}
