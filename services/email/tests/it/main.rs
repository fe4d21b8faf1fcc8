//! The mailer as its callers and its mail server see it.
mod contract;
mod crash;
mod delivery;
mod exclusion;
mod idempotency;
mod inbox;
mod messages;
mod refusals;
mod security;
mod sending;
mod support;
mod templates;
mod users;
