//! Delivery over SMTP (RFC 5321).
//!
//! lettre has the grammar: commands, replies, authentication. The dialogue is ours, because the
//! moment that decides whether a mail is sent twice or not at all lies inside it: between the last
//! line of the message and the dot that makes the server responsible for it.

mod config;
mod connection;
mod tls;
mod transport;

pub(crate) use config::SmtpConfig;
pub(crate) use connection::SmtpError;
pub(crate) use transport::{Line, Prepared, Transport};
