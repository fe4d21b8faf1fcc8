//! What secrets in the database are encrypted with.

use std::collections::BTreeMap;

use common::config::{Env, FromEnv};

use crate::encryption::{Key, Keys};

const NO_KEY: &str = "is not 32 bytes in Base64 for URLs, without padding";

impl FromEnv for Keys {
    fn from_env(env: &mut Env) -> Self {
        let prefix = "GOTRUE_SECURITY_DATABASE_ENCRYPTION";
        let encrypts = env.flag(&format!("{prefix}_ENCRYPT"), false);
        let name = env.text(&format!("{prefix}_ENCRYPTION_KEY_ID"), "");
        let key = env.text(&format!("{prefix}_ENCRYPTION_KEY"), "");
        let mut known = decryption_keys(env, &format!("{prefix}_DECRYPTION_KEYS"));
        if !encrypts {
            return Self {
                current: None,
                known,
            };
        }
        if name.is_empty() {
            env.problem(format!("{prefix}_ENCRYPTION_KEY_ID is not set"));
        }
        match Key::parse(&key) {
            Some(key) => {
                known.insert(name.clone(), key);
            }
            None => env.problem(format!("{prefix}_ENCRYPTION_KEY {NO_KEY}")),
        }
        Self {
            current: Some(name),
            known,
        }
    }
}

/// `name:key`, separated by commas.
fn decryption_keys(env: &mut Env, variable: &str) -> BTreeMap<String, Key> {
    let mut keys = BTreeMap::new();
    for item in env.list(variable, "") {
        let (name, key) = item.split_once(':').unwrap_or(("", ""));
        match Key::parse(key).filter(|_| !name.is_empty()) {
            Some(key) => {
                keys.insert(name.to_owned(), key);
            }
            None => env.problem(format!("{variable}: the key {name:?} {NO_KEY}")),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use common::config::load;

    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn read(pairs: &[(&str, &str)]) -> Result<Keys, String> {
        let prefix = "GOTRUE_SECURITY_DATABASE_ENCRYPTION_";
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| (format!("{prefix}{name}"), (*value).to_owned()));
        load::<Keys>(&mut Env::from_pairs(pairs)).map_err(|error| error.to_string())
    }

    #[test]
    fn one_key_encrypts_and_all_decrypt() {
        let others = format!("old:{KEY},older:{KEY}");
        let keys = read(&[
            ("ENCRYPT", "true"),
            ("ENCRYPTION_KEY_ID", "new"),
            ("ENCRYPTION_KEY", KEY),
            ("DECRYPTION_KEYS", &others),
        ])
        .unwrap();
        assert_eq!(keys.current.as_deref(), Some("new"));
        let names: Vec<_> = keys.known.keys().map(String::as_str).collect();
        assert_eq!(names, ["new", "old", "older"]);
        let stopped = read(&[("DECRYPTION_KEYS", &others)]).unwrap();
        assert_eq!((stopped.current, stopped.known.len()), (None, 2));
    }

    #[test]
    fn a_key_that_is_none_stops_the_start_and_is_not_told() {
        for pairs in [
            [("ENCRYPT", "true"), ("ENCRYPTION_KEY_ID", "new")],
            [("ENCRYPT", "true"), ("ENCRYPTION_KEY", KEY)],
            [("ENCRYPT", "false"), ("DECRYPTION_KEYS", "old:short")],
            [("ENCRYPT", "false"), ("DECRYPTION_KEYS", "shortsecret")],
        ] {
            let problem = read(&pairs).unwrap_err();
            assert!(!problem.contains("short"), "{problem}");
        }
    }
}
