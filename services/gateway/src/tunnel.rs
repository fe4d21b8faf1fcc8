//! The WebSocket protocol: a handshake that is checked, then bytes in both directions.

use std::time::Duration;

use common::lifecycle::Lifecycle;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    body::{RequestBody, ResponseBody},
    headers::{Found, clean_response},
    refusal::Refusal,
    routes::Route,
    upstream::Failure,
};

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADE_TOKEN: HeaderValue = HeaderValue::from_static("upgrade");

/// Buffer of one direction of one tunnel.
const BUFFER_BYTES: usize = 4096;

/// Time the upstream's side has to change protocols once it agreed.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Length of a `Sec-WebSocket-Key`: 16 bytes in Base64.
const KEY_CHARS: usize = 24;

/// Goes with a response that opens a tunnel: the upstream's side of it.
#[derive(Clone, Debug)]
pub(crate) struct Agreed(pub(crate) Option<OnUpgrade>);

/// Whether the request is a WebSocket handshake on a route that has them. Other upgrades are not
/// passed on: the request goes its way without.
pub(crate) fn is_wanted(
    request: &Request<Incoming>,
    found: &Found,
    route: &Route,
) -> Result<bool, Refusal> {
    let asks = found
        .upgrade
        .as_ref()
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !route.websocket || !asks || request.version() != Version::HTTP_11 {
        return Ok(false);
    }
    let headers = request.headers();
    let is_handshake = *request.method() == Method::GET
        && found.content_length.unwrap_or(0) == 0
        && has_only(headers, &SEC_WEBSOCKET_VERSION, |value| value == "13")
        && has_only(headers, &SEC_WEBSOCKET_KEY, |value| {
            value.len() == KEY_CHARS
        });
    if is_handshake {
        Ok(true)
    } else {
        Err(Refusal::BadHandshake)
    }
}

/// Performs the handshake with the upstream; when it agrees, the response says so to the client's
/// connection, which then calls [`carry`].
pub(crate) async fn open(
    mut request: Request<RequestBody>,
    route: &Route,
    lifecycle: &Lifecycle,
) -> Result<Response<ResponseBody>, Failure> {
    let patience = route.patience();
    let (address, connection) = route.upstream.connect(patience).await?;
    let headers = request.headers_mut();
    headers.insert(CONNECTION, UPGRADE_TOKEN);
    headers.insert(UPGRADE, WEBSOCKET);
    headers.insert(HOST, address.host().clone());
    let Some((mut sender, driver)) = connection.into_parts() else {
        let hung_up = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        return Err(Failure::Unreachable(hung_up));
    };
    lifecycle.spawn_until_stop("tunnel upstream", async move {
        if let Err(error) = driver.with_upgrades().await {
            tracing::debug!(%error, "tunnel upstream ended early");
        }
    });
    let answer = tokio::time::timeout(patience.read, sender.send_request(request)).await;
    let mut response = answer
        .map_err(|_| Failure::TimedOut)?
        .map_err(Failure::Broken)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (mut parts, body) = response.into_parts();
        clean_response(&mut parts.headers);
        let body = ResponseBody::from_driven(body, patience.read);
        return Ok(Response::from_parts(parts, body));
    }
    let upstream = hyper::upgrade::on(&mut response);
    let (mut parts, _) = response.into_parts();
    clean_response(&mut parts.headers);
    parts.headers.insert(CONNECTION, UPGRADE_TOKEN);
    parts.headers.insert(UPGRADE, WEBSOCKET);
    parts.extensions.insert(Agreed(Some(upstream)));
    Ok(Response::from_parts(parts, ResponseBody::EMPTY))
}

/// Carries bytes between `client` and `upstream` until both are done or one breaks.
pub(crate) async fn carry<S>(mut client: S, upstream: OnUpgrade)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(Ok(upstream)) = tokio::time::timeout(UPGRADE_TIMEOUT, upstream).await else {
        tracing::debug!("a tunnel was agreed on but not opened");
        return;
    };
    let mut upstream = TokioIo::new(upstream);
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

fn has_only(
    headers: &HeaderMap,
    name: &http::HeaderName,
    is_right: impl Fn(&HeaderValue) -> bool,
) -> bool {
    let mut values = headers.get_all(name).iter();
    values.next().is_some_and(is_right) && values.next().is_none()
}
