//! The text that a wallet signs (EIP-4361), and whether it was signed for us and now.

use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use super::Chain;
use crate::{
    error::{Error, Result},
    redirect::Destinations,
};

/// What a text says. Nothing of it holds before its signature is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The blockchain it speaks of.
    pub chain: Chain,
    /// The address whose key signs, in the one form it is stored in.
    pub address: String,
    /// Host and port of the page that asks.
    pub domain: String,
    /// What the user was told.
    pub statement: Option<String>,
    /// The page that asks.
    pub uri: Url,
    /// The network.
    pub network: Option<String>,
    issued_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    not_before: Option<OffsetDateTime>,
}

/// Fields after the statement, each there at most once.
#[derive(Default)]
struct Fields<'a> {
    uri: Option<&'a str>,
    version: Option<&'a str>,
    network: Option<&'a str>,
    issued_at: Option<&'a str>,
    expires_at: Option<&'a str>,
    not_before: Option<&'a str>,
}

impl Message {
    /// Reads a text; fails with what is wrong with it.
    pub fn parse(chain: Chain, text: &str) -> Result<Self, &'static str> {
        let lines: Vec<_> = text.split('\n').collect();
        let [header, address, "", third, fourth, _, ..] = lines.as_slice() else {
            return Err("message has too few lines, or no empty line after the address");
        };
        let suffix = format!(" wants you to sign in with your {} account:", chain.title());
        let domain = header
            .strip_suffix(&*suffix)
            .ok_or("message does not begin as a request to sign in does")?;
        if domain.is_empty() || domain.contains(|c: char| c.is_whitespace() || c == '/') {
            return Err("message names no domain");
        }
        let has_statement = !third.is_empty() && fourth.is_empty();
        let rest = lines.get(if has_statement { 5 } else { 3 }..);
        let fields = Fields::read(rest.unwrap_or_default())?;
        if fields.version != Some("1") {
            return Err("message is not of version 1");
        }
        let uri = fields.uri.ok_or("message has no URI")?;
        let network = fields.network.filter(|network| !network.is_empty());
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if chain == Chain::Ethereum && !network.is_some_and(is_number) {
            return Err("message has no numeric Chain ID");
        }
        let issued_at = fields.issued_at.ok_or("message has no time of issue")?;
        let message = Self {
            chain,
            address: canonical(chain, address.trim())?,
            domain: domain.to_owned(),
            statement: has_statement.then(|| (*third).to_owned()),
            uri: uri.parse().map_err(|_| "message has an unreadable URI")?,
            network: network.map(str::to_owned),
            issued_at: instant(issued_at)?,
            expires_at: fields.expires_at.map(instant).transpose()?,
            not_before: fields.not_before.map(instant).transpose()?,
        };
        if message
            .expires_at
            .is_some_and(|end| end < message.issued_at)
        {
            return Err("message expires before it is issued");
        }
        Ok(message)
    }

    /// Fails unless it was signed for a page of ours, and within `validity` of now.
    pub fn check(
        &self,
        pages: &Destinations,
        validity: Duration,
        now: OffsetDateTime,
    ) -> Result<()> {
        let title = self.chain.title();
        let bad = |what: &str| Err(Error::oauth("invalid_grant", what.replace("{}", title)));
        let host = self.uri.host_str().unwrap_or_default();
        if self.uri.scheme() != "https" && host != "localhost" {
            return bad("Signed {} message is using URI which does not use HTTPS");
        }
        if !pages.allows(self.uri.as_str()) {
            return bad(
                "Signed {} message is using URI which is not allowed on this server, message was \
                 signed for another app",
            );
        }
        let authority = match self.uri.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let home = format!("{}://{}/", self.uri.scheme(), self.domain);
        if authority != self.domain || !pages.allows(&home) {
            return bad(
                "Signed {} message is using a Domain that does not match the one in URI which is \
                 not allowed on this server",
            );
        }
        if self.not_before.is_some_and(|begin| now < begin) {
            return bad("Signed {} message becomes valid in the future");
        }
        if self.expires_at.is_some_and(|end| now > end) {
            return bad("Signed {} message is expired");
        }
        if now - self.issued_at > validity {
            return bad("{} message was issued too long ago");
        }
        if self.issued_at - now > validity {
            return bad("{} message was issued too far in the future");
        }
        Ok(())
    }
}

impl<'a> Fields<'a> {
    fn read(lines: &[&'a str]) -> Result<Self, &'static str> {
        let mut fields = Self::default();
        for line in lines.iter().map(|line| line.trim()) {
            // Resources are for whoever asks; here they mean nothing.
            if line.is_empty() || line == "Resources:" || line.starts_with("- ") {
                continue;
            }
            let (name, value) = line
                .split_once(':')
                .ok_or("message has a line that is no field")?;
            let field = match name {
                "URI" => &mut fields.uri,
                "Version" => &mut fields.version,
                "Chain ID" => &mut fields.network,
                "Issued At" => &mut fields.issued_at,
                "Expiration Time" => &mut fields.expires_at,
                "Not Before" => &mut fields.not_before,
                // What else stands there was for the user to read.
                _ => continue,
            };
            if field.replace(value.trim()).is_some() {
                return Err("message has a field twice");
            }
        }
        Ok(fields)
    }
}

/// An address in the form it is stored in: upper and lower case of Ethereum's are one.
fn canonical(chain: Chain, address: &str) -> Result<String, &'static str> {
    let is_valid = match chain {
        Chain::Ethereum => address.strip_prefix("0x").is_some_and(|digits| {
            digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        }),
        Chain::Solana => {
            (32..=44).contains(&address.len())
                && address.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
    };
    match chain {
        _ if !is_valid => Err("message names no address"),
        Chain::Ethereum => Ok(address.to_ascii_lowercase()),
        Chain::Solana => Ok(address.to_owned()),
    }
}

fn instant(text: &str) -> Result<OffsetDateTime, &'static str> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "message has an unreadable time")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-31T12:00:00Z";
    const ADDRESS: &str = "0x9D85CA56217D2BB651B00F15E694EB7E713637D4";

    fn text(changes: &[(&str, &str)]) -> String {
        let mut text = format!(
            "app.example.com wants you to sign in with your Ethereum account:\n{ADDRESS}\n\n\
             Hello\n\nURI: https://app.example.com/login\nVersion: 1\nChain ID: 1\n\
             Nonce: abcdefgh\nIssued At: {NOW}\nResources:\n- https://a.example/b"
        );
        for (from, to) in changes {
            text = text.replace(from, to);
        }
        text
    }

    fn verdict(changes: &[(&str, &str)], seconds: i64) -> Result<(), String> {
        let message = Message::parse(Chain::Ethereum, &text(changes)).map_err(str::to_owned)?;
        let pages = Destinations::new("https://app.example.com".parse().unwrap(), Vec::new());
        let now = instant(NOW).unwrap() + Duration::seconds(seconds);
        let checked = message.check(&pages, Duration::minutes(10), now);
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn a_text_is_read() {
        let message = Message::parse(Chain::Ethereum, &text(&[])).unwrap();
        assert_eq!(message.address, ADDRESS.to_ascii_lowercase());
        assert_eq!(message.domain, "app.example.com");
        assert_eq!(message.statement.as_deref(), Some("Hello"));
        assert_eq!(message.network.as_deref(), Some("1"));
        let bare = text(&[("Hello\n\n", "")]);
        let bare = Message::parse(Chain::Ethereum, &bare).unwrap();
        assert_eq!(bare.statement, None);
    }

    #[test]
    fn a_text_for_us_is_good_for_ten_minutes() {
        assert_eq!(verdict(&[], 599), Ok(()));
        assert_eq!(verdict(&[], -599), Ok(()));
        for seconds in [601, -601] {
            assert!(verdict(&[], seconds).is_err());
        }
    }

    #[test]
    fn a_text_for_somebody_else_or_another_time_is_refused() {
        for change in [
            ("https://app", "http://app"),
            ("https://app.example.com", "https://evil.example.com"),
            ("app.example.com wants", "evil.example.com wants"),
            ("Nonce: abcdefgh", "Not Before: 2026-01-31T12:00:01Z"),
            ("Nonce: abcdefgh", "Expiration Time: 2026-01-31T11:59:59Z"),
            ("Version: 1", "Version: 2"),
            ("Nonce: abcdefgh", "URI: https://app.example.com/other"),
            ("Nonce: abcdefgh", "no field"),
            ("Chain ID: 1", "Chain ID: x"),
            ("0x9D", "0x"),
            ("Ethereum", "Solana"),
            ("Issued At", "Issued"),
        ] {
            assert!(verdict(&[change], 0).is_err(), "{change:?}");
        }
    }
}
