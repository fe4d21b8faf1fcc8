//! HTTP/1.1 as the gateway speaks it, to clients and to upstreams (RFC 9110 and RFC 9112).
//!
//! A head is read once, into one piece of memory, and its fields are copied from there to the other
//! side: between the two sockets of a request there is no map of headers and no task. Heads are
//! parsed by `httparse`; what stands around it is strict, for whatever two implementations read
//! differently is a way to smuggle requests.

pub(crate) use self::{
    decoder::Decoder,
    fields::{Fields, write},
    head::{BadHead, HeadLimits, HeadReader, RequestHead, ResponseHead, has_no_body},
    inbox::Inbox,
    outbox::Outbox,
};

mod decoder;
mod fields;
mod head;
mod inbox;
mod lines;
mod outbox;

#[cfg(test)]
mod tests;
