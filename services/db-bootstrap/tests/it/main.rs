//! What the job promises, on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod closed;
mod helpers;
mod quick_start;
mod runs;
mod support;
mod watch;
