//! auth on a real PostgreSQL.
mod admin;
mod logout;
mod refresh;
mod rules;
mod signup;
mod support;
mod token;
mod user;
