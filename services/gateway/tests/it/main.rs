//! The gateway on real sockets, in front of small servers that stand for any upstream.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod kit;

mod acme;
mod admin;
mod admission;
mod connections;
mod consumers;
mod cors;
mod exchange;
mod failures;
mod forwarding;
mod framing;
mod http2;
mod limits;
mod paths;
mod process;
mod protocol;
mod shared_limits;
mod streaming;
mod tls;
mod websocket;
