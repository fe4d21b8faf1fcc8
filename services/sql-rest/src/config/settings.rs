//! The part of the configuration that can change while the service runs.

use super::{
    from_file,
    given::{Given, variable},
};
use crate::{
    catalog::QualifiedName,
    error::Verbosity,
    jwt::{ClaimPath, Keys},
    options::{EmbedNames, Options},
};

/// Settings of functions that apply to the whole transaction, unless configured.
const HOISTED: &str = "statement_timeout,plan_filter.statement_cost_limit,\
                       default_transaction_isolation";

/// Verified tokens to remember, unless configured.
const CACHED_TOKENS: usize = 1000;

/// Schemas that are PostgreSQL's own.
const SYSTEM_SCHEMAS: [&str; 2] = ["pg_catalog", "information_schema"];

/// What can change while the service runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What decides how requests are read and planned.
    pub core: Options,
    /// Schemas searched after the one a request addresses.
    pub extra_search_path: Vec<String>,
    /// The role of requests without a token, if there is one.
    pub anonymous_role: Option<String>,
    /// A function to call before settings are read from the database.
    pub pre_config: Option<QualifiedName>,
    /// Whether connections keep statements prepared.
    pub keeps_statements: bool,
    /// A function to call before each request's statement.
    pub pre_request: Option<QualifiedName>,
    /// How transactions end.
    pub transaction_end: TransactionEnd,
    /// Settings of functions that apply to the whole transaction.
    pub hoisted_settings: Vec<String>,
    /// What verifies tokens, if anything does.
    pub keys: Option<Keys>,
    /// Verified tokens to remember.
    pub cached_tokens: usize,
    /// Who tokens must be meant for.
    pub audience: Option<String>,
    /// Where in a token the role is.
    pub role_claim: ClaimPath,
    /// What the root document shows.
    pub openapi_mode: OpenApiMode,
    /// Whether the root document says that a token is needed.
    pub openapi_security: bool,
    /// The address under which clients see the service.
    pub proxy_uri: Option<http::Uri>,
    /// Origins that may send credentials; anyone may send requests without, when not given.
    pub cors_origins: Option<Vec<String>>,
    /// A header of requests to repeat in answers.
    pub trace_header: Option<http::HeaderName>,
    /// Whether answers tell where the time went.
    pub server_timing: bool,
    /// How much errors tell.
    pub verbosity: Verbosity,
    /// Settings of the application, set in every transaction.
    pub app: Vec<(String, String)>,
}

/// How transactions end when the request does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionEnd {
    /// Changes stay.
    #[default]
    Commit,
    /// Changes are undone.
    Rollback,
}

/// What the root document shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenApiMode {
    /// What the role may use.
    #[default]
    FollowPrivileges,
    /// Everything.
    IgnorePrivileges,
    /// Nothing.
    Disabled,
}

impl Settings {
    /// Reads settings, with a list of what is wrong with them; what is wrong has its default.
    pub fn read(given: &Given) -> (Self, Vec<String>) {
        let mut reader = Reader {
            given,
            problems: Vec::new(),
        };
        let settings = reader.settings();
        (settings, reader.problems)
    }
}

/// Reads texts and notes problems.
struct Reader<'a> {
    given: &'a Given,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn settings(&mut self) -> Settings {
        let (transaction_end, tx_override) = self.transaction_end();
        Settings {
            core: Options {
                schemas: self.schemas(),
                max_rows: self.parsed("db_max_rows"),
                aggregates: self.flag("db_aggregates_enabled", false),
                plans: self.flag("db_plan_enabled", false),
                timezones: self.flag("db_timezone_enabled", true),
                tx_override,
                embed_names: if self.flag("url_use_legacy_target_names", true) {
                    EmbedNames::AliasOrTarget
                } else {
                    EmbedNames::Alias
                },
                root_function: self.name("db_root_spec"),
                ..Options::default()
            },
            extra_search_path: self.list("db_extra_search_path", "public"),
            anonymous_role: self.text("db_anon_role").map(str::to_owned),
            pre_config: self.name("db_pre_config"),
            keeps_statements: self.flag("db_prepared_statements", true),
            pre_request: self.name("db_pre_request"),
            transaction_end,
            hoisted_settings: self.list("db_hoisted_tx_settings", HOISTED),
            keys: self.keys(),
            cached_tokens: self
                .parsed("jwt_cache_max_entries")
                .unwrap_or(CACHED_TOKENS),
            audience: self.audience(),
            role_claim: self.parsed("jwt_role_claim_key").unwrap_or_default(),
            openapi_mode: self.choice(
                "openapi_mode",
                &[
                    ("follow-privileges", OpenApiMode::FollowPrivileges),
                    ("ignore-privileges", OpenApiMode::IgnorePrivileges),
                    ("disabled", OpenApiMode::Disabled),
                ],
            ),
            openapi_security: self.flag("openapi_security_active", false),
            proxy_uri: self.proxy_uri(),
            cors_origins: self
                .text("server_cors_allowed_origins")
                .map(|text| split(text).collect()),
            trace_header: self.parsed("server_trace_header"),
            server_timing: self.flag("server_timing_enabled", false),
            verbosity: self.choice(
                "client_error_verbosity",
                &[
                    ("verbose", Verbosity::Verbose),
                    ("minimal", Verbosity::Minimal),
                ],
            ),
            app: self.given.app().to_vec(),
        }
    }

    fn problem(&mut self, name: &str, what: &str) {
        self.problems.push(format!("{} {what}", variable(name)));
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).filter(|text| !text.is_empty())
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        let parsed = self.text(name)?.parse();
        if parsed.is_err() {
            self.problem(name, "is not usable");
        }
        parsed.ok()
    }

    fn flag(&mut self, name: &str, default: bool) -> bool {
        let lower = self.text(name).map(str::to_ascii_lowercase);
        match lower.as_deref() {
            None => default,
            Some("true" | "yes" | "on" | "1") => true,
            Some("false" | "no" | "off" | "0") => false,
            Some(_) => {
                self.problem(name, "is neither true nor false");
                default
            }
        }
    }

    /// One of several words, the first being the default.
    fn choice<T: Copy + Default>(&mut self, name: &str, words: &[(&str, T)]) -> T {
        let Some(text) = self.text(name) else {
            return T::default();
        };
        let found = words.iter().find(|(word, _)| *word == text);
        let found = found.map(|(_, value)| *value);
        found.unwrap_or_else(|| {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem(name, &format!("is none of {}", all.join(", ")));
            T::default()
        })
    }

    fn list(&self, name: &str, default: &str) -> Vec<String> {
        match self.given.get(name) {
            None => split(default).collect(),
            Some("") => Vec::new(),
            Some(text) => split(text).collect(),
        }
    }

    fn name(&self, name: &str) -> Option<QualifiedName> {
        let text = self.text(name)?;
        let (schema, name) = text.split_once('.').unwrap_or(("", text));
        Some(QualifiedName {
            schema: schema.to_owned(),
            name: name.to_owned(),
        })
    }

    fn schemas(&mut self) -> Vec<String> {
        let schemas: Vec<String> = split(self.text("db_schemas").unwrap_or("public")).collect();
        for schema in schemas
            .iter()
            .filter(|name| SYSTEM_SCHEMAS.contains(&name.as_str()))
        {
            self.problem("db_schemas", &format!("cannot expose the schema {schema}"));
        }
        schemas
    }

    /// Any text, but one with a colon has to be an address (RFC 7519, `StringOrURI`).
    fn audience(&mut self) -> Option<String> {
        let audience = self.text("jwt_aud")?.to_owned();
        if audience.contains(':') && url::Url::parse(&audience).is_err() {
            self.problem("jwt_aud", "is neither a text without colons nor an address");
        }
        Some(audience)
    }

    fn proxy_uri(&mut self) -> Option<http::Uri> {
        let name = "openapi_server_proxy_uri";
        let uri: http::Uri = self.parsed(name)?;
        if matches!(uri.scheme_str(), Some("http" | "https")) {
            return Some(uri);
        }
        self.problem(
            name,
            "is not an address such as https://example.com:8443/base",
        );
        None
    }

    fn keys(&mut self) -> Option<Keys> {
        let is_base64 = self.flag("jwt_secret_is_base64", false);
        let Some(secret) = from_file(self.text("jwt_secret")?) else {
            self.problem("jwt_secret", "names a file that cannot be read");
            return None;
        };
        let keys = Keys::parse(&secret, is_base64);
        keys.map_err(|problem| self.problem("jwt_secret", &problem))
            .ok()
    }

    /// How transactions end, and whether a request may say otherwise.
    fn transaction_end(&mut self) -> (TransactionEnd, bool) {
        let words = [
            ("commit", Some((TransactionEnd::Commit, false))),
            (
                "commit-allow-override",
                Some((TransactionEnd::Commit, true)),
            ),
            ("rollback", Some((TransactionEnd::Rollback, false))),
            (
                "rollback-allow-override",
                Some((TransactionEnd::Rollback, true)),
            ),
        ];
        self.choice("db_tx_end", &words).unwrap_or_default()
    }
}

fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(|item| item.trim().to_owned())
}
