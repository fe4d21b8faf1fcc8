//! Runs the service alone.

fn main() -> std::process::ExitCode {
    common::service::main::<sql_rest::SqlRest>()
}
