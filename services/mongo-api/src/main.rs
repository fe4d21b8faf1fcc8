//! Runs the document API alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main::<mongo_api::MongoApi>()
}
