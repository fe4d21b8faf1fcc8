//! Runs auth alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main::<auth::Auth>()
}
