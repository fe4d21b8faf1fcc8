//! Reads a service's configuration once, at start, from environment variables.
//!
//! Every variable `NAME` can also be given as `NAME_FILE`, the path of a file that holds the value
//! (the form Docker secrets take). Reading never stops at the first mistake: each getter notes what
//! is wrong and returns a placeholder, and [`load`] refuses the whole with one message.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Process exit status for a configuration that cannot be used (`EX_USAGE` of sysexits).
pub const EXIT_CONFIGURATION: u8 = 64;

/// Shortest secret accepted for signing and between services, in bytes (RFC 7518, 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// Fewest different bytes in an acceptable secret; catches `aaaa…` and keyboard runs.
const MIN_DISTINCT_BYTES: usize = 8;

/// Secrets printed in public manuals, which protect nothing.
const PUBLISHED_SECRETS: &[&str] = &[
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-and-long-postgres-password",
    "your-encryption-key-32-chars-min",
];

/// A configuration that is read from environment variables.
pub trait FromEnv: Sized {
    /// Reads every variable this configuration knows, noting problems in `env`.
    fn from_env(env: &mut Env) -> Self;
}

/// The variables of this process that are text. Others are somebody else's and must not keep it from starting.
pub fn process_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Reads `T`, or reports everything that is wrong with its variables.
pub fn load<T: FromEnv>(env: &mut Env) -> Result<T, Invalid> {
    let value = T::from_env(env);
    env.check()?;
    Ok(value)
}

/// Every problem found in a configuration; displays one line for each.
#[derive(Debug, thiserror::Error)]
pub struct Invalid(Vec<String>);

impl Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration cannot be used:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  - {line}"))
    }
}

/// The variables a process was given, and what was found wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Env {
    values: BTreeMap<String, SecretString>,
    known: BTreeSet<String>,
    problems: Vec<String>,
}

impl Env {
    /// The variables of this process.
    pub fn from_process() -> Self {
        Self::from_pairs(process_variables())
    }

    /// The given variables and no others; later pairs win.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let values = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), SecretString::from(value.into())))
            .collect();
        Self {
            values,
            ..Self::default()
        }
    }

    /// Names of all variables that were asked for so far.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }

    /// Notes a problem that a single variable does not show.
    pub fn problem(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }

    /// Fails when a problem was noted.
    pub fn check(&mut self) -> Result<(), Invalid> {
        match std::mem::take(&mut self.problems) {
            problems if problems.is_empty() => Ok(()),
            problems => Err(Invalid(problems)),
        }
    }

    /// Whether `name` is given and empty, where that means something other than not given.
    pub fn is_empty(&mut self, name: &str) -> bool {
        self.known.insert(name.to_owned());
        let value = self.values.get(name);
        value.is_some_and(|value| value.expose_secret().is_empty())
    }

    /// All variables whose names begin with `prefix`, as the rest of the name and the value.
    pub fn with_prefix(&self, prefix: &str) -> Vec<(String, String)> {
        let rest = |(name, value): (&String, &SecretString)| {
            let rest = name.strip_prefix(prefix)?;
            Some((rest.to_owned(), value.expose_secret().to_owned()))
        };
        self.values.iter().filter_map(rest).collect()
    }

    /// The value of `name`, or of the file `name_FILE` points to. Empty counts as not given.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        self.known.insert(name.to_owned());
        let file_name = format!("{name}_FILE");
        let direct = self.raw(name);
        let file = self.raw(&file_name);
        match (direct, file) {
            (Some(_), Some(_)) => {
                self.problem(format!("{name} and {file_name} are both set; keep one"));
                None
            }
            (Some(value), None) => Some(value),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => {
                    self.problem(format!("{file_name} cannot be read: {error}"));
                    None
                }
            },
            (None, None) => None,
        }
    }

    /// A text, or `default`.
    pub fn text(&mut self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    /// A text that must be given.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problem(format!("{name} is not set"));
            String::new()
        })
    }

    /// A number, address or other value that parses, or `default`.
    pub fn parse<T>(&mut self, name: &str, default: T) -> T
    where
        T: FromStr,
        T::Err: Display,
    {
        self.parse_optional(name).unwrap_or(default)
    }

    /// A value that parses, if given.
    pub fn parse_optional<T>(&mut self, name: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.optional(name)?;
        text.parse()
            .map_err(|error| self.problem(format!("{name} is not usable: {error}")))
            .ok()
    }

    /// A number of `range`, or `default`.
    pub fn within<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
        T::Err: Display,
    {
        let number = self.parse(name, default);
        if range.contains(&number) {
            return number;
        }
        self.problem(format!(
            "{name} must be {} to {}",
            range.start(),
            range.end()
        ));
        default
    }

    /// `true`, `1`, `yes`, `on` or their opposites, or `default`.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        let Some(text) = self.optional(name) else {
            return default;
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => {
                self.problem(format!("{name} is neither true nor false"));
                default
            }
        }
    }

    /// Items separated by commas, blanks around them removed.
    pub fn list(&mut self, name: &str, default: &str) -> Vec<String> {
        let text = self.text(name, default);
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A whole number of seconds, or `default`. Longer than a hundred years is a mistake, and no clock can
    /// count to it.
    pub fn seconds(&mut self, name: &str, default: u64) -> Duration {
        Duration::from_secs(self.within(name, default, 0..=u32::MAX.into()))
    }

    /// An absolute URL; without a default it must be given.
    pub fn url(&mut self, name: &str, default: Option<&str>) -> Url {
        let text = match default {
            Some(default) => self.text(name, default),
            None => self.required(name),
        };
        let placeholder = || Url::from_str("http://localhost").ok();
        let parsed = match Url::parse(&text) {
            Ok(url) => Some(url),
            Err(_) if text.is_empty() => placeholder(),
            Err(error) => {
                self.problem(format!("{name} is not a URL: {error}"));
                placeholder()
            }
        };
        parsed.unwrap_or_else(|| unreachable!("the placeholder is a valid URL"))
    }

    /// A secret that must be given and must be strong: long enough, varied, and not published.
    pub fn secret(&mut self, name: &str) -> SecretString {
        self.secret_of(name, MIN_SECRET_BYTES)
    }

    /// A secret that must be given, of at least `min_bytes` bytes.
    pub fn secret_of(&mut self, name: &str, min_bytes: usize) -> SecretString {
        let value = self.required(name);
        if !value.is_empty()
            && let Some(weakness) = weakness(&value, min_bytes)
        {
            self.problem(format!("{name} is too weak: {weakness}"));
        }
        SecretString::from(value)
    }

    fn raw(&self, name: &str) -> Option<String> {
        self.values
            .get(name)
            .map(|value| value.expose_secret().to_owned())
            .filter(|value| !value.is_empty())
    }
}

/// Why `secret` should not be used, if there is a reason.
pub fn weakness(secret: &str, min_bytes: usize) -> Option<String> {
    let distinct = secret.bytes().collect::<BTreeSet<_>>().len();
    if PUBLISHED_SECRETS.contains(&secret) {
        Some("it is printed in public documentation".to_owned())
    } else if secret.len() < min_bytes {
        Some(format!("it has fewer than {min_bytes} bytes"))
    } else if distinct < MIN_DISTINCT_BYTES.min(min_bytes) {
        Some("it repeats a few characters".to_owned())
    } else {
        None
    }
}

/// Where a service listens: `LISTEN_HOST` and the service's own `<NAME>_PORT`.
pub fn listen_address(env: &mut Env, service: &str, default_port: u16) -> SocketAddr {
    let host = env.parse("LISTEN_HOST", IpAddr::from([127, 0, 0, 1]));
    let name = format!("{}_PORT", service.to_ascii_uppercase().replace('-', "_"));
    SocketAddr::new(host, env.parse(&name, default_port))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const STRONG: &str = "0123456789abcdef0123456789abcdef";

    #[derive(Debug)]
    struct Example {
        secret: SecretString,
        port: u16,
    }

    impl FromEnv for Example {
        fn from_env(env: &mut Env) -> Self {
            Self {
                secret: env.secret("A_SECRET"),
                port: env.parse("A_PORT", 80),
            }
        }
    }

    #[test]
    fn every_problem_is_reported_in_one_message() {
        let mut env = Env::from_pairs([("A_SECRET", "short"), ("A_PORT", "many")]);
        let message = load::<Example>(&mut env).unwrap_err().to_string();
        assert!(message.contains("A_SECRET is too weak"), "{message}");
        assert!(message.contains("A_PORT is not usable"), "{message}");
    }

    #[test]
    fn a_number_that_is_too_small_or_too_large_is_named() {
        let pairs = [("FEW", "0"), ("MANY", "65"), ("LONG", "99999999999999")];
        let mut env = Env::from_pairs(pairs);
        assert_eq!(env.within("FEW", 4, 1..=64), 4);
        assert_eq!(env.within("MANY", 4, 1..=64), 4);
        assert_eq!(env.within("UNSET", 4, 1..=64), 4);
        assert_eq!(env.seconds("LONG", 5), Duration::from_secs(5));
        let message = env.check().unwrap_err().to_string();
        assert!(message.contains("FEW must be 1 to 64"), "{message}");
        assert!(message.contains("MANY must be 1 to 64"), "{message}");
        assert!(message.contains("LONG must be 0 to"), "{message}");
    }

    #[test]
    fn a_message_never_shows_a_value() {
        let mut env = Env::from_pairs([("A_SECRET", "hunter2")]);
        let message = load::<Example>(&mut env).unwrap_err().to_string();
        assert!(!message.contains("hunter2"), "{message}");
        assert!(!format!("{env:?}").contains("hunter2"));
    }

    #[test]
    fn a_secret_can_come_from_a_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{STRONG}").unwrap();
        let path = file.path().to_str().unwrap();
        let mut env = Env::from_pairs([("A_SECRET_FILE", path)]);
        let example = load::<Example>(&mut env).unwrap();
        assert_eq!(example.secret.expose_secret(), STRONG);
        assert_eq!(example.port, 80);
    }

    #[test]
    fn a_variable_and_its_file_together_are_refused() {
        let mut env = Env::from_pairs([("A_SECRET", STRONG), ("A_SECRET_FILE", "/nowhere")]);
        let message = load::<Example>(&mut env).unwrap_err().to_string();
        assert!(message.contains("both set"), "{message}");
    }

    #[test]
    fn weak_secrets_are_recognised() {
        assert_eq!(weakness(STRONG, MIN_SECRET_BYTES), None);
        assert!(weakness(&"a".repeat(40), MIN_SECRET_BYTES).is_some());
        assert!(weakness(PUBLISHED_SECRETS[0], MIN_SECRET_BYTES).is_some());
    }
}
