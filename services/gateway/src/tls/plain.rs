//! What is still answered without TLS once there is TLS: challenges, and where to go instead.

use http::{
    HeaderValue, Response, StatusCode, Uri,
    header::{CONTENT_TYPE, LOCATION},
    uri::Authority,
};

use super::Challenges;
use crate::body::ResponseBody;

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
    pub(crate) fn answer(
        &self,
        path: &str,
        uri: &Uri,
        host: &HeaderValue,
    ) -> Option<Response<ResponseBody>> {
        if let Some(answer) = self.challenges.answer(path) {
            let mut response = Response::new(ResponseBody::of(answer));
            let kind = HeaderValue::from_static("application/octet-stream");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            return Some(response);
        }
        let asked: Authority = host.to_str().ok()?.parse().ok()?;
        let port = match self.tls_port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
        let place = format!("https://{}{port}{rest}", asked.host());
        let mut response = Response::new(ResponseBody::EMPTY);
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response
            .headers_mut()
            .insert(LOCATION, HeaderValue::try_from(place).ok()?);
        Some(response)
    }
}
