//! Any bytes as what a client of the gateway sends: reading them never panics, it does not matter how
//! they are cut, and a head that is written again is read as the same one.
//!
//! The first byte of the input is the length of the pieces the rest arrives in.

#![no_main]

use std::ops::ControlFlow;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

use self::http1::{Fields, HeadLimits, HeadReader};

/// The gateway's own files: nothing has to be public for this.
#[path = "../../services/gateway/src/http1"]
#[allow(dead_code, reason = "only what reads is of interest")]
mod http1 {
    pub(crate) use self::{
        decoder::Decoder,
        fields::{Fields, write},
        head::{HeadLimits, HeadReader},
    };

    mod decoder;
    mod fields;
    mod head;
    mod lines;
}

const LIMITS: HeadLimits = HeadLimits { bytes: 4096, fields: 20 };

/// A request that was read to its end.
#[derive(Debug, PartialEq)]
struct Request {
    line: String,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

fuzz_target!(|input: &[u8]| {
    let Some((step, text)) = input.split_first() else { return };
    let whole = requests(text, text.len());
    assert_eq!(requests(text, usize::from(*step)), whole);
    for request in whole {
        check(request);
    }
});

/// The requests in `text`, which arrives in pieces of `step` bytes.
fn requests(text: &[u8], step: usize) -> Vec<Request> {
    let mut pieces = text.chunks(step.max(1));
    let (mut arrived, mut all) = (BytesMut::new(), Vec::new());
    while let ControlFlow::Continue(request) = next(&mut arrived, &mut pieces) {
        all.push(request);
    }
    all
}

fn next<'t>(
    arrived: &mut BytesMut,
    pieces: &mut impl Iterator<Item = &'t [u8]>,
) -> ControlFlow<(), Request> {
    let mut more = |arrived: &mut BytesMut| match pieces.next() {
        Some(piece) => ControlFlow::Continue(arrived.extend_from_slice(piece)),
        None => ControlFlow::Break(()),
    };
    let mut reader = HeadReader::default();
    let mut head = loop {
        match reader.request(arrived, LIMITS) {
            Ok(Some(head)) => break head,
            Ok(None) => more(arrived)?,
            Err(_) => return ControlFlow::Break(()),
        }
    };
    let Ok((mut decoder, _)) = head.body() else {
        return ControlFlow::Break(());
    };
    let mut body = Vec::new();
    while !decoder.is_done() {
        match decoder.decode(arrived) {
            Ok(Some(data)) => body.extend_from_slice(&data),
            Ok(None) if decoder.is_done() => {}
            Ok(None) => more(arrived)?,
            Err(_) => return ControlFlow::Break(()),
        }
    }
    ControlFlow::Continue(Request {
        line: format!("{} {} {:?}", head.method, head.uri, head.version),
        fields: pairs(&head.fields),
        body,
    })
}

fn pairs(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// As it would go on to an upstream, it is the same request.
fn check(request: Request) {
    let mut text = format!("{}\r\n", request.line).into_bytes();
    for (name, value) in &request.fields {
        http1::write(&mut text, name, value);
    }
    text.extend_from_slice(b"\r\n");
    let head = HeadReader::default().request(&mut BytesMut::from(&*text), HeadLimits {
        bytes: 2 * LIMITS.bytes,
        ..LIMITS
    });
    let head = head.ok().flatten().expect("a head that was read already");
    assert_eq!(pairs(&head.fields), request.fields);
    assert_eq!(format!("{} {} {:?}", head.method, head.uri, head.version), request.line);
}
