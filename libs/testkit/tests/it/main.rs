//! What the fixtures promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chaos;
mod client;
mod postgres;
mod servers;
