//! Users made, confirmed and emptied, within a caller's transaction.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    error::Result,
    store::{self, identities::NewIdentity},
    user::{Members, User, merge},
};

/// How a user can be reached, and signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// E-mail address in lower case.
    Email(String),
    /// Phone number without `+`.
    Phone(String),
}

impl Contact {
    /// Name of the provider of identities of this kind.
    pub fn provider(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Phone(_) => "phone",
        }
    }

    /// The address or number.
    pub fn address(&self) -> &str {
        match self {
            Self::Email(address) | Self::Phone(address) => address,
        }
    }

    /// Whoever has this address or number.
    pub async fn holder(
        &self,
        connection: &mut PgConnection,
        audience: &str,
    ) -> sqlx::Result<Option<User>> {
        match self {
            Self::Email(email) => store::users::claiming_email(connection, email, audience).await,
            Self::Phone(phone) => store::users::by_phone(connection, phone, audience).await,
        }
    }

    /// Whoever signs in with this address or number, nobody else changing them until the
    /// transaction ends.
    pub async fn lock(
        &self,
        connection: &mut PgConnection,
        audience: &str,
    ) -> sqlx::Result<Option<User>> {
        match self.user(connection, audience).await? {
            Some(user) => store::users::lock(connection, user.id).await,
            None => Ok(None),
        }
    }

    /// Whoever signs in with this address or number.
    pub async fn user(
        &self,
        connection: &mut PgConnection,
        audience: &str,
    ) -> sqlx::Result<Option<User>> {
        match self {
            Self::Email(email) => store::users::by_email(connection, email, audience).await,
            Self::Phone(phone) => store::users::by_phone(connection, phone, audience).await,
        }
    }

    /// Whether `user` has shown that it is theirs.
    pub fn is_confirmed_by(&self, user: &User) -> bool {
        match self {
            Self::Email(_) => user.email_confirmed_at.is_some(),
            Self::Phone(_) => user.phone_confirmed_at.is_some(),
        }
    }
}

/// Somebody about to be signed up, as they will be stored.
pub fn draft(mut user: User, contact: &Contact, data: Members) -> User {
    match contact {
        Contact::Email(email) => user.email = Some(email.clone()),
        Contact::Phone(phone) => user.phone = Some(phone.clone()),
    }
    let data = merge(data, identity_data(user.id, contact));
    user.raw_app_meta_data = Some(Json(providers(&[contact.provider()])));
    user.raw_user_meta_data = Some(Json(data));
    user
}

/// Signs up whom [`draft`] describes: the user and their identity.
pub async fn create(
    connection: &mut PgConnection,
    draft: &User,
    contact: &Contact,
    now: OffsetDateTime,
) -> Result<User> {
    let user = store::users::insert(connection, draft).await?;
    add_identity(connection, user.id, contact, user.user_metadata(), now).await?;
    Ok(user)
}

/// Adds the identity of an address or number.
pub async fn add_identity(
    connection: &mut PgConnection,
    user: Uuid,
    contact: &Contact,
    data: Members,
    now: OffsetDateTime,
) -> Result<()> {
    let new = NewIdentity {
        user_id: user,
        provider: contact.provider(),
        provider_id: &user.to_string(),
        data,
    };
    store::identities::insert(connection, new, now).await?;
    Ok(())
}

/// Makes the identity of `contact`'s kind say what the user's row says, or makes one.
pub async fn set_identity(
    connection: &mut PgConnection,
    user: Uuid,
    contact: &Contact,
    changes: Members,
    now: OffsetDateTime,
) -> Result<()> {
    let subject = user.to_string();
    let known = store::identities::of_provider(connection, contact.provider(), &subject).await?;
    if let Some(identity) = known {
        let data = merge(identity.identity_data.0, changes);
        store::identities::update_data(connection, identity.id, &data, now).await?;
    } else {
        let data = merge(identity_data(user, contact), changes);
        add_identity(connection, user, contact, data, now).await?;
    }
    Ok(())
}

/// What an identity of ours says about its subject before anything is confirmed.
pub fn identity_data(user: Uuid, contact: &Contact) -> Members {
    let mut data = Map::from_iter([
        ("sub".to_owned(), json!(user)),
        ("email_verified".to_owned(), json!(false)),
        ("phone_verified".to_owned(), json!(false)),
    ]);
    data.insert(contact.provider().to_owned(), json!(contact.address()));
    data
}

/// The part of the app metadata that lists how a user signs in.
pub fn providers(names: &[&str]) -> Members {
    let mut data = Map::new();
    if let Some(first) = names.first() {
        data.insert("provider".to_owned(), json!(first));
        data.insert("providers".to_owned(), json!(names));
    }
    data
}

/// Brings the list of providers up to date with the user's identities.
pub async fn refresh_providers(connection: &mut PgConnection, user: &mut User) -> Result<()> {
    let identities = store::identities::of_users(connection, &[user.id]).await?;
    let mut names: Vec<&str> = Vec::new();
    for identity in &identities {
        if !names.contains(&identity.provider.as_str()) {
            names.push(&identity.provider);
        }
    }
    user.raw_app_meta_data = Some(Json(merge(user.app_metadata(), providers(&names))));
    Ok(())
}

/// Notes that the user has shown the address or number to be theirs. The caller saves the user.
pub async fn confirm(
    connection: &mut PgConnection,
    user: &mut User,
    contact: &Contact,
    now: OffsetDateTime,
) -> Result<()> {
    let verified = match contact {
        Contact::Email(_) => {
            user.email_confirmed_at = Some(now);
            "email_verified"
        }
        Contact::Phone(_) => {
            user.phone_confirmed_at = Some(now);
            "phone_verified"
        }
    };
    user.confirmation_token = None;
    let shown = Map::from_iter([(verified.to_owned(), Value::Bool(true))]);
    user.raw_user_meta_data = Some(Json(merge(user.user_metadata(), shown)));
    store::one_time_tokens::delete(
        connection,
        user.id,
        store::one_time_tokens::Kind::Confirmation,
    )
    .await?;
    Ok(())
}

/// Takes back every token that was sent to a user. The caller saves the user.
pub async fn revoke_one_time_tokens(connection: &mut PgConnection, user: &mut User) -> Result<()> {
    user.confirmation_token = None;
    user.recovery_token = None;
    user.email_change_token_new = None;
    user.email_change_token_current = None;
    user.phone_change_token = None;
    user.reauthentication_token = None;
    store::one_time_tokens::delete_of_user(connection, user.id).await?;
    Ok(())
}

/// Empties an account but keeps its row, for those who must remember that it existed.
pub async fn empty(
    connection: &mut PgConnection,
    user: &mut User,
    now: OffsetDateTime,
) -> Result<()> {
    revoke_one_time_tokens(connection, user).await?;
    let id = user.id;
    for value in [
        &mut user.email,
        &mut user.phone,
        &mut user.email_change,
        &mut user.phone_change,
    ] {
        *value = value
            .take()
            .filter(|text| !text.is_empty())
            .map(|text| obfuscated(id, &text));
    }
    user.encrypted_password = None;
    user.raw_app_meta_data = Some(Json(Map::new()));
    user.raw_user_meta_data = Some(Json(Map::new()));
    user.deleted_at = Some(now);
    for identity in store::identities::of_users(connection, &[id]).await? {
        let subject = obfuscated(id, &identity.provider_id);
        store::identities::obfuscate(connection, identity.id, &subject, now).await?;
    }
    store::factors::delete_of_user(connection, id).await?;
    store::passkeys::delete_of_user(connection, id).await?;
    store::flow_states::delete_of_user(connection, id).await?;
    store::sessions::delete_of_user(connection, id, None).await?;
    Ok(())
}

/// Stands for a value without telling it.
fn obfuscated(user: Uuid, value: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{user}{value}")))
}
