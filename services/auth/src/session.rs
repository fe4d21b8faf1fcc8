//! Sessions and their refresh tokens: when they end, and what a used token is still good for.

use rand::RngExt;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    config,
    error::{Error, Result, code},
};

/// Characters of a refresh token: base32 in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Length of a refresh token: 60 bits.
pub const REFRESH_TOKEN_CHARS: usize = 12;

/// A row of `auth.sessions`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Session {
    /// Identifies the session.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// When it began.
    pub created_at: Option<OffsetDateTime>,
    /// The second factor it was raised by.
    pub factor_id: Option<Uuid>,
    /// How sure we are who the user is.
    pub aal: Option<String>,
    /// When it ends at the latest.
    pub not_after: Option<OffsetDateTime>,
    /// Last refresh.
    pub refreshed_at: Option<OffsetDateTime>,
    /// Kind of client it belongs to.
    pub tag: Option<String>,
    /// The OAuth client that it is for.
    pub oauth_client_id: Option<Uuid>,
    /// What that client may know.
    pub scopes: Option<String>,
}

/// A row of `auth.refresh_tokens`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RefreshToken {
    /// Identifies the row; grows with time.
    pub id: i64,
    /// The token itself.
    pub token: String,
    /// The token it was exchanged for.
    pub parent: Option<String>,
    /// Whether it was used or taken back.
    pub revoked: bool,
    /// When that was.
    pub updated_at: OffsetDateTime,
    /// The session it belongs to.
    pub session_id: Option<Uuid>,
    /// Whose it is; a text in GoTrue's schema.
    pub user_id: Option<String>,
}

/// What a refresh token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// A new token.
    Rotate,
    /// The session's active token once more: the answer that held it was lost.
    Repeat(String),
    /// Nothing; somebody has a copy.
    Refuse,
}

impl Session {
    /// Fails when the session has ended by its own rules at `now`.
    pub fn check(&self, rules: &config::Sessions, now: OffsetDateTime) -> Result<()> {
        let created = self.created_at.unwrap_or(now);
        let refreshed = self.refreshed_at.unwrap_or(created);
        let is_over = |since: OffsetDateTime, limit: Option<Duration>| {
            limit.is_some_and(|limit| now > since + limit)
        };
        if self.not_after.is_some_and(|end| now > end) || is_over(created, rules.timebox) {
            return Err(expired(""));
        }
        if is_over(refreshed, rules.inactivity_timeout) {
            return Err(expired(" (Inactivity)"));
        }
        Ok(())
    }

    /// Whether a second factor was given.
    pub fn is_aal2(&self) -> bool {
        self.aal.as_deref().is_some_and(|aal| aal >= "aal2")
    }

    /// Which of `tags` the session counts for: its own if it is one of them, the first otherwise.
    pub fn tag<'a>(&self, tags: &'a [String]) -> Option<&'a str> {
        let own = tags.iter().find(|tag| self.tag.as_ref() == Some(*tag));
        own.or(tags.first()).map(String::as_str)
    }

    /// When the session was last used.
    pub fn last_used(&self) -> Option<OffsetDateTime> {
        self.refreshed_at.or(self.created_at)
    }
}

/// The refusal of a session that has ended, with GoTrue's words for why.
pub fn expired(why: &'static str) -> Error {
    let message = format!("Invalid Refresh Token: Session Expired{why}");
    Error::bad_request(code::SESSION_EXPIRED, message)
}

/// What `presented` is good for, when `active` is its session's newest token that is not revoked.
///
/// A client that lost our answer comes back with the parent of the active token; everybody may do
/// so once more within `reuse_interval`. Whoever comes later holds a copy.
pub fn exchange(
    presented: &RefreshToken,
    active: Option<&RefreshToken>,
    reuse_interval: Duration,
    now: OffsetDateTime,
) -> Exchange {
    if !presented.revoked {
        return Exchange::Rotate;
    }
    match active {
        Some(active) if active.parent.as_ref() == Some(&presented.token) => {
            Exchange::Repeat(active.token.clone())
        }
        _ if now <= presented.updated_at + reuse_interval => Exchange::Rotate,
        _ => Exchange::Refuse,
    }
}

/// A new refresh token.
pub fn new_refresh_token() -> String {
    let mut rng = rand::rng();
    (0..REFRESH_TOKEN_CHARS)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    fn token(name: &str, parent: Option<&str>, revoked: bool) -> RefreshToken {
        RefreshToken {
            id: 1,
            token: name.to_owned(),
            parent: parent.map(str::to_owned),
            revoked,
            updated_at: NOW - Duration::MINUTE,
            session_id: None,
            user_id: None,
        }
    }

    fn decide(presented: &RefreshToken, active: &RefreshToken, seconds: i64) -> Exchange {
        exchange(presented, Some(active), Duration::seconds(seconds), NOW)
    }

    #[test]
    fn an_unused_token_is_rotated() {
        let fresh = token("a", None, false);
        assert_eq!(decide(&fresh, &fresh, 0), Exchange::Rotate);
    }

    #[test]
    fn the_parent_of_the_active_token_yields_the_active_token_at_any_age() {
        let used = token("a", None, true);
        let active = token("b", Some("a"), false);
        assert_eq!(decide(&used, &active, 0), Exchange::Repeat("b".into()));
    }

    #[test]
    fn an_older_token_is_good_within_the_reuse_interval_only() {
        let used = token("a", None, true);
        let active = token("c", Some("b"), false);
        assert_eq!(decide(&used, &active, 60), Exchange::Rotate);
        assert_eq!(decide(&used, &active, 59), Exchange::Refuse);
    }

    #[test]
    fn a_session_ends_by_its_rules() {
        let session = Session {
            id: Uuid::nil(),
            user_id: Uuid::nil(),
            created_at: Some(NOW - Duration::HOUR),
            factor_id: None,
            aal: None,
            not_after: None,
            refreshed_at: Some(NOW - Duration::MINUTE),
            tag: None,
            oauth_client_id: None,
            scopes: None,
        };
        let rules = |timebox, inactivity_timeout| config::Sessions {
            rotation: true,
            reuse_interval: Duration::ZERO,
            timebox,
            inactivity_timeout,
            allow_low_aal: None,
            single_per_user: false,
            tags: Vec::new(),
        };
        let check = |timebox, inactivity| {
            let result = session.check(&rules(timebox, inactivity), NOW);
            result.map_err(|error| error.to_string())
        };
        assert_eq!(check(None, None), Ok(()));
        assert_eq!(
            check(Some(Duration::minutes(59)), None),
            Err("Invalid Refresh Token: Session Expired".to_owned())
        );
        assert_eq!(
            check(None, Some(Duration::seconds(59))),
            Err("Invalid Refresh Token: Session Expired (Inactivity)".to_owned())
        );
    }

    #[test]
    fn refresh_tokens_are_base32_and_differ() {
        let (one, other) = (new_refresh_token(), new_refresh_token());
        assert_ne!(one, other);
        assert_eq!(one.len(), REFRESH_TOKEN_CHARS);
        assert!(one.bytes().all(|byte| ALPHABET.contains(&byte)));
    }
}
