//! The service against a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod admin;
mod bleed;
mod catalog;
mod injection;
mod isolation;
mod media;
mod openapi;
mod operation;
mod options;
mod process;
mod pure;
mod reloading;
mod requests;
mod spec;
mod stack;
mod tokens;
mod wire;

#[test]
fn the_contract_is_current() {
    testkit::contract::assert_current::<sql_rest::SqlRest>();
}
