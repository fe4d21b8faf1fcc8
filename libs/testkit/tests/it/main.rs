//! What the fixtures promise.
mod client;
mod postgres;
