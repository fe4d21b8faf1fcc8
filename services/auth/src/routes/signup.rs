//! `POST /signup`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction, types};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    AppState,
    accounts::{self, Contact},
    address,
    audit::{self, Action, Actor},
    authentication::ByAdmin,
    captcha::MetaSecurity,
    error::{Error, Result, code},
    frequency,
    grant::{self, Granted, Tokens},
    hooks::points,
    issuance::{Issuance, issue},
    limits::Limit,
    mails::{self, Purpose},
    messages::Message,
    pkce::{Challenge, ChallengeInput},
    redirect::ReturnTo,
    request::{Body, Origin},
    routes::passwordless::{back, begin_flow},
    store, texts,
    user::{Members, User, UserView},
};

/// Constraints that say somebody else was quicker.
const TAKEN: [&str; 2] = ["users_email_partial_key", "users_phone_key"];

/// Somebody who wants an account.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct SignUp {
    #[serde(default)]
    email: String,
    #[serde(default)]
    phone: String,
    #[schema(value_type = String)]
    #[serde(default)]
    password: Option<SecretString>,
    #[schema(value_type = Object)]
    #[serde(default)]
    data: Members,
    #[serde(default)]
    channel: String,
    #[serde(flatten)]
    challenge: ChallengeInput,
    #[serde(default)]
    gotrue_meta_security: MetaSecurity,
}

/// What is needed to make an account, checked.
#[derive(Clone, Debug)]
struct NewAccount {
    contact: Contact,
    draft: User,
    data: Members,
    redirect_to: String,
    challenge: Option<Challenge>,
}

/// Makes an account; signs the user in at once where nothing has to be confirmed.
///
/// Without address and number the account is anonymous.
#[utoipa::path(
    post,
    path = "/signup",
    request_body = SignUp,
    responses(
        (status = 200, description = "tokens, or the user who must confirm first", body = Tokens),
        (status = "4XX", body = crate::wire::RefusalV2),
    )
)]
pub async fn sign_up(
    State(state): State<AppState>,
    origin: Origin,
    ReturnTo(redirect_to): ReturnTo,
    ByAdmin(by_admin): ByAdmin,
    Body(input): Body<SignUp>,
) -> Result<Response> {
    let anonymous = input.email.is_empty() && input.phone.is_empty();
    if anonymous && !state.config().external.anonymous_users {
        return Err(Error::unprocessable(
            code::ANONYMOUS_PROVIDER_DISABLED,
            "Anonymous sign-ins are disabled",
        ));
    }
    let limit = if anonymous {
        Limit::Anonymous
    } else {
        Limit::SignUp
    };
    state.limits().check(limit, origin.ip, state.now())?;
    let security = &input.gotrue_meta_security;
    state.captcha().check(security, &origin, by_admin).await?;
    if state.config().disable_signup {
        let message = "Signups not allowed for this instance";
        return Err(Error::unprocessable(code::SIGNUP_DISABLED, message));
    }
    if anonymous {
        return anonymously(&state, input.data, &origin).await;
    }
    let (contact, password, challenge) = input.validate(&state).await?;
    let hash = state.hasher().hash(password).await?;
    let draft = new_user(&state, &origin, state.now());
    let mut draft = accounts::draft(draft, &contact, input.data.clone());
    draft.encrypted_password = Some(hash);
    points::before_contact_created(&state, &draft, &contact, &origin).await?;
    if !autoconfirms(&state, &contact) {
        frequency::check_repeat(&state, Limit::SignUp, &contact)?;
    }
    let new = NewAccount {
        contact,
        draft,
        data: input.data,
        redirect_to,
        challenge,
    };
    let with_contact = || issue(&state, |issuance| with_contact(issuance, &new, &origin));
    match with_contact().await {
        // The account that was in the way is there by now, and is answered for as such.
        Err(error) if TAKEN.iter().any(|name| error.violates(name)) => with_contact().await,
        answer => answer,
    }
}

async fn anonymously(state: &AppState, data: Members, origin: &Origin) -> Result<Response> {
    let now = state.now();
    let mut user = new_user(state, origin, now);
    user.is_anonymous = true;
    user.raw_app_meta_data = Some(types::Json(Members::new()));
    user.raw_user_meta_data = Some(types::Json(data));
    points::before_user_created(state, &user, origin).await?;
    let granted = issue(state, |issuance| welcome(issuance, &user, origin)).await?;
    points::after_user_created(state, &user, origin).await;
    Ok(granted.into_response())
}

async fn welcome(issuance: Issuance<'_>, draft: &User, origin: &Origin) -> Result<Granted> {
    let mut tx = issuance.state().store().begin().await?;
    let user = store::users::insert(&mut tx, draft).await?;
    let event = (origin, issuance.at());
    let (action, actor) = (Action::UserSignedUp, Actor::User(&user));
    audit::record(&mut tx, action, actor, Value::Null, event).await?;
    let granted = grant::begin(&issuance, &mut tx, &user, "anonymous", origin).await?;
    tx.commit().await?;
    Ok(granted)
}

async fn with_contact(
    issuance: Issuance<'_>,
    new: &NewAccount,
    origin: &Origin,
) -> Result<Response> {
    let contact = &new.contact;
    let (state, now) = (issuance.state(), issuance.at());
    let event = (origin, now);
    let traits = json!({ "provider": contact.provider() });
    let autoconfirm = autoconfirms(state, contact);
    let mut tx = state.store().begin().await?;
    let holder = contact.holder(&mut tx, state.audience(origin)).await?;

    let mut user = match holder {
        // Where nothing is confirmed by mail, an account that waits for confirmation was made by
        // an admin or under other settings: signing up must not open it.
        Some(user) if autoconfirm || contact.is_confirmed_by(&user) => {
            let actor = Actor::User(&user);
            audit::record(&mut tx, Action::UserRepeatedSignup, actor, traits, event).await?;
            tx.commit().await?;
            return repeated(state, contact, new.data.clone(), origin);
        }
        Some(user) => {
            // Its password and data stay: nobody has shown yet whose account it is.
            let locked = store::users::lock(&mut tx, user.id).await?;
            locked.ok_or_else(|| anyhow::anyhow!("the user is gone"))?
        }
        None => accounts::create(&mut tx, &new.draft, contact, now).await?,
    };
    if autoconfirm {
        accounts::confirm(&mut tx, &mut user, contact, now).await?;
        let user = store::users::save(&mut tx, &user, now).await?;
        let actor = || Actor::User(&user);
        audit::record(
            &mut tx,
            Action::UserSignedUp,
            actor(),
            traits.clone(),
            event,
        )
        .await?;
        audit::record(&mut tx, Action::Login, actor(), traits, event).await?;
        let granted = grant::begin(&issuance, &mut tx, &user, "password", origin).await?;
        tx.commit().await?;
        points::after_draft_created(state, &new.draft, user.id, origin).await;
        return Ok(granted.into_response());
    }
    ask_to_confirm(state, tx, (user, new), origin).await
}

/// Sends the link or code that confirms a new account; a user who got one a moment ago gets none.
async fn ask_to_confirm(
    state: &AppState,
    mut tx: Transaction<'_, Postgres>,
    (mut user, new): (User, &NewAccount),
    origin: &Origin,
) -> Result<Response> {
    let now = state.now();
    let contact = &new.contact;
    let invited = user.invited_at.is_some();
    let mut message = None;
    if !frequency::is_too_soon(state, contact, user.confirmation_sent_at) {
        frequency::count(state, contact)?;
        let action = Action::UserConfirmationRequested;
        let traits = json!({ "provider": contact.provider() });
        let actor = Actor::User(&user);
        audit::record(&mut tx, action, actor, traits, (origin, now)).await?;
        message = Some(confirmation(state, &mut tx, &mut user, new).await?);
        user = store::users::save(&mut tx, &user, now).await?;
    }
    let id = user.id;
    let view = store::users::view(&mut tx, user).await?;
    tx.commit().await?;
    points::after_draft_created(state, &new.draft, id, origin).await;
    if let Some(message) = message {
        message.post(state, origin);
    }
    let view = if invited {
        view.without_details()
    } else {
        view
    };
    Ok(Json(view).into_response())
}

async fn confirmation(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    new: &NewAccount,
) -> Result<Message> {
    if let Contact::Phone(_) = new.contact {
        let text = texts::confirmation(state, connection, user).await?;
        return Ok(Message::Text(text));
    }
    let challenge = new.challenge.as_ref();
    let back = back(new.redirect_to.clone(), challenge);
    let mail = mails::confirmation(state, connection, user, Purpose::Signup, &back).await?;
    begin_flow(state, connection, user, challenge, "email/signup").await?;
    Ok(Message::Mails(vec![mail]))
}

/// The answer to somebody who signs up with a confirmed user's address or number.
fn repeated(
    state: &AppState,
    contact: &Contact,
    data: Members,
    origin: &Origin,
) -> Result<Response> {
    let config = state.config();
    if config.mailer.autoconfirm || config.sms.autoconfirm {
        let message = "User already registered";
        return Err(Error::unprocessable(code::USER_ALREADY_EXISTS, message));
    }
    let now = state.now();
    let mut user = new_user(state, origin, now);
    let data = crate::user::merge(data, accounts::identity_data(user.id, contact));
    user.raw_user_meta_data = Some(types::Json(data));
    match contact {
        Contact::Email(email) => user.email = Some(email.clone()),
        Contact::Phone(phone) => user.phone = Some(phone.clone()),
    }
    let decoy = UserView::decoy(user, contact.provider(), now);
    Ok(Json(decoy).into_response())
}

fn new_user(state: &AppState, origin: &Origin, now: OffsetDateTime) -> User {
    let role = &state.config().jwt.default_role;
    User::new(state.audience(origin), role, now)
}

fn autoconfirms(state: &AppState, contact: &Contact) -> bool {
    match contact {
        Contact::Email(_) => state.config().mailer.autoconfirm,
        Contact::Phone(_) => state.config().sms.autoconfirm,
    }
}

impl SignUp {
    /// Checks in GoTrue's order.
    async fn validate(
        &self,
        state: &AppState,
    ) -> Result<(Contact, SecretString, Option<Challenge>)> {
        let config = state.config();
        let missing = || Error::invalid("Signup requires a valid password");
        let password = self.password.clone().ok_or_else(missing)?;
        if secrecy::ExposeSecret::expose_secret(&password).is_empty() {
            return Err(missing());
        }
        config.password.requirements.check(&password).await?;
        if !self.email.is_empty() && !self.phone.is_empty() {
            return Err(Error::invalid(
                "Only an email address or phone number should be provided on signup.",
            ));
        }
        if self.phone.is_empty() {
            let challenge = self.challenge.parse()?;
            if !config.external.email {
                let message = "Email signups are disabled";
                return Err(Error::bad_request(code::EMAIL_PROVIDER_DISABLED, message));
            }
            let contact = Contact::Email(address::email(&self.email)?);
            return Ok((contact, password, challenge));
        }
        texts::check_channel(&self.channel)?;
        if !config.external.phone {
            let message = "Phone signups are disabled";
            return Err(Error::bad_request(code::PHONE_PROVIDER_DISABLED, message));
        }
        if self.challenge.parse()?.is_some() {
            return Err(Error::invalid("PKCE not supported for phone signups"));
        }
        let contact = Contact::Phone(address::phone(&self.phone)?);
        if !config.sms.autoconfirm {
            texts::check_provider(state, contact.address())?;
        }
        Ok((contact, password, None))
    }
}
