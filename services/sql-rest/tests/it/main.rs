//! The service against a real PostgreSQL.

mod catalog;
mod spec;
