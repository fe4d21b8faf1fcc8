//! Flows across services, through the gateway, on real servers.

mod dependencies;
mod isolation;
mod outage;
mod settings;
mod shutdown;
mod stack;
