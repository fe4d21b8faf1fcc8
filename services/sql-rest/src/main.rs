//! Runs the service alone.

use mimalloc::MiMalloc;

/// A request makes many small allocations, and this allocator takes half the time for them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    common::service::main::<sql_rest::SqlRest>()
}
