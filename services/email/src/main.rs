//! Runs the email service alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main::<email::Email>()
}
