//! Runs the gateway alone, as its container does.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main::<gateway::Gateway>()
}
