//! The options of a connection string that are about encryption.
//!
//! The driver's parser knows too few of them, so they are taken out before it sees the string.

use percent_encoding::percent_decode_str;

use super::target::InvalidTarget;

/// What stands in `sslrootcert` for the authorities of this machine.
pub(super) const SYSTEM: &str = "system";

/// What a connection string says about encryption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SslOptions {
    pub(super) mode: Mode,
    /// A file of certificates, or [`SYSTEM`].
    pub(super) root_certificate: Option<String>,
    /// Our own certificate, if the server wants one: a file of it and those that lead to it.
    pub(super) certificate: Option<String>,
    /// A file of its key.
    pub(super) key: Option<String>,
}

/// How much encryption is wanted (`sslmode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// None.
    Disable,
    /// If the server offers it.
    #[default]
    Prefer,
    /// Whoever the server is.
    Require,
    /// With a server whose certificate an authority has signed.
    VerifyCa,
    /// With a server whose certificate an authority has signed for its name.
    VerifyFull,
}

impl SslOptions {
    /// Takes the options out of a connection string, and gives the rest.
    pub(super) fn take(text: &str) -> Result<(String, Self), InvalidTarget> {
        let mut options = Self::default();
        let rest = if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            options.take_from_url(text)?
        } else {
            options.take_from_pairs(text)?
        };
        Ok((rest, options))
    }

    fn take_from_url(&mut self, text: &str) -> Result<String, InvalidTarget> {
        // A password may hold a question mark.
        let host = text.rfind('@').unwrap_or_default();
        let (before, host) = text.split_at(host);
        let Some((host, query)) = host.split_once('?') else {
            return Ok(text.to_owned());
        };
        let mut kept = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            if !self.is_taken(name, &value)? {
                kept.push(pair);
            }
        }
        let mark = if kept.is_empty() { "" } else { "?" };
        Ok(format!("{before}{host}{mark}{}", kept.join("&")))
    }

    fn take_from_pairs(&mut self, text: &str) -> Result<String, InvalidTarget> {
        let mut kept = String::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=').ok_or(InvalidTarget::Syntax)?;
            let (value, after) = value(after.trim_start());
            if !self.is_taken(name.trim_end(), &value)? {
                let length = rest.len() - after.len();
                kept.push_str(rest.get(..length).unwrap_or_default().trim_end());
                kept.push(' ');
            }
            rest = after.trim_start();
        }
        Ok(kept)
    }

    fn is_taken(&mut self, name: &str, value: &str) -> Result<bool, InvalidTarget> {
        match name {
            "sslmode" => self.mode = Mode::parse(value).ok_or(InvalidTarget::SslMode)?,
            "sslrootcert" => self.root_certificate = Some(value.to_owned()),
            "sslcert" => self.certificate = Some(value.to_owned()),
            "sslkey" => self.key = Some(value.to_owned()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Mode {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "disable" => Some(Self::Disable),
            "allow" | "prefer" => Some(Self::Prefer),
            "require" => Some(Self::Require),
            "verify-ca" => Some(Self::VerifyCa),
            "verify-full" => Some(Self::VerifyFull),
            _ => None,
        }
    }
}

/// A value at the beginning of a text, in quotes or not, and what comes after it.
fn value(text: &str) -> (String, &str) {
    let quoted = text.strip_prefix('\'');
    let mut value = String::new();
    let mut characters = quoted.unwrap_or(text).chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => value.extend(characters.next()),
            '\'' if quoted.is_some() => break,
            blank if blank.is_whitespace() && quoted.is_none() => break,
            other => value.push(other),
        }
    }
    (value, characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_out_of_both_forms() {
        let root = Some("/a b/root.crt".to_owned());
        let cases = [
            (
                "postgres://me:p?w@db/app?sslmode=verify-full&sslrootcert=%2Fa%20b%2Froot.crt&connect_timeout=3",
                "postgres://me:p?w@db/app?connect_timeout=3",
                Mode::VerifyFull,
                root.clone(),
            ),
            ("postgres://db", "postgres://db", Mode::Prefer, None),
            (
                r"host=db sslmode = require password='it\'s sslmode=disable' sslrootcert='/a b/root.crt'",
                r"host=db password='it\'s sslmode=disable' ",
                Mode::Require,
                root,
            ),
            ("host=db sslmode=disable", "host=db ", Mode::Disable, None),
        ];
        for (text, rest, mode, root_certificate) in cases {
            let (found, options) = SslOptions::take(text).unwrap();
            assert_eq!(found, rest);
            let expected = SslOptions {
                mode,
                root_certificate,
                ..SslOptions::default()
            };
            assert_eq!(options, expected, "{text}");
        }
    }

    #[test]
    fn our_own_certificate_has_a_key() {
        let text = "postgres://me@db/app?sslcert=/c.crt&sslkey=/c.key&sslmode=require";
        let (rest, options) = SslOptions::take(text).unwrap();
        assert_eq!(rest, "postgres://me@db/app");
        assert_eq!(options.certificate.as_deref(), Some("/c.crt"));
        assert_eq!(options.key.as_deref(), Some("/c.key"));
    }

    #[test]
    fn an_unknown_mode_is_refused() {
        for text in ["postgres://db?sslmode=maybe", "host=db sslmode=maybe"] {
            assert_eq!(SslOptions::take(text), Err(InvalidTarget::SslMode));
        }
    }
}
