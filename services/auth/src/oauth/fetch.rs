//! Requests to providers: bounded in time and size, redirects not followed.

use std::time::Duration;

use anyhow::{Context, bail};
use common::client;
use http::StatusCode;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use url::{Host, Url};

/// Longest time a provider may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Asks providers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetcher(Client);

impl Fetcher {
    /// A fetcher.
    pub fn new() -> anyhow::Result<Self> {
        client::client(TIMEOUT).map(Self)
    }

    /// A request for `url`.
    pub fn get(&self, url: &str) -> anyhow::Result<RequestBuilder> {
        Ok(self.0.get(acceptable(url)?))
    }

    /// A form for `url`.
    pub fn post(&self, url: &str) -> anyhow::Result<RequestBuilder> {
        Ok(self.0.post(acceptable(url)?))
    }
}

/// The JSON that is answered to a request.
pub async fn json(request: RequestBuilder) -> anyhow::Result<Value> {
    let (status, body) = bytes(request.header("accept", "application/json")).await?;
    let answer = serde_json::from_slice::<Value>(&body);
    if !status.is_success() {
        let reason = answer
            .ok()
            .and_then(|answer| Some(answer.get("error")?.as_str()?.to_owned()));
        bail!("the answer is {status} {}", reason.unwrap_or_default());
    }
    answer.context("the answer is not JSON")
}

/// What is answered to a request.
pub async fn bytes(request: RequestBuilder) -> anyhow::Result<(StatusCode, Vec<u8>)> {
    let request = request.header(
        "user-agent",
        concat!("ferrobase-auth/", env!("CARGO_PKG_VERSION")),
    );
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(reqwest::Error::without_url)?
    {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            bail!("the answer is too large");
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, body))
}

/// What is sent to a provider is secret: only a machine's own servers are asked in the clear.
fn acceptable(url: &str) -> anyhow::Result<Url> {
    let url = Url::parse(url)?;
    let is_local = match url.host() {
        Some(Host::Domain(name)) => !name.contains('.') || name.ends_with(".internal"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_local => Ok(url),
        _ => bail!("a provider's address is not https"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_travel_encrypted_or_not_far() {
        for url in [
            "https://id.example.com/x",
            "http://127.0.0.1:1/x",
            "http://keycloak:8080/x",
        ] {
            assert!(acceptable(url).is_ok(), "{url}");
        }
        for url in [
            "http://id.example.com/x",
            "ftp://id.example.com",
            "file:///etc/passwd",
            "",
        ] {
            assert!(acceptable(url).is_err(), "{url}");
        }
    }
}
