//! Prepares a PostgreSQL database and ends.

use std::process::ExitCode;

fn main() -> ExitCode {
    db_bootstrap::main()
}
