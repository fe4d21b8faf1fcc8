//! PostgreSQL, in the two ways services use it.
//!
//! [`Pool`] speaks the wire protocol directly and runs a statement as a given role with given
//! claims in one round trip: the data plane. [`own`] is a service's own schema through sqlx, with
//! its migrations.

pub mod own;
mod pool;
mod session;

pub use pool::{Failure, Pool, PoolConfig};
pub use session::{Access, Session};
