//! Prepares a MongoDB server and ends.

use std::process::ExitCode;

fn main() -> ExitCode {
    mongo_bootstrap::main()
}
