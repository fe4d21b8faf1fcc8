//! `ferrobase doctor`: looks for what is wrong or unsafe and says what to do about it.

mod database;
mod machine;

use anyhow::Result;
use serde::Serialize;

use crate::{cli::Place, dotenv, state::State};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// All is well.
    Ok,
    /// Works, but look at it.
    Warning,
    /// Broken or unsafe.
    Error,
}

/// One result of a check.
#[derive(Debug, Serialize)]
struct Finding {
    severity: Severity,
    check: &'static str,
    message: String,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Ok, check, message)
    }

    fn warning(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, check, message)
    }

    fn error(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, check, message)
    }

    fn new(severity: Severity, check: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity,
            check,
            message: message.into(),
        }
    }
}

/// Prints every finding; tells whether none is an error.
pub(crate) async fn run(place: &Place, json: bool) -> Result<bool> {
    let variables = dotenv::load(&place.env_file)?;
    let mut findings = machine::secrets(&variables);
    findings.push(machine::permissions(&place.env_file));
    findings.push(machine::disk(place).await);
    match State::read(&place.data) {
        Ok(state) => {
            findings.push(Finding::ok("stack", "running"));
            findings.extend(database::check(&state, &variables).await?);
        }
        Err(error) => {
            findings.push(Finding::warning(
                "stack",
                format!("{error}; the database was not checked"),
            ));
            findings.push(machine::port(&variables));
        }
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            let mark = match finding.severity {
                Severity::Ok => "ok     ",
                Severity::Warning => "warning",
                Severity::Error => "ERROR  ",
            };
            println!("{mark}  {:14} {}", finding.check, finding.message);
        }
    }
    let clean = findings
        .iter()
        .all(|finding| finding.severity != Severity::Error);
    Ok(clean)
}
