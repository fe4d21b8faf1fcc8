//! Consumers of the routes file: who else holds keys, beside those of the environment.

use std::{fmt, sync::Arc};

use secrecy::SecretString;

use super::{
    file::ConsumerEntry,
    plan::{Mistake, Surroundings, fill_in},
};
use crate::{
    keys::{ANON, SERVICE_ROLE},
    limits::Limit,
};

/// Shortest key, in bytes.
const MIN_KEY_BYTES: usize = 16;

/// What a consumer of the file is.
#[derive(Clone)]
pub(crate) struct ConsumerRules {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// The role its keys stand for.
    pub(crate) role: &'static str,
    /// Its keys, by name.
    pub(crate) keys: Vec<(Arc<str>, SecretString)>,
    /// Requests it may make on all routes together.
    pub(crate) limit: Option<Limit>,
}

impl ConsumerRules {
    pub(super) fn read(
        entry: &ConsumerEntry,
        others: &[Self],
        around: &mut Surroundings<'_>,
    ) -> Result<Self, Mistake> {
        let name = entry.name.get_ref().0.as_str();
        if others.iter().any(|other| *other.name == *name) {
            return Err((entry.name.span(), "its name is taken".to_owned()));
        }
        let role = match &entry.role {
            Some(role) => (role.get_ref().as_str(), role.span()),
            None => (name, entry.name.span()),
        };
        let role = match role {
            (ANON, _) => ANON,
            (SERVICE_ROLE, _) => SERVICE_ROLE,
            (other, span) => return Err((span, format!("`{other}` is not a role of keys"))),
        };
        let keys = entry.keys.iter().map(|(key_name, key)| {
            let fail = |what| (key.span(), what);
            let secret = fill_in(key.get_ref(), around.variable).map_err(fail)?;
            if secret.len() < MIN_KEY_BYTES {
                let what = format!("key `{key_name}` has fewer than {MIN_KEY_BYTES} bytes");
                return Err(fail(what));
            }
            Ok((Arc::from(key_name.as_str()), SecretString::from(secret)))
        });
        Ok(Self {
            name: name.into(),
            role,
            keys: keys.collect::<Result<_, _>>()?,
            limit: entry
                .limit
                .map(|limit| Limit::new(limit.minute, limit.hour, around.limit_scale)),
        })
    }
}

impl fmt::Debug for ConsumerRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConsumerRules").field(&self.name).finish()
    }
}
