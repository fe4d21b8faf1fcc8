//! A user, as stored and as shown.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    factor::FactorView,
    identity::{Identity, IdentityView},
};

/// Members of a JSON object.
pub type Members = Map<String, Value>;

/// A row of `auth.users`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct User {
    /// Identifies the user everywhere.
    pub id: Uuid,
    /// Who the user's tokens are for.
    pub aud: Option<String>,
    /// Database role of the user's tokens.
    pub role: Option<String>,
    /// E-mail address, in lower case.
    pub email: Option<String>,
    /// Hash of the password, or nothing.
    pub encrypted_password: Option<String>,
    /// When the address was confirmed.
    pub email_confirmed_at: Option<OffsetDateTime>,
    /// When an admin invited the user.
    pub invited_at: Option<OffsetDateTime>,
    /// Hash that confirms the address.
    pub confirmation_token: Option<String>,
    /// When it was sent.
    pub confirmation_sent_at: Option<OffsetDateTime>,
    /// Hash that lets the user in without a password.
    pub recovery_token: Option<String>,
    /// When it was sent.
    pub recovery_sent_at: Option<OffsetDateTime>,
    /// Hash sent to the new address.
    pub email_change_token_new: Option<String>,
    /// The new address, until it is confirmed.
    pub email_change: Option<String>,
    /// When the change was begun.
    pub email_change_sent_at: Option<OffsetDateTime>,
    /// Hash sent to the present address.
    pub email_change_token_current: Option<String>,
    /// How many of the two were confirmed.
    pub email_change_confirm_status: Option<i16>,
    /// Last sign-in.
    pub last_sign_in_at: Option<OffsetDateTime>,
    /// What only servers may change.
    pub raw_app_meta_data: Option<Json<Members>>,
    /// What the user may change.
    pub raw_user_meta_data: Option<Json<Members>>,
    /// When the row was made.
    pub created_at: Option<OffsetDateTime>,
    /// When the row was changed.
    pub updated_at: Option<OffsetDateTime>,
    /// Phone number, without `+`.
    pub phone: Option<String>,
    /// When the number was confirmed.
    pub phone_confirmed_at: Option<OffsetDateTime>,
    /// The new number, until it is confirmed.
    pub phone_change: Option<String>,
    /// Hash sent to the new number.
    pub phone_change_token: Option<String>,
    /// When it was sent.
    pub phone_change_sent_at: Option<OffsetDateTime>,
    /// The earlier of the two confirmations.
    pub confirmed_at: Option<OffsetDateTime>,
    /// End of a ban.
    pub banned_until: Option<OffsetDateTime>,
    /// Hash that confirms a change of password.
    pub reauthentication_token: Option<String>,
    /// When it was sent.
    pub reauthentication_sent_at: Option<OffsetDateTime>,
    /// Whether single sign-on owns the account.
    pub is_sso_user: bool,
    /// When the account was emptied.
    pub deleted_at: Option<OffsetDateTime>,
    /// Whether the user gave nothing about themselves.
    pub is_anonymous: bool,
}

/// A user with what belongs to them, as shown to clients.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserView {
    id: Uuid,
    aud: String,
    role: String,
    email: String,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    email_confirmed_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    invited_at: Option<OffsetDateTime>,
    phone: String,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    phone_confirmed_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    confirmation_sent_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    confirmed_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    recovery_sent_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "String::is_empty")]
    new_email: String,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    email_change_sent_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "String::is_empty")]
    new_phone: String,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    phone_change_sent_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    reauthentication_sent_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    last_sign_in_at: Option<OffsetDateTime>,
    #[schema(value_type = Object)]
    app_metadata: Members,
    #[schema(value_type = Object)]
    user_metadata: Members,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    factors: Vec<FactorView>,
    identities: Vec<IdentityView>,
    #[serde(with = "time::serde::rfc3339::option")]
    created_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    banned_until: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    deleted_at: Option<OffsetDateTime>,
    is_anonymous: bool,
}

impl User {
    /// Somebody about whom nothing is known yet.
    pub fn new(audience: &str, role: &str, now: OffsetDateTime) -> Self {
        Self {
            id: Uuid::new_v4(),
            aud: Some(audience.to_owned()),
            role: Some(role.to_owned()),
            email: None,
            encrypted_password: None,
            email_confirmed_at: None,
            invited_at: None,
            confirmation_token: None,
            confirmation_sent_at: None,
            recovery_token: None,
            recovery_sent_at: None,
            email_change_token_new: None,
            email_change: None,
            email_change_sent_at: None,
            email_change_token_current: None,
            email_change_confirm_status: None,
            last_sign_in_at: None,
            raw_app_meta_data: None,
            raw_user_meta_data: None,
            created_at: Some(now),
            updated_at: Some(now),
            phone: None,
            phone_confirmed_at: None,
            phone_change: None,
            phone_change_token: None,
            phone_change_sent_at: None,
            confirmed_at: None,
            banned_until: None,
            reauthentication_token: None,
            reauthentication_sent_at: None,
            is_sso_user: false,
            deleted_at: None,
            is_anonymous: false,
        }
    }

    /// The address, empty when there is none.
    pub fn email(&self) -> &str {
        self.email.as_deref().unwrap_or_default()
    }

    /// The number, empty when there is none.
    pub fn phone(&self) -> &str {
        self.phone.as_deref().unwrap_or_default()
    }

    /// The address, or else the number.
    pub fn contact(&self) -> &str {
        if self.email().is_empty() {
            self.phone()
        } else {
            self.email()
        }
    }

    /// The audience, empty when there is none.
    pub fn audience(&self) -> &str {
        self.aud.as_deref().unwrap_or_default()
    }

    /// Whether a ban is in force at `now`.
    pub fn is_banned(&self, now: OffsetDateTime) -> bool {
        self.banned_until.is_some_and(|until| now < until)
    }

    /// What only servers may change.
    pub fn app_metadata(&self) -> Members {
        self.raw_app_meta_data
            .as_deref()
            .cloned()
            .unwrap_or_default()
    }

    /// What the user may change.
    pub fn user_metadata(&self) -> Members {
        self.raw_user_meta_data
            .as_deref()
            .cloned()
            .unwrap_or_default()
    }

    /// Whether the user has a password.
    pub fn has_password(&self) -> bool {
        self.encrypted_password
            .as_deref()
            .is_some_and(|hash| !hash.is_empty())
    }

    /// The user as clients see them.
    pub fn view(self, identities: Vec<Identity>, factors: Vec<FactorView>) -> UserView {
        UserView {
            id: self.id,
            aud: self.aud.unwrap_or_default(),
            role: self.role.unwrap_or_default(),
            email: self.email.unwrap_or_default(),
            email_confirmed_at: self.email_confirmed_at,
            invited_at: self.invited_at,
            phone: self.phone.unwrap_or_default(),
            phone_confirmed_at: self.phone_confirmed_at,
            confirmation_sent_at: self.confirmation_sent_at,
            confirmed_at: self.confirmed_at,
            recovery_sent_at: self.recovery_sent_at,
            new_email: self.email_change.unwrap_or_default(),
            email_change_sent_at: self.email_change_sent_at,
            new_phone: self.phone_change.unwrap_or_default(),
            phone_change_sent_at: self.phone_change_sent_at,
            reauthentication_sent_at: self.reauthentication_sent_at,
            last_sign_in_at: self.last_sign_in_at,
            app_metadata: self
                .raw_app_meta_data
                .map_or_else(Map::new, |Json(data)| data),
            user_metadata: self
                .raw_user_meta_data
                .map_or_else(Map::new, |Json(data)| data),
            factors,
            identities: identities.into_iter().map(IdentityView::from).collect(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            banned_until: self.banned_until,
            deleted_at: self.deleted_at,
            is_anonymous: self.is_anonymous,
        }
    }
}

impl UserView {
    /// Shown to whoever signs up with a confirmed user's address or number: nothing in it is real,
    /// and nothing but the missing identities tells.
    pub fn decoy(mut user: User, provider: &str, now: OffsetDateTime) -> Self {
        let app_metadata = Map::from_iter([
            ("provider".to_owned(), json!(provider)),
            ("providers".to_owned(), json!([provider])),
        ]);
        user.role = None;
        user.confirmation_sent_at = Some(now);
        user.raw_app_meta_data = Some(Json(app_metadata));
        user.view(Vec::new(), Vec::new())
    }

    /// Without what an admin may have said about somebody they invited.
    pub fn without_details(mut self) -> Self {
        self.user_metadata.clear();
        self.identities.clear();
        self
    }

    /// Identifies the user everywhere.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

/// Puts `changes` over `data`; a null removes its member.
pub fn merge(mut data: Members, changes: Members) -> Members {
    for (name, value) in changes {
        if value.is_null() {
            data.remove(&name);
        } else {
            data.insert(name, value);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_replaces_and_null_removes() {
        let members = |value: Value| value.as_object().cloned().unwrap();
        let data = members(json!({"a": 1, "b": {"x": 1}, "c": 3}));
        let changes = members(json!({"b": {"y": 2}, "c": null, "d": 4}));
        let expected = members(json!({"a": 1, "b": {"y": 2}, "d": 4}));
        assert_eq!(merge(data, changes), expected);
    }
}
