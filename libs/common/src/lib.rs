//! What every service shares.
//!
//! A service is a library with a `Config`, a `build` and a `router`; [`service::Service`] is the
//! contract that lets one `main` run it alone and another run the whole fleet in one process;
//! [`job`] is that of programs which do their work and end. The rest of this crate is the one way to
//! do what each of them needs: configuration from the environment ([`config`]), callers and their
//! tokens ([`identity`]), the error envelope ([`error`]) and its place in contracts ([`contract`]),
//! calls to other services ([`client`]), PostgreSQL ([`postgres`]), what replicas share ([`redis`]),
//! health, telemetry and an orderly end ([`lifecycle`]). It holds no rule of any domain.

pub mod client;
pub mod clock;
pub mod config;
pub mod context;
pub mod contract;
pub mod error;
pub mod extract;
pub mod health;
pub mod identity;
pub mod job;
mod leftover;
pub mod lifecycle;
mod observe;
pub mod operations;
pub mod postgres;
pub mod probe;
pub mod redis;
pub mod retry;
pub mod server;
pub mod service;
pub mod spans;
pub mod telemetry;
pub mod token;
