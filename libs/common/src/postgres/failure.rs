//! What can go wrong between us and the database.

use std::io;

use postgres_protocol::message::backend::ErrorResponseBody;
use tokio_postgres::fallible_iterator::FallibleIterator;

/// A failed exchange with the database.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection could be made.
    #[error("connecting failed")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection ended in the middle of an exchange.
    #[error("the connection was lost")]
    Lost(#[source] io::Error),
    /// The server said something that the protocol does not allow here.
    #[error("the server broke the protocol: {0}")]
    Protocol(&'static str),
    /// A statement holds a zero byte or is too long for the protocol.
    #[error("the statement cannot be sent")]
    Unsendable(#[source] io::Error),
    /// The server refused a statement.
    #[error("{0}")]
    Database(Box<ServerError>),
    /// Every connection of the pool stayed busy for as long as a request may wait.
    #[error("no connection became free in time")]
    PoolTimeout,
}

/// An error the server reported.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("{message} (SQLSTATE {code})")]
pub struct ServerError {
    /// SQLSTATE.
    pub code: String,
    /// Primary message.
    pub message: String,
    /// Detail.
    pub detail: Option<String>,
    /// Hint.
    pub hint: Option<String>,
    /// Position in the batch of the statement that failed.
    pub statement: usize,
    /// Whether the server had begun to run that statement.
    pub began: bool,
    /// Whether the server had prepared that statement for an earlier batch.
    pub was_prepared: bool,
}

impl ServerError {
    pub(super) fn read(body: &ErrorResponseBody) -> Result<Self, Failure> {
        let mut error = Self::default();
        let mut fields = body.fields();
        while let Some(field) = fields
            .next()
            .map_err(|_| Failure::Protocol("malformed error"))?
        {
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => error.code = value,
                b'M' => error.message = value,
                b'D' => error.detail = Some(value),
                b'H' => error.hint = Some(value),
                _ => {}
            }
        }
        Ok(error)
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Self::Database(Box::new(error))
    }
}
