//! What needs a process of its own or a socket.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod postgres;
mod postgres_tls;
mod redis;
mod spans;
