//! Settings as they were given: texts by name.

use std::{collections::BTreeMap, fmt};

use common::config::Env;

/// Names of the settings, as the database knows them behind `pgrst.`, each with its older name.
const NAMES: [(&str, Option<&str>); 26] = [
    ("client_error_verbosity", None),
    ("db_aggregates_enabled", None),
    ("db_anon_role", None),
    ("db_extra_search_path", None),
    ("db_hoisted_tx_settings", None),
    ("db_max_rows", Some("max_rows")),
    ("db_plan_enabled", None),
    ("db_pre_request", Some("pre_request")),
    ("db_root_spec", Some("root_spec")),
    ("db_schemas", Some("db_schema")),
    ("db_timezone_enabled", None),
    ("db_tx_end", None),
    ("jwt_aud", None),
    ("jwt_cache_max_entries", None),
    ("jwt_role_claim_key", Some("role_claim_key")),
    ("jwt_secret", None),
    ("jwt_secret_is_base64", Some("secret_is_base64")),
    ("openapi_mode", None),
    ("openapi_security_active", None),
    ("openapi_server_proxy_uri", None),
    ("server_cors_allowed_origins", None),
    ("server_timing_enabled", None),
    ("server_trace_header", None),
    ("url_use_legacy_target_names", None),
    ("db_pre_config", None),
    ("db_prepared_statements", None),
];

/// What comes before the names of an application's own settings.
const APP_VARIABLE: &str = "PGRST_APP_SETTINGS_";
const APP_SETTING: &str = "app.settings.";

/// Settings as texts. Debug output shows names only.
#[derive(Clone, Default)]
pub struct Given {
    values: BTreeMap<String, String>,
    app: Vec<(String, String)>,
}

impl Given {
    /// The settings among the variables of the environment.
    pub fn from_env(env: &mut Env) -> Self {
        let mut values = BTreeMap::new();
        for (name, older) in NAMES {
            let variable = variable(name);
            let value = match env.optional(&variable) {
                None if env.is_empty(&variable) => Some(String::new()),
                None => older.and_then(|older| env.optional(&self::variable(older))),
                given => given,
            };
            values.extend(value.map(|value| (name.to_owned(), value)));
        }
        if !values.contains_key("jwt_secret") {
            let shared = env.optional("JWT_SECRET");
            values.extend(shared.map(|secret| ("jwt_secret".to_owned(), secret)));
        }
        let app = env.with_prefix(APP_VARIABLE).into_iter();
        Self {
            values,
            app: app
                .map(|(name, value)| (format!("{APP_SETTING}{name}"), value))
                .collect(),
        }
    }

    /// These settings, except where `others` say otherwise.
    pub fn overlaid(&self, others: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut whole = self.clone();
        whole.values.extend(others);
        whole
    }

    /// A setting, empty or not.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The application's own settings.
    pub(super) fn app(&self) -> &[(String, String)] {
        &self.app
    }

    /// Names of all settings, as the database knows them behind `pgrst.`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

/// The environment variable of a setting.
pub(super) fn variable(name: &str) -> String {
    format!("PGRST_{}", name.to_ascii_uppercase())
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}
