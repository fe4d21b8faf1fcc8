//! REST over PostgreSQL, compatible with `PostgREST`.
//!
//! The core is pure: [`request`] turns a URL and headers into types, [`payload`] finds what a body
//! gives, [`plan`] resolves every name against the [`catalog`], [`sql`] writes one statement.
pub mod catalog;
pub mod error;
mod fuzzy;
pub mod media;
pub mod options;
pub mod payload;
pub mod plan;
pub mod quote;
pub mod request;
pub mod sql;
