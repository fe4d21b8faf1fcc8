//! Every service in one process: the `ferrobase` binary and the fleet that end-to-end tests run.
//!
//! This is the only crate that depends on services. [`fleet::Fleet`] starts them on loopback ports
//! in the order of their needs and drains them in the reverse order; `ferrobase up` puts private
//! databases below it. The services themselves cannot tell this from one container each.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command-line program; its output is the terminal"
)]

pub mod cli;
mod doctor;
pub mod dotenv;
pub mod fleet;
mod keys;
mod state;
mod status;
pub mod stores;
mod up;
