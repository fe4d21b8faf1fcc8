//! Private servers, databases and clients for tests.
//!
//! Functions that serve tests fail by panicking with a sentence; [`servers`], which also runs the
//! development stack, returns errors.

pub mod chaos;
pub mod client;
pub mod contract;
pub mod jwt;
pub mod mongo;
pub mod postgres;
pub mod servers;
pub mod smtp;
pub mod wait;

pub use client::Client;
pub use contract::Contract;
