//! The document API on a real replica set, every response held against the contract.

mod admin;
mod aggregate;
mod api;
mod contract;
mod documents;
mod isolation;
mod list;
mod many;
mod outage;
mod sharing;
mod versions;
