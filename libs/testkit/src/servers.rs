//! Private database servers, started from locally installed programs.
//!
//! Each can be temporary (random port, everything deleted at the end) or persistent (a directory
//! and a port of the caller's choice). In both forms the server ends with this process, however
//! that ends.

mod binary;
pub mod mongo;
mod port;
pub mod postgres;
mod process;
pub mod redis;
mod runtime;
mod user;

pub use mongo::Mongo;
pub use postgres::Postgres;
pub use redis::Redis;
