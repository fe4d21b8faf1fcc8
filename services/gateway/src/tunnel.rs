//! The WebSocket protocol: a handshake that is checked, then bytes in both directions.

use http::{Method, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    headers::Found, http1::RequestHead, refusal::Refusal, routes::Route, upstream::Connection,
};

/// Buffer of one direction of one tunnel.
const BUFFER_BYTES: usize = 4096;

/// Length of a `Sec-WebSocket-Key`: 16 bytes in Base64.
const KEY_CHARS: usize = 24;

/// Whether the request is a WebSocket handshake on a route that has them. Other upgrades are not
/// passed on: the request goes its way without.
pub(crate) fn is_wanted(
    head: &RequestHead,
    found: &Found<'_>,
    route: &Route,
) -> Result<bool, Refusal> {
    let asks = found
        .upgrade
        .is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
    if !route.websocket || !asks || head.version != Version::HTTP_11 {
        return Ok(false);
    }
    let has_body =
        found.content_length.unwrap_or(0) > 0 || head.fields.get("transfer-encoding").is_some();
    let key = head.fields.only("sec-websocket-key");
    let is_handshake = head.method == Method::GET
        && !has_body
        && head.fields.only("sec-websocket-version") == Some(b"13")
        && key.is_some_and(|key| key.len() == KEY_CHARS);
    if is_handshake {
        Ok(true)
    } else {
        Err(Refusal::BadHandshake)
    }
}

/// Carries bytes between `client` and `upstream` until both are done or one breaks.
pub(crate) async fn carry<S>(mut client: S, upstream: Connection)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut upstream = upstream.into_stream();
    let carried = tokio::io::copy_bidirectional_with_sizes(
        &mut client,
        &mut upstream,
        BUFFER_BYTES,
        BUFFER_BYTES,
    );
    if let Err(error) = carried.await {
        tracing::debug!(%error, "tunnel broke");
    }
}
