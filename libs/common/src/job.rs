//! The contract between a job, which does its work and ends, and whatever runs it.

use std::{future::Future, process::ExitCode};

use crate::{
    config::{Env, FromEnv, load},
    service, telemetry,
};

/// What a job is told: how to log, and its own configuration.
struct Whole<C> {
    telemetry: telemetry::Settings,
    config: C,
}

impl<C: FromEnv> FromEnv for Whole<C> {
    fn from_env(env: &mut Env) -> Self {
        Self {
            telemetry: telemetry::Settings::from_env(env),
            config: C::from_env(env),
        }
    }
}

/// The whole of a job's `main`: reads the configuration and does `work` with it.
pub fn main<C, W>(work: impl FnOnce(C) -> W) -> ExitCode
where
    C: FromEnv,
    W: Future<Output = anyhow::Result<()>>,
{
    let whole = match load::<Whole<C>>(&mut Env::from_process()) {
        Ok(whole) => whole,
        Err(invalid) => return service::refuse(&invalid),
    };
    telemetry::init(&whole.telemetry);
    service::run(work(whole.config))
}
