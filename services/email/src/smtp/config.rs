//! Which mail server, and how to speak with it.

use std::{fmt, net::IpAddr, path::PathBuf};

use common::config::Env;
use lettre::transport::smtp::authentication::Credentials;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

/// A mail server.
#[derive(Clone)]
pub(crate) struct SmtpConfig {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) credentials: Option<Credentials>,
    /// More certificate authorities to trust, as a PEM file.
    pub(crate) ca_file: Option<PathBuf>,
    /// What this client calls itself.
    pub(crate) hello: String,
}

/// What protects the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing.
    None,
    /// TLS after a plain greeting; a server that does not offer it gets no mail.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

impl SmtpConfig {
    /// Reads the server from `EMAIL_SMTP_URL`, or from the variables that `GoTrue` has for it; none
    /// when neither is set.
    pub(crate) fn from_env(env: &mut Env) -> Option<Self> {
        let gotrue = gotrue_url(env);
        let text = env.optional("EMAIL_SMTP_URL").or(gotrue);
        let mode = env.optional("EMAIL_SMTP_TLS");
        let ca_file = env.optional("EMAIL_SMTP_CA_FILE").map(PathBuf::from);
        let hello = env.text("EMAIL_SMTP_HELLO", "[127.0.0.1]");
        if !hello.bytes().all(|byte| byte.is_ascii_graphic()) {
            env.problem("EMAIL_SMTP_HELLO is not a host name");
        }
        let url = parse(env, &text?)?;
        let security = security(env, &url, mode.as_deref())?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let credentials = credentials(&url);
        if credentials.is_some() && security == Security::None && !is_loopback(&host) {
            env.problem(
                "EMAIL_SMTP_TLS=none would send the password of EMAIL_SMTP_URL in the clear",
            );
        }
        Some(Self {
            port: url.port().unwrap_or(security.default_port()),
            host,
            security,
            credentials,
            ca_file,
            hello,
        })
    }
}

impl Security {
    fn default_port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

/// What `GOTRUE_SMTP_HOST` and its companions say, as a URL.
fn gotrue_url(env: &mut Env) -> Option<String> {
    const TLS_PORT: u16 = 465;
    let encoded = |text: String| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
    let host = env.optional("GOTRUE_SMTP_HOST");
    let port = env.parse("GOTRUE_SMTP_PORT", Security::StartTls.default_port());
    let user = env.text("GOTRUE_SMTP_USER", "");
    let password = env.text("GOTRUE_SMTP_PASS", "");
    let scheme = if port == TLS_PORT { "smtps" } else { "smtp" };
    let login = match (encoded(user), encoded(password)) {
        (user, _) if user.is_empty() => String::new(),
        (user, password) => format!("{user}:{password}@"),
    };
    Some(format!("{scheme}://{login}{}:{port}", host?))
}

fn parse(env: &mut Env, text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "smtp" | "smtps")
            && url.host_str().is_some_and(|host| !host.is_empty())
    });
    if url.is_none() {
        env.problem(
            "EMAIL_SMTP_URL is not of the form smtp://user:password@host:port or smtps://…",
        );
    }
    url
}

fn security(env: &mut Env, url: &Url, mode: Option<&str>) -> Option<Security> {
    match (url.scheme(), mode) {
        ("smtps", None) | (_, Some("tls")) => Some(Security::Tls),
        ("smtp", None | Some("starttls")) => Some(Security::StartTls),
        ("smtp", Some("none")) => Some(Security::None),
        _ => {
            env.problem("EMAIL_SMTP_TLS is none, starttls or tls; an smtps URL allows only tls");
            None
        }
    }
}

fn credentials(url: &Url) -> Option<Credentials> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let user = decode(url.username());
    (!user.is_empty()).then(|| Credentials::new(user, decode(url.password().unwrap_or_default())))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<SmtpConfig, String> {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let config = SmtpConfig::from_env(&mut env);
        env.check().map_err(|invalid| invalid.to_string())?;
        Ok(config.unwrap())
    }

    #[test]
    fn a_url_says_it_all() {
        let config = read(&[("EMAIL_SMTP_URL", "smtp://a%40b:p%3Aq@mail.example")]).unwrap();
        assert_eq!((config.host.as_str(), config.port), ("mail.example", 587));
        assert_eq!(config.security, Security::StartTls);
        assert_eq!(config.credentials, Some(("a@b", "p:q").into()));
        let config = read(&[("EMAIL_SMTP_URL", "smtps://mail.example:4650")]).unwrap();
        assert_eq!((config.port, config.security), (4650, Security::Tls));
    }

    #[test]
    fn gotrues_variables_will_do() {
        let config = read(&[
            ("GOTRUE_SMTP_HOST", "mail.example"),
            ("GOTRUE_SMTP_USER", "a@b"),
            ("GOTRUE_SMTP_PASS", "p:/q"),
        ])
        .unwrap();
        assert_eq!((config.host.as_str(), config.port), ("mail.example", 587));
        assert_eq!(config.security, Security::StartTls);
        assert_eq!(config.credentials, Some(("a@b", "p:/q").into()));
        let tls = [
            ("GOTRUE_SMTP_HOST", "mail.example"),
            ("GOTRUE_SMTP_PORT", "465"),
        ];
        assert_eq!(read(&tls).unwrap().security, Security::Tls);
    }

    #[test]
    fn a_password_never_travels_in_the_clear() {
        let with = |url| read(&[("EMAIL_SMTP_URL", url), ("EMAIL_SMTP_TLS", "none")]);
        assert!(
            with("smtp://u:hunter2@mail.example")
                .unwrap_err()
                .contains("in the clear")
        );
        assert!(with("smtp://u:p@127.0.0.1").is_ok());
        assert!(with("smtp://mail.example").is_ok());
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = read(&[("EMAIL_SMTP_URL", "smtp://u:hunter2@mail.example")]).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        let message = read(&[("EMAIL_SMTP_URL", "http://u:hunter2@mail.example")]).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn contradictions_are_refused() {
        for (url, mode) in [
            ("smtps://mail.example", "none"),
            ("smtp://mail.example", "ssl"),
        ] {
            let pairs = [("EMAIL_SMTP_URL", url), ("EMAIL_SMTP_TLS", mode)];
            assert!(read(&pairs).is_err(), "{url} {mode}");
        }
    }
}
