//! The service against a real PostgreSQL.

mod catalog;
mod isolation;
mod operation;
mod requests;
mod spec;
mod stack;
mod tokens;
