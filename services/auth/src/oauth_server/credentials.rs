//! How an application says who it is at the token endpoint (RFC 6749, 2.3.1).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{client::Client, is_same};
use crate::{
    error::{Error, Result},
    request::Params,
};

/// What a client says about itself.
#[derive(Debug)]
pub struct Credentials {
    /// Who it says it is.
    pub client_id: Uuid,
    secret: Option<SecretString>,
}

impl Credentials {
    /// Takes them out of the header, or out of the form.
    pub fn read(headers: &HeaderMap, form: &Params) -> Result<Self> {
        let (id, secret) = if let Some(pair) = basic(headers) {
            pair?
        } else {
            let id = form.get("client_id");
            let id = id.ok_or_else(|| refused("client_id is required"))?;
            (id.to_owned(), form.get("client_secret").map(str::to_owned))
        };
        let client_id = Uuid::try_parse(&id).map_err(|_| refused("invalid client_id format"))?;
        Ok(Self {
            client_id,
            secret: secret.map(SecretString::from),
        })
    }

    /// Fails when they are not the client's.
    pub fn check(&self, client: &Client) -> Result<()> {
        match (&self.secret, &client.client_secret_hash) {
            _ if self.client_id != client.id => Err(unknown()),
            (None, _) if client.is_public() => Ok(()),
            (Some(_), _) if client.is_public() => {
                Err(refused("public clients must not provide client_secret"))
            }
            (None, _) => Err(refused("confidential clients must provide client_secret")),
            (Some(secret), Some(hash)) if is_same(secret.expose_secret(), hash) => Ok(()),
            _ => Err(unknown()),
        }
    }
}

/// The refusal of a client nobody knows, or that cannot prove to be itself.
pub fn unknown() -> Error {
    refused("Invalid client credentials")
}

fn refused(description: &'static str) -> Error {
    Error::oauth("invalid_client", description)
}

/// Id and secret of a `Basic` header, if there is one.
fn basic(headers: &HeaderMap) -> Option<Result<(String, Option<String>)>> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decode = || {
        let bytes = STANDARD.decode(encoded.trim()).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (id, secret) = text.split_once(':')?;
        let secret = Some(unescaped(secret)).filter(|secret| !secret.is_empty());
        Some((unescaped(id), secret))
    };
    Some(decode().ok_or_else(|| refused("invalid basic auth encoding")))
}

/// Both parts are written as in a form.
fn unescaped(text: &str) -> String {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: Option<&str>, form: &str) -> Result<Credentials> {
        let mut headers = HeaderMap::new();
        if let Some(pair) = header {
            let value = format!("Basic {}", STANDARD.encode(pair));
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        Credentials::read(&headers, &Params::parse(form.as_bytes()).unwrap())
    }

    #[test]
    fn the_header_comes_before_the_form_and_is_written_as_one() {
        let id = Uuid::from_u128(7);
        let escaped = format!("{id}:a%2Db%5Fc").replace("00-", "00%2D");
        let read = read(Some(&escaped), "client_id=x&client_secret=y").unwrap();
        let secret = read.secret.as_ref().map(ExposeSecret::expose_secret);
        assert_eq!((read.client_id, secret), (id, Some("a-b_c")));
    }

    #[test]
    fn nobody_is_refused() {
        for (header, form) in [(None, ""), (None, "client_id=x"), (Some("nothing"), "")] {
            assert!(read(header, form).is_err());
        }
    }
}
