//! Flows across services, through the gateway, on real servers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod containers;
mod dependencies;
mod doctor;
mod isolation;
mod mail;
mod outage;
mod running;
mod settings;
mod shutdown;
mod stack;
