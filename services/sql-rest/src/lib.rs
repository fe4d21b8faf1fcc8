//! REST over PostgreSQL, compatible with PostgREST.
pub mod catalog;
pub mod wire;
