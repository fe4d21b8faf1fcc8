//! Hooks: code of the operator's own that has a say, as a server or as a function in the database.

pub mod claims;
pub mod http;
pub mod points;
pub mod signature;

use ::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    AppState, config,
    config::hooks::Hook,
    error::{Error, Result, code},
    hooks::http::Caller,
    store,
};

/// The hooks that are switched on, and the way to ask them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hooks {
    config: config::hooks::Hooks,
    caller: Caller,
}

/// How a hook says no.
#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    http_code: u16,
    #[serde(default)]
    message: String,
}

impl Hooks {
    /// Hooks as configured.
    pub fn new(config: config::hooks::Hooks) -> anyhow::Result<Self> {
        Ok(Self {
            config,
            caller: Caller::new()?,
        })
    }

    /// Which hooks are switched on.
    pub fn config(&self) -> &config::hooks::Hooks {
        &self.config
    }
}

/// What `hook` answers to `input`; null for nothing. A function takes part in the transaction of
/// `connection`, or in one of its own.
async fn ask(
    state: &AppState,
    connection: Option<&mut PgConnection>,
    hook: &Hook,
    input: &Value,
) -> Result<Value> {
    let answer = match hook {
        Hook::Http { url, secrets } => {
            let now = state.now().unix_timestamp();
            let caller = &state.hooks().caller;
            caller.ask((url, secrets), input, now).await?
        }
        Hook::Function { schema, name } => {
            let event = input.to_string();
            let function = (schema.as_str(), name.as_str());
            let answer = if let Some(connection) = connection {
                store::hooks::call(connection, function, &event).await?
            } else {
                let mut tx = state.store().begin().await?;
                let answer = store::hooks::call(&mut tx, function, &event).await?;
                tx.commit().await?;
                answer
            };
            match answer.filter(|text| !text.is_empty()) {
                Some(text) => parse(text.as_bytes())?,
                None => Value::Null,
            }
        }
    };
    check(&answer)?;
    Ok(answer)
}

/// Fails when the answer is a refusal: its words are meant for the client.
fn check(answer: &Value) -> Result<()> {
    let refusal = answer.get("error").map(Refusal::deserialize);
    let Some(Ok(refusal)) = refusal else {
        return Ok(());
    };
    if refusal.message.is_empty() {
        return Ok(());
    }
    let status = StatusCode::from_u16(refusal.http_code)
        .ok()
        .filter(|status| status.is_client_error() || status.is_server_error())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = if status == StatusCode::INTERNAL_SERVER_ERROR {
        code::UNEXPECTED_FAILURE
    } else {
        code::UNKNOWN
    };
    Err(Error::refused(status, code, refusal.message))
}

/// The JSON of an answer.
fn parse(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|_| {
        Error::refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            code::UNEXPECTED_FAILURE,
            "Error unmarshaling JSON output.",
        )
    })
}

#[cfg(test)]
mod tests {
    use common::error::Problem;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_chooses_its_status() {
        for (answer, status, code) in [
            (
                json!({"error": {"http_code": 403, "message": "no"}}),
                403,
                "unknown",
            ),
            (
                json!({"error": {"message": "no"}}),
                500,
                "unexpected_failure",
            ),
            (
                json!({"error": {"http_code": 200, "message": "no"}}),
                500,
                "unexpected_failure",
            ),
        ] {
            let error = check(&answer).unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (status, code));
            assert_eq!(error.public_message(), "no");
        }
    }

    #[test]
    fn everything_else_is_no_refusal() {
        for answer in [
            Value::Null,
            json!({}),
            json!({"error": {}}),
            json!({"error": "text"}),
        ] {
            assert!(check(&answer).is_ok(), "{answer}");
        }
    }
}
