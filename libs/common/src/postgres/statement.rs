//! Statements of a batch and what comes back.

use std::io;

use postgres_protocol::message::backend::NotificationResponseBody;

use super::Row;

/// A statement of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The text, with `$1`, `$2`, … for parameters.
    pub sql: &'a str,
    /// The parameters.
    pub params: &'a [Param<'a>],
    /// Whether the connection should keep it prepared.
    pub keep: bool,
    /// How the columns of the result are wanted, if not all as text.
    pub columns: &'a [Format],
}

/// A parameter. PostgreSQL infers its type from where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param<'a> {
    /// In text format.
    Text(&'a [u8]),
    /// In binary format.
    Binary(&'a [u8]),
    /// Null.
    Null,
}

/// How a value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As PostgreSQL writes it.
    Text,
    /// As it is in memory: for `text`, `json` and `bytea` the bytes themselves.
    Binary,
}

impl<'a> Statement<'a> {
    /// A statement that is prepared once and kept.
    pub fn kept(sql: &'a str, params: &'a [Param<'a>]) -> Self {
        Self {
            sql,
            params,
            keep: true,
            columns: &[],
        }
    }

    /// A statement that is run once and forgotten.
    pub fn once(sql: &'a str, params: &'a [Param<'a>]) -> Self {
        Self {
            keep: false,
            ..Self::kept(sql, params)
        }
    }
}

impl<'a> Param<'a> {
    /// A text.
    pub fn text(text: &'a str) -> Self {
        Self::Text(text.as_bytes())
    }

    pub(super) fn format(self) -> Format {
        match self {
            Self::Text(_) | Self::Null => Format::Text,
            Self::Binary(_) => Format::Binary,
        }
    }

    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => Some(bytes),
            Self::Null => None,
        }
    }
}

impl Format {
    /// The protocol's code.
    pub(super) fn code(self) -> i16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

/// What one statement of a batch gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Its rows.
    pub rows: Vec<Row>,
}

/// What somebody else announced with `notify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The channel.
    pub channel: String,
    /// The text that came with it.
    pub payload: String,
}

impl Notification {
    pub(super) fn read(body: &NotificationResponseBody) -> Self {
        let text = |field: io::Result<&str>| field.map(str::to_owned).unwrap_or_default();
        Self {
            channel: text(body.channel()),
            payload: text(body.message()),
        }
    }
}
