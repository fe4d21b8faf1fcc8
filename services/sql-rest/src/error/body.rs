//! The JSON form of an error.

use serde::Serialize;

/// The body of an error answer. Field order is the order on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    /// Stable code: `PGRST…` or an SQLSTATE.
    pub code: String,
    /// More about this case.
    pub details: Option<Details>,
    /// What to try.
    pub hint: Option<String>,
    /// What happened.
    pub message: String,
}

/// The `details` of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Details {
    /// A sentence.
    Text(String),
    /// The relationships a client can choose from.
    Candidates(Vec<Candidate>),
}

/// One relationship of an ambiguous embedding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// `many-to-one`, `one-to-many`, `one-to-one` or `many-to-many`.
    pub cardinality: &'static str,
    /// `origin with target`.
    pub embedding: String,
    /// Constraint and columns.
    pub relationship: String,
}

/// How much of an error a client may see (`client-error-verbosity`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// All four keys.
    #[default]
    Verbose,
    /// Only code and message.
    Minimal,
}

#[derive(Serialize)]
struct MinimalBody<'a> {
    code: &'a str,
    message: &'a str,
}

impl ErrorBody {
    /// Compact JSON with the keys in their fixed order.
    pub fn to_json(&self, verbosity: Verbosity) -> String {
        let written = match verbosity {
            Verbosity::Verbose => serde_json::to_string(self),
            Verbosity::Minimal => serde_json::to_string(&MinimalBody {
                code: &self.code,
                message: &self.message,
            }),
        };
        written.unwrap_or_default()
    }
}
