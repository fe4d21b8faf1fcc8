//! A PostgreSQL connection that sends a whole transaction as one message.
//!
//! General-purpose drivers end every statement with its own `Sync`, hand messages to a background
//! task, and ask the server to describe each statement first. Here one request is one batch: all
//! statements go out in a single write with a single `Sync`, which makes them one transaction
//! without `begin` and `commit`; parameters and results are text (or raw bytes), so nothing needs
//! describing and even a statement seen for the first time costs one round trip.

mod cache;
mod connect;
mod connection;
mod error;
mod pool;
mod row;
mod stream;
mod target;

pub use self::{
    connection::{Connection, Format, Notification, Outcome, Param, Statement},
    error::{Error, ServerError},
    pool::{Lease, Pool, PoolOptions},
    row::{Fields, Row},
    target::Target,
};
