//! What an application may know about a user.

use std::fmt;

/// The scopes there are.
pub const SUPPORTED: [&str; 5] = ["openid", "profile", "email", "phone", "offline_access"];

/// A list of scopes, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads a list with blanks between; or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let scopes = Self::stored(text);
        match scopes
            .0
            .iter()
            .find(|scope| !SUPPORTED.contains(&scope.as_str()))
        {
            Some(unknown) => Err(format!("unsupported scope: {unknown}")),
            None if scopes.0.is_empty() => Err("scope parameter cannot be empty".to_owned()),
            None => Ok(scopes),
        }
    }

    /// The scopes of a row.
    pub fn stored(text: &str) -> Self {
        let mut scopes = Vec::new();
        for scope in text.split_ascii_whitespace() {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        Self(scopes)
    }

    /// Whether `scope` is among them.
    pub fn has(&self, scope: &str) -> bool {
        self.0.iter().any(|known| known == scope)
    }

    /// Whether all of `others` are among them.
    pub fn cover(&self, others: &Self) -> bool {
        others.0.iter().all(|scope| self.has(scope))
    }

    /// The scopes as texts.
    pub fn into_inner(self) -> Vec<String> {
        self.0
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_written() {
        let scopes = Scopes::parse(" openid  email openid").unwrap();
        assert_eq!(scopes.to_string(), "openid email");
        assert!(scopes.has("email") && !scopes.has("profile"));
        assert!(scopes.cover(&Scopes::stored("email")));
        assert!(!scopes.cover(&Scopes::stored("email phone")));
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        let error = |text| Scopes::parse(text).unwrap_err();
        assert_eq!(error("email admin"), "unsupported scope: admin");
        assert_eq!(error(" "), "scope parameter cannot be empty");
    }
}
