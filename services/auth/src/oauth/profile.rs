//! What a provider says about its user.

use serde_json::{Map, Value, json};

use super::{
    rules::{Emails, Rules, Verified},
    template,
};
use crate::user::Members;

/// Names that GoTrue gave some claims before it took those of OpenID Connect.
const ALIASES: [(&str, &str); 3] = [
    ("full_name", "name"),
    ("avatar_url", "picture"),
    ("provider_id", "sub"),
];

/// Most addresses that are looked at.
const MAX_EMAILS: usize = 50;

/// A user of a provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Who the user is to the provider; never empty.
    pub subject: String,
    /// The user's addresses.
    pub emails: Vec<Email>,
    /// Everything the provider says, in GoTrue's claims.
    pub claims: Members,
}

/// An address of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Email {
    /// The address, in lower case.
    pub address: String,
    /// Whether the provider has been shown that it is the user's.
    pub verified: bool,
    /// Whether it is the user's first.
    pub primary: bool,
}

impl Profile {
    /// What `answer` says, as far as `rules` know; none when it does not say who the user is.
    pub fn read(rules: &Rules, answer: &Value) -> Option<Self> {
        let answer = template::lookup(rules.root, answer)?;
        let mut claims = Map::new();
        for (name, template) in rules.claims {
            if let Some(text) = template::text(template, answer) {
                claims.insert((*name).to_owned(), Value::String(text));
            }
        }
        let subject = claims.get("sub")?.as_str()?.to_owned();
        let mut emails = Vec::new();
        if let Some(address) = template::text(rules.email, answer) {
            emails.push(Email {
                address: address.to_lowercase(),
                verified: is_verified(rules.verified, answer),
                primary: true,
            });
        }
        Some(Self {
            subject,
            emails,
            claims,
        })
    }

    /// Adds the addresses of a list; what the list says about an address counts.
    pub fn add_emails(&mut self, emails: &Emails, answer: &Value) {
        let list = template::lookup(emails.root, answer).and_then(Value::as_array);
        for entry in list.into_iter().flatten().take(MAX_EMAILS) {
            let Some(address) = template::text("email", entry) else {
                continue;
            };
            let address = address.to_lowercase();
            self.emails.retain(|email| email.address != address);
            self.emails.push(Email {
                address,
                verified: template::is_true(emails.verified, entry),
                primary: template::is_true(emails.primary, entry),
            });
        }
    }

    /// Takes over what an operator's mapping says: claims of ours and the members they come from.
    pub fn map(&mut self, mapping: &Members, answer: &Value) {
        for (name, source) in mapping {
            let value = match source {
                Value::String(path) => template::lookup(path, answer).cloned(),
                literal => Some(literal.clone()),
            };
            if let Some(value) = value {
                self.claims.insert(name.clone(), value);
            }
        }
        if let Some(subject) = template::text("sub", &Value::Object(self.claims.clone())) {
            self.subject = subject;
        }
        let claims = Value::Object(self.claims.clone());
        let address = ["email", "email_verified"]
            .iter()
            .any(|name| mapping.contains_key(*name));
        if address && let Some(address) = template::text("email", &claims).or(self.address()) {
            self.emails = vec![Email {
                address: address.to_lowercase(),
                verified: template::is_true("email_verified", &claims),
                primary: true,
            }];
        }
    }

    /// The address to go by: the first one, or whichever there is.
    pub fn email(&self) -> Option<&Email> {
        let primary = self.emails.iter().find(|email| email.primary);
        primary.or(self.emails.first())
    }

    /// The addresses that were shown to be the user's.
    pub fn verified(&self) -> Vec<String> {
        let verified = self.emails.iter().filter(|email| email.verified);
        verified.map(|email| email.address.clone()).collect()
    }

    /// What is kept about the user: of an identity, and in their own data.
    pub fn identity_data(&self) -> Members {
        let mut data = self.claims.clone();
        for (alias, name) in ALIASES {
            if let (false, Some(value)) = (data.contains_key(alias), data.get(name).cloned()) {
                data.insert(alias.to_owned(), value);
            }
        }
        data.insert("sub".to_owned(), json!(self.subject));
        data.insert("email_verified".to_owned(), json!(false));
        data.insert("phone_verified".to_owned(), json!(false));
        if let Some(email) = self.email() {
            data.insert("email".to_owned(), json!(email.address));
            data.insert("email_verified".to_owned(), json!(email.verified));
        }
        data
    }

    fn address(&self) -> Option<String> {
        self.email().map(|email| email.address.clone())
    }
}

fn is_verified(verified: Verified, answer: &Value) -> bool {
    match verified {
        Verified::Always => true,
        Verified::Never => false,
        Verified::When(paths) => paths.iter().all(|path| template::is_true(path, answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::{catalogue::NAMED, rules::STANDARD};

    fn rules(name: &str) -> &'static Rules {
        let named = NAMED.iter().find(|named| named.name == name);
        &named.unwrap().rules
    }

    #[test]
    fn a_profile_of_openid_connect_is_read() {
        let answer = json!({
            "iss": "https://id.example.com", "sub": "7", "name": "Ada", "picture": "https://a/b",
            "email": "Ada@Example.com", "email_verified": "true", "aud": "x", "nonce": "y",
        });
        let profile = Profile::read(&STANDARD, &answer).unwrap();
        assert_eq!(profile.verified(), ["ada@example.com"]);
        let expected = json!({
            "iss": "https://id.example.com", "sub": "7", "provider_id": "7", "name": "Ada",
            "full_name": "Ada", "picture": "https://a/b", "avatar_url": "https://a/b",
            "email": "ada@example.com", "email_verified": true, "phone_verified": false,
        });
        assert_eq!(Value::Object(profile.identity_data()), expected);
    }

    #[test]
    fn an_address_counts_as_the_users_only_when_the_provider_says_so() {
        for (name, answer, verified) in [
            (
                "discord",
                json!({"id": "1", "email": "a@b.c", "verified": true}),
                true,
            ),
            ("discord", json!({"id": "1", "email": "a@b.c"}), false),
            (
                "gitlab",
                json!({"id": 1, "email": "a@b.c", "confirmed_at": "2020"}),
                true,
            ),
            (
                "gitlab",
                json!({"id": 1, "email": "a@b.c", "confirmed_at": null}),
                false,
            ),
            (
                "azure",
                json!({"sub": "1", "email": "a@b.c", "email_verified": true}),
                false,
            ),
            (
                "azure",
                json!({"sub": "1", "email": "a@b.c", "xms_edov": "1"}),
                true,
            ),
            ("spotify", json!({"id": "1", "email": "a@b.c"}), false),
            ("google", json!({"sub": "1", "email": "a@b.c"}), false),
        ] {
            let profile = Profile::read(rules(name), &answer).unwrap();
            assert_eq!(profile.emails[0].verified, verified, "{name} {answer}");
        }
    }

    #[test]
    fn a_list_of_addresses_is_believed_over_the_profile() {
        let github = rules("github");
        let answer = json!({"id": 1, "login": "ada", "email": "public@example.com"});
        let mut profile = Profile::read(github, &answer).unwrap();
        let list = json!([
            {"email": "old@example.com", "primary": false, "verified": true},
            {"email": "Ada@example.com", "primary": true, "verified": false},
        ]);
        profile.add_emails(&github.emails.unwrap(), &list);
        assert_eq!(profile.email().unwrap().address, "ada@example.com");
        assert_eq!(profile.verified(), ["old@example.com"]);
        assert_eq!(profile.identity_data()["email_verified"], false);
    }

    #[test]
    fn a_profile_without_a_subject_is_none() {
        assert_eq!(Profile::read(&STANDARD, &json!({"email": "a@b.c"})), None);
        assert_eq!(Profile::read(rules("twitch"), &json!({"data": []})), None);
    }

    #[test]
    fn an_operator_names_the_members_claims_come_from() {
        let answer = json!({"sub": "1", "user": {"mail": "A@b.c", "ok": true, "nick": "ada"}});
        let mut profile = Profile::read(&STANDARD, &answer).unwrap();
        let mapping = json!({
            "email": "user.mail", "email_verified": "user.ok", "nickname": "user.nick",
        });
        profile.map(mapping.as_object().unwrap(), &answer);
        assert_eq!(profile.verified(), ["a@b.c"]);
        assert_eq!(profile.claims["nickname"], "ada");
    }
}
