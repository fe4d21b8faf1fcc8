//! One-time tokens used: what each kind changes, and what its user gets for it.

use serde_json::{Map, Value, json};
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;

use crate::{
    AppState,
    accounts::{self, Contact},
    audit::{self, Action, Actor},
    error::{Error, Result, code},
    grant::{self, Granted},
    issuance::{Issuance, issue},
    pkce,
    request::Origin,
    store::{
        self,
        one_time_tokens::{self, Found, Kind},
    },
    user::{User, merge},
};

/// What a client says it verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// The address of a new account.
    Signup,
    /// An invitation.
    Invite,
    /// A lost password.
    Recovery,
    /// A sign-in without a password.
    MagicLink,
    /// A new address.
    EmailChange,
    /// Whatever of the first and the middle two it is.
    Email,
    /// A number, for which a code was sent.
    Sms,
    /// A new number.
    PhoneChange,
}

/// What a used token leads to.
#[derive(Debug)]
pub enum Verified {
    /// A session.
    Tokens(Box<Granted>),
    /// A code that only the requester can exchange.
    Code(String),
    /// Nothing yet: the other address must confirm too.
    HalfWay,
}

impl Type {
    /// The type of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "signup" => Self::Signup,
            "invite" => Self::Invite,
            "recovery" => Self::Recovery,
            "magiclink" => Self::MagicLink,
            "email_change" => Self::EmailChange,
            "email" => Self::Email,
            "sms" => Self::Sms,
            "phone_change" => Self::PhoneChange,
            _ => return None,
        })
    }

    /// Whether its codes are sent to a number.
    pub fn is_by_phone(self) -> bool {
        matches!(self, Self::Sms | Self::PhoneChange)
    }

    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Signup | Self::Invite | Self::Sms => &[Kind::Confirmation],
            Self::PhoneChange => &[Kind::PhoneChange],
            Self::Recovery | Self::MagicLink => &[Kind::Recovery],
            Self::EmailChange => &[Kind::EmailChangeNew, Kind::EmailChangeCurrent],
            Self::Email => &[Kind::Confirmation, Kind::Recovery],
        }
    }

    /// How a session that begins with it through PKCE says it began.
    fn method(self, kind: Kind) -> &'static str {
        match self {
            Self::Signup => "email/signup",
            Self::Invite => "invite",
            Self::Recovery => "recovery",
            Self::EmailChange => "email_change",
            Self::Email if kind == Kind::Confirmation => "email/signup",
            Self::MagicLink | Self::Email => "magiclink",
            // Numbers have no links, and so no codes to exchange.
            Self::Sms | Self::PhoneChange => "otp",
        }
    }
}

/// Uses up the token that is stored as one of `hashes`. `link` tells that a browser followed a
/// link, for which a PKCE token yields a code.
pub async fn verify(
    state: &AppState,
    verification: Type,
    hashes: &[String],
    link: bool,
    origin: &Origin,
) -> Result<Verified> {
    issue(state, |issuance| {
        use_up(issuance, verification, hashes, link, origin)
    })
    .await
}

async fn use_up(
    issuance: Issuance<'_>,
    verification: Type,
    hashes: &[String],
    link: bool,
    origin: &Origin,
) -> Result<Verified> {
    let (state, now) = (issuance.state(), issuance.at());
    let mut tx = state.store().begin().await?;
    let found = one_time_tokens::find(&mut tx, hashes, verification.kinds()).await?;
    let found = found.ok_or_else(no_such_token)?;
    let kind = found.kind().ok_or_else(no_such_token)?;
    let user = store::users::lock(&mut tx, found.user_id).await?;
    let mut user = user.ok_or_else(no_such_token)?;
    if user.is_banned(now) {
        return Err(Error::forbidden(code::USER_BANNED, "User is banned"));
    }
    if is_too_old(state, &user, kind, verification.is_by_phone())
        || !is_for(&found, &user, kind, verification)
        || !one_time_tokens::take(&mut tx, &found).await?
    {
        return Err(no_such_token());
    }
    let done = apply(state, &mut tx, &mut user, kind, (verification, origin)).await?;
    let user = store::users::save(&mut tx, &user, now)
        .await
        .map_err(crate::routes::user::taken)?;
    let verified = if !done {
        Verified::HalfWay
    } else if link && found.token_hash.starts_with(pkce::PREFIX) {
        let method = verification.method(kind);
        let issued = store::flow_states::issue_code(&mut tx, user.id, method, now).await?;
        Verified::Code(issued.ok_or_else(no_flow)?)
    } else {
        Verified::Tokens(Box::new(
            grant::begin(&issuance, &mut tx, &user, "otp", origin).await?,
        ))
    };
    tx.commit().await?;
    Ok(verified)
}

/// Uses up the code sent to prove that whoever holds the session is its user. The caller saves the
/// user.
pub async fn reauthenticate(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    nonce: &str,
) -> Result<()> {
    let refused = || {
        let message = "Nonce has expired or is invalid";
        Error::unprocessable(code::REAUTHENTICATION_NOT_VALID, message)
    };
    let contact = if user.email().is_empty() {
        user.phone()
    } else {
        user.email()
    };
    let found = Found {
        user_id: user.id,
        token_type: "reauthentication_token".to_owned(),
        token_hash: state.tokens().stored(contact, nonce),
        relates_to: contact.to_owned(),
    };
    let by_phone = user.email().is_empty();
    if is_too_old(state, user, Kind::Reauthentication, by_phone)
        || !one_time_tokens::take(connection, &found).await?
    {
        return Err(refused());
    }
    user.reauthentication_token = None;
    Ok(())
}

/// The refusal of a token that is used up, too old or none.
pub fn no_such_token() -> Error {
    Error::forbidden(code::OTP_EXPIRED, "Email link is invalid or has expired")
}

/// The refusal of a code that belongs to no sign-in.
pub fn no_flow() -> Error {
    Error::not_found(
        code::FLOW_STATE_NOT_FOUND,
        "invalid flow state, no valid flow state found",
    )
}

/// Whether a token that confirms an address or number was sent to the one the user has now, and is
/// used as what it is: the code of a text message confirms no address.
fn is_for(found: &Found, user: &User, kind: Kind, verification: Type) -> bool {
    let has = if verification.is_by_phone() {
        user.phone()
    } else {
        user.email()
    };
    kind != Kind::Confirmation || found.relates_to == has.to_lowercase()
}

fn is_too_old(state: &AppState, user: &User, kind: Kind, by_phone: bool) -> bool {
    let sent = match kind {
        Kind::Confirmation => user.confirmation_sent_at,
        Kind::Recovery => user.recovery_sent_at,
        Kind::EmailChangeNew | Kind::EmailChangeCurrent => user.email_change_sent_at,
        Kind::PhoneChange => user.phone_change_sent_at,
        Kind::Reauthentication => user.reauthentication_sent_at,
    };
    let expiry = if by_phone {
        state.config().sms.otp_expiry
    } else {
        state.config().mailer.otp_expiry
    };
    sent.is_none_or(|sent| state.now() > sent + expiry)
}

/// Changes the user as the token allows; tells whether that completes the matter.
async fn apply(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    kind: Kind,
    (verification, origin): (Type, &Origin),
) -> Result<bool> {
    let now = state.now();
    let was_confirmed = user.email_confirmed_at.is_some();
    let action = match kind {
        Kind::Confirmation if verification == Type::Sms => {
            let is_known = user.phone_confirmed_at.is_some();
            confirm_phone(connection, user, now).await?;
            if is_known {
                Action::Login
            } else {
                Action::UserSignedUp
            }
        }
        Kind::Confirmation => {
            confirm_email(connection, user, now).await?;
            if verification == Type::Invite {
                Action::InviteAccepted
            } else {
                Action::UserSignedUp
            }
        }
        Kind::Recovery => {
            user.recovery_token = None;
            if was_confirmed {
                Action::Login
            } else {
                // Whoever chose the password, or made a passkey, has not shown that the address is theirs.
                user.encrypted_password = None;
                store::passkeys::delete_of_user(connection, user.id).await?;
                store::sessions::delete_of_user(connection, user.id, None).await?;
                confirm_email(connection, user, now).await?;
                Action::UserSignedUp
            }
        }
        Kind::EmailChangeNew | Kind::EmailChangeCurrent => {
            if !change_email(state, connection, user, kind).await? {
                return Ok(false);
            }
            Action::UserModified
        }
        Kind::PhoneChange => {
            change_phone(connection, user, now).await?;
            Action::UserModified
        }
        Kind::Reauthentication => return Err(no_such_token()),
    };
    audit::record(
        connection,
        action,
        Actor::User(user),
        Value::Null,
        (origin, now),
    )
    .await?;
    Ok(true)
}

async fn confirm_email(
    connection: &mut PgConnection,
    user: &mut User,
    now: OffsetDateTime,
) -> Result<()> {
    let contact = Contact::Email(user.email().to_owned());
    accounts::confirm(connection, user, &contact, now).await?;
    accounts::set_identity(connection, user.id, &contact, verified(user.email()), now).await?;
    user.is_anonymous = false;
    Ok(())
}

async fn confirm_phone(
    connection: &mut PgConnection,
    user: &mut User,
    now: OffsetDateTime,
) -> Result<()> {
    let phone = user.phone().to_owned();
    let shown = Map::from_iter([
        ("phone".to_owned(), json!(phone)),
        ("phone_verified".to_owned(), json!(true)),
    ]);
    let contact = Contact::Phone(phone);
    accounts::confirm(connection, user, &contact, now).await?;
    accounts::set_identity(connection, user.id, &contact, shown, now).await?;
    user.is_anonymous = false;
    Ok(())
}

/// Takes the new number over.
async fn change_phone(
    connection: &mut PgConnection,
    user: &mut User,
    now: OffsetDateTime,
) -> Result<()> {
    let phone = user.phone_change.take().unwrap_or_default();
    if phone.is_empty() {
        return Err(no_such_token());
    }
    user.phone = Some(phone);
    user.phone_change_token = None;
    confirm_phone(connection, user, now).await?;
    accounts::refresh_providers(connection, user).await
}

/// Takes one of the two confirmations of a new address, or completes the change.
async fn change_email(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    kind: Kind,
) -> Result<bool> {
    let now = state.now();
    match kind {
        Kind::EmailChangeNew => user.email_change_token_new = None,
        _ => user.email_change_token_current = None,
    }
    let config = &state.config().mailer;
    let needs_both = config.secure_email_change && !config.autoconfirm && !user.email().is_empty();
    if needs_both && user.email_change_confirm_status.unwrap_or_default() == 0 {
        user.email_change_confirm_status = Some(1);
        return Ok(false);
    }
    let email = user.email_change.take().unwrap_or_default();
    if email.is_empty() {
        return Err(no_such_token());
    }
    user.email = Some(email.clone());
    user.email_change_token_new = None;
    user.email_change_token_current = None;
    user.email_change_confirm_status = Some(0);
    for other in [Kind::EmailChangeNew, Kind::EmailChangeCurrent] {
        one_time_tokens::delete(connection, user.id, other).await?;
    }
    let contact = Contact::Email(email.clone());
    accounts::confirm(connection, user, &contact, now).await?;
    accounts::set_identity(connection, user.id, &contact, verified(&email), now).await?;
    accounts::refresh_providers(connection, user).await?;
    let shown = Map::from_iter([("email".to_owned(), json!(email))]);
    if user.user_metadata().contains_key("email") {
        user.raw_user_meta_data = Some(Json(merge(user.user_metadata(), shown)));
    }
    user.is_anonymous = false;
    Ok(true)
}

fn verified(email: &str) -> Map<String, Value> {
    Map::from_iter([
        ("email".to_owned(), json!(email)),
        ("email_verified".to_owned(), json!(true)),
    ])
}
