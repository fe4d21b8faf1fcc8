//! A user as an admin describes them.

use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    accounts::Contact,
    address,
    duration::GoDuration,
    error::{Error, Result},
    password,
    user::{Members, User},
};

/// A user as an admin describes them; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct AdminUser {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) aud: String,
    #[serde(default)]
    pub(super) role: String,
    #[serde(default)]
    pub(super) email: String,
    #[serde(default)]
    pub(super) phone: String,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub(super) password: Option<SecretString>,
    #[serde(default)]
    pub(super) password_hash: String,
    #[serde(default)]
    pub(super) email_confirm: bool,
    #[serde(default)]
    pub(super) phone_confirm: bool,
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    pub(super) user_metadata: Option<Members>,
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    pub(super) app_metadata: Option<Members>,
    #[serde(default)]
    pub(super) ban_duration: String,
}

impl AdminUser {
    pub(super) fn contacts(&self) -> Result<Vec<Contact>> {
        let mut contacts = Vec::new();
        if !self.email.is_empty() {
            contacts.push(Contact::Email(address::email(&self.email)?));
        }
        if !self.phone.is_empty() {
            contacts.push(Contact::Phone(address::phone(&self.phone)?));
        }
        Ok(contacts)
    }

    pub(super) fn confirms(&self, contact: &Contact) -> bool {
        match contact {
            Contact::Email(_) => self.email_confirm,
            Contact::Phone(_) => self.phone_confirm,
        }
    }

    /// The hash to store: of the given password, as given, or none.
    pub(super) async fn hash(&self, state: &AppState) -> Result<Option<String>> {
        match (&self.password, self.password_hash.as_str()) {
            (Some(_), hash) if !hash.is_empty() => Err(Error::invalid(
                "Only a password or a password hash should be provided",
            )),
            (Some(password), _) => {
                password::check_length(password)?;
                state.hasher().hash(password.clone()).await.map(Some)
            }
            (None, "") => Ok(None),
            (None, hash) => {
                password::hash::is_importable(hash)?;
                Ok(Some(hash.to_owned()))
            }
        }
    }

    pub(super) fn apply_ban(&self, user: &mut User, state: &AppState) -> Result<()> {
        match self.ban_duration.as_str() {
            "" => {}
            "none" => user.banned_until = None,
            text => {
                let GoDuration(duration) = text.parse().map_err(|error| {
                    Error::invalid(format!("invalid format for ban duration: {error}"))
                })?;
                let until = state.now().checked_add(duration);
                let too_long = || Error::invalid("invalid format for ban duration: too long");
                user.banned_until = Some(until.ok_or_else(too_long)?);
            }
        }
        Ok(())
    }
}

pub(super) fn parse_id(text: &str) -> Result<Uuid> {
    let id = Uuid::try_parse(text)
        .map_err(|_| Error::invalid("ID must conform to the uuid v4 format"))?;
    if id.is_nil() {
        return Err(Error::invalid("ID cannot be a nil uuid"));
    }
    Ok(id)
}
