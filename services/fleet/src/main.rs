//! The `ferrobase` command.

fn main() -> std::process::ExitCode {
    fleet::cli::main()
}
