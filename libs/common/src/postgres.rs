//! PostgreSQL, in the two ways services use it.
//!
//! [`Pool`] is the data plane: it speaks the wire protocol itself and runs statements as a given
//! role with given settings in one round trip. [`own`] is a service's own schema through sqlx, with
//! its migrations.
//!
//! General-purpose drivers end every statement with its own `Sync`, hand messages to a background
//! task, and ask the server to describe each statement first. Here a transaction is one batch: all
//! statements go out in a single write with a single `Sync`, which makes them one transaction
//! without `begin` and `commit`; parameters and results travel as text or raw bytes, so nothing
//! needs describing and even a statement seen for the first time costs one round trip.

mod cache;
mod connect;
mod connection;
mod failure;
pub mod own;
mod pool;
mod row;
mod session;
mod ssl_options;
mod statement;
mod stream;
mod target;
mod tls;

pub use self::{
    connection::Connection,
    failure::{Failure, ServerError},
    pool::{Lease, Pool, PoolConfig, PoolState},
    row::{Fields, Row},
    session::{Access, Isolation, Session},
    statement::{Format, Notification, Outcome, Param, Statement},
    target::{InvalidTarget, Target},
};
