//! What is still answered without TLS once there is TLS: challenges, and where to go instead.

use http::{StatusCode, Uri, uri::Authority};

use super::Challenges;
use crate::message::Response;

/// Answers requests that came without TLS.
#[derive(Clone, Debug)]
pub(crate) struct PlainDoor {
    /// The port clients find TLS on.
    pub(crate) tls_port: u16,
    /// What a certificate authority may ask for.
    pub(crate) challenges: Challenges,
}

impl PlainDoor {
    /// The answer to a request for `path` of `host`; nothing when the host is none.
    pub(crate) fn answer(&self, path: &str, uri: &Uri, host: &[u8]) -> Option<Response> {
        if let Some(answer) = self.challenges.answer(path) {
            let kind = "application/octet-stream";
            return Some(Response::of(StatusCode::OK, kind, answer));
        }
        let asked = Authority::try_from(host).ok()?;
        let port = match self.tls_port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
        let place = format!("https://{}{port}{rest}", asked.host());
        let mut response = Response::new(StatusCode::PERMANENT_REDIRECT);
        response.fields.append("location", place.as_bytes());
        Some(response)
    }
}
