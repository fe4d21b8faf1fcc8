//! Hooks that are servers: asked by a signed request, bounded in time, attempts and size.

use std::time::Duration;

use common::client;
use http::{
    StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;
use uuid::Uuid;

use super::{parse, signature::sign};
use crate::{
    config::hooks::Secret,
    error::{Error, Result, code},
};

/// Longest time for all attempts together.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Most attempts.
const ATTEMPTS: u32 = 3;

/// Pause after an attempt that reached nobody.
const PAUSE: Duration = Duration::from_secs(2);

/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 200 * 1024;

/// Asks servers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller(Client);

/// What an attempt came to.
enum Attempt {
    Answered(Value),
    /// The server asks for another attempt, after a while.
    Later(Duration),
    /// Nobody was there.
    Unreachable,
}

impl Caller {
    /// A caller.
    pub fn new() -> anyhow::Result<Self> {
        client::client(TIMEOUT).map(Self)
    }

    /// What the server at `url` answers to `input`; null for nothing.
    pub async fn ask(
        &self,
        (url, secrets): (&Url, &[Secret]),
        input: &Value,
        now: i64,
    ) -> Result<Value> {
        let body = input.to_string();
        let end = Instant::now() + TIMEOUT;
        let mut reached = false;
        for attempt in 1..=ATTEMPTS {
            let attempted = self.attempt(url, secrets, &body, now);
            let pause = match timeout_at(end, attempted).await.map_err(|_| too_late())?? {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::Later(pause) => {
                    reached = true;
                    pause
                }
                Attempt::Unreachable => PAUSE,
            };
            if attempt < ATTEMPTS {
                timeout_at(end, sleep(pause))
                    .await
                    .map_err(|_| if reached { unavailable() } else { too_late() })?;
            }
        }
        if reached {
            Err(unavailable())
        } else {
            Err(Error::unprocessable(
                code::HOOK_TIMEOUT_AFTER_RETRY,
                "Failed to reach hook after maximum retries",
            ))
        }
    }

    async fn attempt(
        &self,
        url: &Url,
        secrets: &[Secret],
        body: &str,
        now: i64,
    ) -> Result<Attempt> {
        let id = Uuid::new_v4().to_string();
        let sent = self
            .0
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now)
            .header(
                "webhook-signature",
                sign(secrets, &id, now, body.as_bytes()),
            )
            .body(body.to_owned())
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return Err(too_late()),
            Err(error) => {
                let error = error.without_url();
                tracing::warn!(%error, "a hook could not be reached");
                return Ok(Attempt::Unreachable);
            }
        };
        match response.status() {
            StatusCode::NO_CONTENT if response.headers().get(CONTENT_TYPE).is_none() => {
                Ok(Attempt::Answered(Value::Null))
            }
            StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {
                check_is_json(&response)?;
                read(response).await.map(Attempt::Answered)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let wanted = response
                    .headers()
                    .get(RETRY_AFTER)
                    .ok_or_else(unavailable)?;
                let seconds = wanted.to_str().ok().and_then(|text| text.parse().ok());
                Ok(Attempt::Later(Duration::from_secs(seconds.unwrap_or(0))))
            }
            StatusCode::BAD_REQUEST => Err(failed("Invalid payload sent to hook")),
            StatusCode::UNAUTHORIZED => Err(failed("Hook requires authorization token")),
            status => Err(failed(format!(
                "Unexpected status code returned from hook: {}",
                status.as_u16()
            ))),
        }
    }
}

fn check_is_json(response: &Response) -> Result<()> {
    let kind = response.headers().get(CONTENT_TYPE);
    let Some(kind) = kind.and_then(|kind| kind.to_str().ok()) else {
        return Err(Error::bad_request(
            code::HOOK_PAYLOAD_INVALID_CONTENT_TYPE,
            "Invalid Content-Type: Missing Content-Type header",
        ));
    };
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::bad_request(
        code::HOOK_PAYLOAD_INVALID_CONTENT_TYPE,
        format!("Invalid JSON response. Received content-type: {kind}"),
    ))
}

async fn read(mut response: Response) -> Result<Value> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| Error::Internal(error.without_url().into()))?
        else {
            break;
        };
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Error::unprocessable(
                code::HOOK_PAYLOAD_OVER_SIZE_LIMIT,
                format!("Payload size exceeded size limit of {MAX_ANSWER_BYTES} bytes"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    parse(&body)
}

fn too_late() -> Error {
    let seconds = TIMEOUT.as_secs_f64();
    let message = format!("Failed to reach hook within maximum time of {seconds:.6} seconds");
    Error::unprocessable(code::HOOK_TIMEOUT, message)
}

fn unavailable() -> Error {
    failed("Service currently unavailable due to hook")
}

/// GoTrue tells that it was the hook; there is nothing of ours in it.
fn failed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        code::UNEXPECTED_FAILURE,
        message,
    )
}
