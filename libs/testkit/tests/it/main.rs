//! What the fixtures promise.
mod postgres;
