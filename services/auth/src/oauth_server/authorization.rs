//! What an application asks for, and how it is answered through the browser.

use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use super::scope::Scopes;
use crate::{
    error::Result,
    landing,
    pkce::{Challenge, ChallengeInput},
    request::Params,
};

/// Longest state, resource and nonce, in bytes.
const MAX_BYTES: usize = 4096;

/// A row of `auth.oauth_authorizations`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Authorization {
    /// What the site knows it by.
    pub authorization_id: String,
    /// Who asks.
    pub client_id: Uuid,
    /// Who is asked, once that is known.
    pub user_id: Option<Uuid>,
    /// Where the browser is sent back to.
    pub redirect_uri: String,
    /// What is asked for.
    pub scope: String,
    /// What the application wants to hear again.
    pub state: Option<String>,
    /// What the tokens are for.
    pub resource: Option<String>,
    /// What the code's verifier must fit.
    pub code_challenge: Option<String>,
    /// How it must fit.
    pub code_challenge_method: Option<String>,
    /// `pending`, `approved`, `denied` or `expired`.
    pub status: String,
    /// When nobody can do anything with it any more.
    pub expires_at: OffsetDateTime,
    /// What the ID token is to say again.
    pub nonce: Option<String>,
    /// The session that the code was exchanged for.
    pub session_id: Option<Uuid>,
}

/// What an application asks for, in order.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What it wants to know.
    pub scopes: Scopes,
    /// What the tokens are for.
    pub resource: Option<String>,
    /// What the code's verifier must fit.
    pub challenge: Challenge,
    /// What the ID token is to say again.
    pub nonce: Option<String>,
}

impl Wish {
    /// Reads a request; or what is wrong with it, for the application.
    pub fn parse(params: &Params, default: &Scopes) -> Result<Self, String> {
        let text = |name| params.get(name).unwrap_or_default();
        if !matches!(text("response_type"), "" | "code") {
            return Err("only response_type=code is supported".to_owned());
        }
        for name in ["state", "resource", "nonce"] {
            if text(name).len() > MAX_BYTES {
                return Err(format!("{name} is too long"));
            }
        }
        let scopes = match text("scope") {
            "" => default.clone(),
            scope => Scopes::parse(scope)?,
        };
        check_resource(text("resource"))?;
        let challenge = ChallengeInput::new(text("code_challenge"), text("code_challenge_method"));
        let challenge = challenge.parse().map_err(|error| error.to_string())?;
        let challenge =
            challenge.ok_or("PKCE flow requires both code_challenge and code_challenge_method")?;
        Ok(Self {
            scopes,
            resource: params.get("resource").map(str::to_owned),
            challenge,
            nonce: params.get("nonce").map(str::to_owned),
        })
    }
}

/// RFC 8707, 2: an absolute URI without a fragment; here without a query too.
fn check_resource(resource: &str) -> Result<(), String> {
    if resource.is_empty() {
        return Ok(());
    }
    let url = Url::parse(resource).map_err(|_| "resource must be an absolute URI")?;
    if url.fragment().is_some() {
        return Err("resource must not include a fragment component".to_owned());
    }
    if url.query().is_some() {
        return Err("resource must not include a query component".to_owned());
    }
    Ok(())
}

impl Authorization {
    /// Where the browser goes with a code.
    pub fn granted(&self, code: &str) -> Result<String> {
        answer(&self.redirect_uri, &[("code", code)], self.state.as_deref())
    }

    /// Where the browser goes when the user does not want to.
    pub fn denied(&self) -> Result<String> {
        let why = ("access_denied", "User denied the request");
        refused(&self.redirect_uri, why, self.state.as_deref())
    }
}

/// Where the browser goes with an error (RFC 6749, 4.1.2.1).
pub fn refused(
    redirect_uri: &str,
    (error, description): (&str, &str),
    state: Option<&str>,
) -> Result<String> {
    let pairs = [("error", error), ("error_description", description)];
    answer(redirect_uri, &pairs, state)
}

fn answer(redirect_uri: &str, pairs: &[(&str, &str)], state: Option<&str>) -> Result<String> {
    let mut pairs = pairs.to_vec();
    pairs.extend(state.map(|state| ("state", state)));
    landing::with_query(redirect_uri, &pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(query: &str) -> Result<Wish, String> {
        let params = Params::parse(query.as_bytes()).unwrap();
        Wish::parse(&params, &Scopes::stored("email"))
    }

    #[test]
    fn a_request_without_a_scope_gets_the_default() {
        let challenge = "a".repeat(43);
        let pkce = format!("code_challenge={challenge}&code_challenge_method=S256");
        assert_eq!(wish(&pkce).unwrap().scopes.to_string(), "email");
        let asked = wish(&format!("{pkce}&scope=openid+profile&nonce=n")).unwrap();
        assert_eq!(asked.scopes.to_string(), "openid profile");
        assert_eq!(asked.nonce.as_deref(), Some("n"));
        for wrong in [
            "response_type=token",
            "scope=admin",
            "resource=here",
            "resource=https://api.example.com/%23x",
            "resource=https://api.example.com/?x",
        ] {
            assert!(wish(&format!("{pkce}&{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_is_granted_without_pkce() {
        assert_eq!(
            wish("").unwrap_err(),
            "PKCE flow requires both code_challenge and code_challenge_method"
        );
        assert!(wish("code_challenge=short&code_challenge_method=S256").is_err());
    }

    #[test]
    fn an_answer_keeps_the_query_of_the_uri_and_the_state() {
        let url = refused(
            "https://a.example/?x=1",
            ("access_denied", "no"),
            Some("s &"),
        );
        let url = url.unwrap();
        assert_eq!(
            url,
            "https://a.example/?x=1&error=access_denied&error_description=no&state=s+%26"
        );
    }
}
