//! The points at which hooks are asked: what they are told, and what their answers mean.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::ask;
use crate::{
    AppState,
    accounts::Contact,
    config::hooks::Hook,
    error::{Error, Result, code},
    factor::Factor,
    hooks::claims,
    issuance::Issuance,
    jwt::Claims,
    mails::{Mail, Purpose},
    request::Origin,
    store,
    user::{Members, User},
};

/// A text message.
#[derive(Clone, Debug)]
pub struct Sms<'a> {
    /// Number it goes to, without `+`.
    pub phone: &'a str,
    /// The code in it.
    pub otp: &'a str,
    /// What it is for, such as `phone_change`; empty leaves it out.
    pub kind: &'a str,
}

/// What a hook is asked about an access token.
#[derive(Clone, Debug)]
pub struct Question {
    claims: Claims,
    method: String,
    origin: Origin,
}

/// What a hook thinks of an attempt.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Verdict {
    decision: String,
    message: String,
    should_logout_user: bool,
}

/// Asks whether `user`, who is about to be made, may be.
pub async fn before_user_created(state: &AppState, user: &User, origin: &Origin) -> Result<()> {
    let Some(hook) = &state.hooks().config().before_user_created else {
        return Ok(());
    };
    let view = user.clone().view(Vec::new(), Vec::new());
    let input = input(
        state,
        "before-user-created",
        origin,
        [("user", json!(view))],
    );
    ask(state, None, hook, &input).await.map(drop)
}

/// Tells that `user` was made. That stays so whatever the hook answers.
pub async fn after_user_created(state: &AppState, user: &User, origin: &Origin) {
    let Some(hook) = &state.hooks().config().after_user_created else {
        return;
    };
    let view = user.clone().view(Vec::new(), Vec::new());
    let members = [("user", json!(view))];
    let input = input(state, "after-user-created", origin, members);
    if let Err(error) = ask(state, None, hook, &input).await {
        common::error::log(&error);
    }
}

/// Tells that `user` was made, if it is the one who was to be.
pub async fn after_draft_created(state: &AppState, draft: &User, user: Uuid, origin: &Origin) {
    if draft.id == user {
        after_user_created(state, draft, origin).await;
    }
}

/// Asks whether `user` may be made, unless somebody has the address or number already.
pub async fn before_contact_created(
    state: &AppState,
    user: &User,
    contact: &Contact,
    origin: &Origin,
) -> Result<()> {
    if state.hooks().config().before_user_created.is_none() {
        return Ok(());
    }
    let holder = {
        let mut connection = state.store().connection().await?;
        contact.holder(&mut connection, user.audience()).await?
    };
    match holder {
        Some(_) => Ok(()),
        None => before_user_created(state, user, origin).await,
    }
}

/// The claims of an access token as the hook wants them. A function takes part in the transaction of
/// `connection`; a server is asked while there is none.
pub async fn custom_access_token(
    issuance: &Issuance<'_>,
    connection: &mut PgConnection,
    claims: &Claims,
    (method, origin): (&str, &Origin),
) -> Result<Option<Members>> {
    let state = issuance.state();
    let Some(hook) = &state.hooks().config().custom_access_token else {
        return Ok(None);
    };
    let question = Question {
        claims: claims.clone(),
        method: method.to_owned(),
        origin: origin.clone(),
    };
    match hook {
        Hook::Http { .. } => issuance.answer(question),
        Hook::Function { .. } => question.ask(state, Some(connection)).await,
    }
}

/// Hands a mail to the hook; tells whether there is one.
pub async fn send_email(state: &AppState, mails: &[Mail], origin: &Origin) -> Result<bool> {
    let Some(hook) = &state.hooks().config().send_email else {
        return Ok(false);
    };
    let Some(mail) = mails.first() else {
        return Ok(true);
    };
    let user = user(state, mail.user_id).await?;
    let data = email_data(state, mails, mail);
    let members = [("user", user), ("email_data", data)];
    let input = input(state, "send-email", origin, members);
    ask(state, None, hook, &input).await?;
    Ok(true)
}

/// Hands a text message to the hook; tells whether there is one.
pub async fn send_sms(
    state: &AppState,
    user_id: Uuid,
    sms: &Sms<'_>,
    origin: &Origin,
) -> Result<bool> {
    let Some(hook) = &state.hooks().config().send_sms else {
        return Ok(false);
    };
    let mut data = Map::new();
    for (name, value) in [
        ("otp", sms.otp),
        ("sms_type", sms.kind),
        ("phone", sms.phone),
    ] {
        if !value.is_empty() {
            data.insert(name.to_owned(), json!(value));
        }
    }
    let members = [
        ("user", user(state, user_id).await?),
        ("sms", Value::Object(data)),
    ];
    let input = input(state, "send-sms", origin, members);
    ask(state, None, hook, &input).await?;
    Ok(true)
}

/// Tells about an attempt at a password. Fails when the hook wants no more of them, whether it was
/// right or not.
pub async fn password_verification_attempt(
    state: &AppState,
    user_id: Uuid,
    valid: bool,
    origin: &Origin,
) -> Result<()> {
    let Some(hook) = &state.hooks().config().password_verification_attempt else {
        return Ok(());
    };
    let members = [("user_id", json!(user_id)), ("valid", json!(valid))];
    let input = input(state, "password-verification", origin, members);
    let verdict = verdict(ask(state, None, hook, &input).await?)?;
    if !verdict.is_rejection() {
        return Ok(());
    }
    if verdict.should_logout_user {
        log_out(state, user_id).await?;
    }
    let message = verdict.or("Further password verification attempts will be rejected.");
    Err(Error::bad_request(code::INVALID_CREDENTIALS, message))
}

/// Tells about an attempt at a second factor. Fails, and ends the user's sessions, when the hook
/// wants no more of them.
pub async fn mfa_verification_attempt(
    state: &AppState,
    factor: &Factor,
    valid: bool,
    origin: &Origin,
) -> Result<()> {
    let Some(hook) = &state.hooks().config().mfa_verification_attempt else {
        return Ok(());
    };
    let members = [
        ("user_id", json!(factor.user_id)),
        ("factor_id", json!(factor.id)),
        ("factor_type", json!(factor.factor_type)),
        ("valid", json!(valid)),
    ];
    let input = input(state, "mfa-verification", origin, members);
    let verdict = verdict(ask(state, None, hook, &input).await?)?;
    if !verdict.is_rejection() {
        return Ok(());
    }
    log_out(state, factor.user_id).await?;
    let message = verdict.or("Further MFA verification attempts will be rejected.");
    Err(Error::forbidden(code::MFA_VERIFICATION_REJECTED, message))
}

impl Question {
    /// Whether the answer to one is the answer to the other.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.claims, &self.method) == (&other.claims, &other.method)
    }

    /// The claims as the hook wants them, if there is one.
    pub async fn ask(
        &self,
        state: &AppState,
        connection: Option<&mut PgConnection>,
    ) -> Result<Option<Members>> {
        let Some(hook) = &state.hooks().config().custom_access_token else {
            return Ok(None);
        };
        let members = [
            ("user_id", json!(self.claims.sub)),
            ("claims", json!(self.claims)),
            ("authentication_method", json!(self.method)),
        ];
        let input = input(state, "customize-access-token", &self.origin, members);
        let answer = ask(state, connection, hook, &input).await?;
        claims::checked(answer).map(Some)
    }
}

impl Verdict {
    fn is_rejection(&self) -> bool {
        self.decision == "reject"
    }

    fn or(self, default: &str) -> String {
        if self.message.is_empty() {
            default.to_owned()
        } else {
            self.message
        }
    }
}

/// What a hook is told, and about which request.
fn input<const N: usize>(
    state: &AppState,
    name: &str,
    origin: &Origin,
    members: [(&str, Value); N],
) -> Value {
    let mut metadata = Map::from_iter([
        ("uuid".to_owned(), json!(Uuid::new_v4())),
        ("time".to_owned(), json!(state.now().format(&Rfc3339).ok())),
        ("name".to_owned(), json!(name)),
    ]);
    if let Some(ip) = origin.ip {
        metadata.insert("ip_address".to_owned(), json!(ip.to_string()));
    }
    let mut input = Map::from_iter([("metadata".to_owned(), Value::Object(metadata))]);
    input.extend(members.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(input)
}

/// The two mails of a change of address are one to a hook; the names of their tokens are crossed,
/// as GoTrue has them.
fn email_data(state: &AppState, mails: &[Mail], mail: &Mail) -> Value {
    let of = |purpose| mails.iter().find(|mail| mail.purpose == purpose);
    let (new, current) = (of(Purpose::EmailChangeNew), of(Purpose::EmailChangeCurrent));
    let (token, token_new, token_hash_new) = match (new, current) {
        (Some(new), Some(current)) => (&current.code, new.code.as_str(), current.token.as_str()),
        _ => (&mail.code, "", ""),
    };
    let old_email = if new.is_some() {
        mail.email.as_str()
    } else {
        ""
    };
    json!({
        "token": token,
        "token_hash": new.unwrap_or(mail).token,
        "redirect_to": mail.redirect_to,
        "email_action_type": mail.purpose.verification_type(),
        "site_url": state.config().external_url.as_str().trim_end_matches('/'),
        "token_new": token_new,
        "token_hash_new": token_hash_new,
        "old_email": old_email,
        "old_phone": "",
        "provider": "",
        "factor_type": "",
    })
}

/// A user with what belongs to them.
async fn user(state: &AppState, id: Uuid) -> Result<Value> {
    let mut connection = state.store().connection().await?;
    let user = store::users::by_id(&mut connection, id).await?;
    Ok(match user {
        Some(user) => json!(store::users::view(&mut connection, user).await?),
        None => Value::Null,
    })
}

async fn log_out(state: &AppState, user: Uuid) -> Result<()> {
    let mut connection = state.store().connection().await?;
    store::sessions::delete_of_user(&mut connection, user, None).await?;
    Ok(())
}

/// Nothing said is no objection.
fn verdict(answer: Value) -> Result<Verdict> {
    if answer.is_null() {
        return Ok(Verdict::default());
    }
    serde_json::from_value(answer).map_err(|error| {
        Error::Internal(anyhow::Error::new(error).context("a hook's verdict cannot be read"))
    })
}
