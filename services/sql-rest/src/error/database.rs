//! Errors PostgreSQL reports, and the status each of them means.

use http::StatusCode;
use serde::Deserialize;
use std::collections::BTreeMap;

use super::{BEARER, RaiseError};

/// SQLSTATE by which a function takes over the whole answer.
const RAISE_STATE: &str = "PGRST";

/// An error as PostgreSQL reported it.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseError {
    sqlstate: String,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    authenticated: bool,
    raised: Option<Result<Raised, RaiseError>>,
}

/// An answer a function dictates by `RAISE SQLSTATE 'PGRST'`.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    message: RaisedMessage,
    detail: RaisedDetail,
    status: StatusCode,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct RaisedMessage {
    code: String,
    message: String,
    details: Option<String>,
    hint: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct RaisedDetail {
    status: u16,
    status_text: Option<String>,
    headers: BTreeMap<String, String>,
}

impl DatabaseError {
    /// Takes over what PostgreSQL reported. `authenticated` tells whether the request had a role of
    /// its own: missing rights are a 401 to the anonymous and a 403 to others.
    pub fn new(
        sqlstate: &str,
        message: &str,
        detail: Option<&str>,
        hint: Option<&str>,
        authenticated: bool,
    ) -> Self {
        Self {
            sqlstate: sqlstate.to_owned(),
            message: message.to_owned(),
            detail: detail.map(str::to_owned),
            hint: hint.map(str::to_owned),
            authenticated,
            raised: (sqlstate == RAISE_STATE).then(|| Raised::parse(message, detail)),
        }
    }

    /// The SQLSTATE as reported.
    pub fn sqlstate(&self) -> &str {
        &self.sqlstate
    }

    /// Why the error means to dictate the answer but cannot be understood.
    pub(super) fn malformed_raise(&self) -> Option<RaiseError> {
        self.raised.clone()?.err()
    }

    fn dictated(&self) -> Option<&Raised> {
        self.raised.as_ref()?.as_ref().ok()
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self.dictated() {
            Some(raised) => raised.status,
            None => status_of(&self.sqlstate, &self.message, self.authenticated),
        }
    }

    /// The reason phrase, when the function that failed chose one.
    pub fn reason(&self) -> Option<&str> {
        match self.dictated() {
            Some(raised) => raised.detail.status_text.as_deref(),
            None => custom_status(&self.sqlstate).map(|_| self.message.as_str()),
        }
    }

    /// The code in the body.
    pub fn code(&self) -> &str {
        self.dictated()
            .map_or(&self.sqlstate, |raised| &raised.message.code)
    }

    /// What happened.
    pub fn message(&self) -> &str {
        self.dictated()
            .map_or(&self.message, |raised| &raised.message.message)
    }

    /// More about this case.
    pub fn details(&self) -> Option<&str> {
        match self.dictated() {
            Some(raised) => raised.message.details.as_deref(),
            None => self.detail.as_deref(),
        }
    }

    /// What to try.
    pub fn hint(&self) -> Option<&str> {
        match self.dictated() {
            Some(raised) => raised.message.hint.as_deref(),
            None => self.hint.as_deref(),
        }
    }

    /// Headers of the answer: those dictated, or the challenge of a 401.
    pub fn headers(&self) -> Vec<(String, String)> {
        match self.dictated() {
            Some(raised) => raised.detail.headers.clone().into_iter().collect(),
            None if self.status() == StatusCode::UNAUTHORIZED => {
                vec![("WWW-Authenticate".to_owned(), BEARER.to_owned())]
            }
            None => Vec::new(),
        }
    }
}

impl Raised {
    fn parse(message: &str, detail: Option<&str>) -> Result<Self, RaiseError> {
        let parsed: RaisedMessage =
            serde_json::from_str(message).map_err(|_| RaiseError::Message(message.to_owned()))?;
        let detail = detail.ok_or(RaiseError::NoDetail)?;
        let malformed = || RaiseError::Detail(detail.to_owned());
        let parsed_detail: RaisedDetail = serde_json::from_str(detail).map_err(|_| malformed())?;
        let status = chosen_status(parsed_detail.status).ok_or_else(malformed)?;
        Ok(Self {
            message: parsed,
            detail: parsed_detail,
            status,
        })
    }
}

/// A status that a function may choose. Those below 200 do not end an exchange: after one of them a client
/// would wait for the answer, or speak another protocol.
pub fn chosen_status(number: u16) -> Option<StatusCode> {
    let status = StatusCode::from_u16(number).ok()?;
    (!status.is_informational()).then_some(status)
}

/// The status `PT…` states ask for.
fn custom_status(sqlstate: &str) -> Option<StatusCode> {
    chosen_status(sqlstate.strip_prefix("PT")?.parse().ok()?)
}

/// The status an SQLSTATE means.
fn status_of(sqlstate: &str, message: &str, authenticated: bool) -> StatusCode {
    exact_status(sqlstate, message, authenticated)
        .unwrap_or_else(|| class_status(sqlstate.get(..2).unwrap_or_default(), sqlstate))
}

/// Statuses of single states.
fn exact_status(sqlstate: &str, message: &str, authenticated: bool) -> Option<StatusCode> {
    let status = match sqlstate {
        "23503" | "23505" => StatusCode::CONFLICT,
        "25006" => StatusCode::METHOD_NOT_ALLOWED,
        // safeupdate blames the client for a missing filter; any other query of this kind is the server's.
        "21000" if message.ends_with("requires a WHERE clause") => StatusCode::BAD_REQUEST,
        "21000" | "53400" | "42P17" => StatusCode::INTERNAL_SERVER_ERROR,
        "22023" if message.starts_with("role") && message.ends_with("does not exist") => {
            StatusCode::UNAUTHORIZED
        }
        "57P01" => StatusCode::SERVICE_UNAVAILABLE,
        "P0001" => StatusCode::BAD_REQUEST,
        "42883" if message.starts_with("function xmlagg(") => StatusCode::NOT_ACCEPTABLE,
        "42883" | "42P01" => StatusCode::NOT_FOUND,
        "42501" if authenticated => StatusCode::FORBIDDEN,
        "42501" => StatusCode::UNAUTHORIZED,
        _ => return None,
    };
    Some(status)
}

/// Statuses of whole classes of states.
fn class_status(class: &str, sqlstate: &str) -> StatusCode {
    match class {
        "08" | "53" => StatusCode::SERVICE_UNAVAILABLE,
        "0L" | "0P" | "28" => StatusCode::FORBIDDEN,
        "09" | "25" | "2D" | "38" | "39" | "3B" | "40" | "54" | "55" | "57" | "58" | "F0"
        | "HV" | "P0" | "XX" => StatusCode::INTERNAL_SERVER_ERROR,
        "PT" => custom_status(sqlstate).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        _ => StatusCode::BAD_REQUEST,
    }
}
