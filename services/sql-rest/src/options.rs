//! The part of the configuration that decides how requests are read and planned.

use crate::catalog::QualifiedName;

/// What a request may do and how far it may go.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own, on or off"
)]
pub struct Options {
    /// Exposed schemas, the first being the default (`db-schemas`).
    pub schemas: Vec<String>,
    /// The most rows a read or call gives, at every level (`db-max-rows`).
    pub max_rows: Option<u64>,
    /// Whether `select` may aggregate (`db-aggregates-enabled`).
    pub aggregates: bool,
    /// Whether clients may ask for execution plans (`db-plan-enabled`).
    pub plans: bool,
    /// Whether `Prefer: timezone=` is obeyed (`db-timezone-enabled`).
    pub timezones: bool,
    /// Whether `Prefer: tx=` may decide how the transaction ends (`db-tx-end`).
    pub tx_override: bool,
    /// How filters, orders and limits name an embed that has an alias
    /// (`url-use-legacy-target-names`).
    pub embed_names: EmbedNames,
    /// The function that answers `/` in place of the OpenAPI document (`db-root-spec`).
    pub root_function: Option<QualifiedName>,
    /// Bounds on what is parsed.
    pub limits: Limits,
}

/// How filters, orders and limits name an embed that has an alias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmbedNames {
    /// By its alias or, with a warning, by its target.
    #[default]
    AliasOrTarget,
    /// By its alias.
    Alias,
}

/// Bounds on what is parsed, so that no request can exhaust the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest query string, in bytes.
    pub query_bytes: usize,
    /// Deepest nesting of embeds and of logic trees.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_bytes: 64 * 1024,
            depth: 64,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schemas: vec!["public".to_owned()],
            max_rows: None,
            aggregates: false,
            plans: false,
            timezones: true,
            tx_override: false,
            embed_names: EmbedNames::default(),
            root_function: None,
            limits: Limits::default(),
        }
    }
}
