//! `POST /invite` and `POST /admin/generate_link`: mails and links that admins make.

use axum::extract::State;
use common::extract::Json;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, types};
use utoipa::ToSchema;

use crate::{
    AppState,
    accounts::{self, Contact},
    address,
    audit::{self, Action, Actor},
    authentication::Admin,
    error::{Error, Result, code},
    frequency,
    hooks::points,
    mails::{self, Mail, Purpose, Return},
    redirect::ReturnTo,
    request::{Body, Origin},
    routes::user::email_exists,
    store,
    user::{Members, User, UserView, merge},
};

/// Somebody to invite.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Invitation {
    email: String,
    #[schema(value_type = Object)]
    data: Members,
}

/// A link to be made without sending it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct LinkRequest {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    new_email: String,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Option<SecretString>,
    #[serde(default)]
    #[schema(value_type = Object)]
    data: Members,
    #[serde(default)]
    redirect_to: String,
}

/// A user and the link that was made for them.
#[derive(Debug, Serialize, ToSchema)]
pub struct GeneratedLink {
    #[serde(flatten)]
    user: UserView,
    action_link: String,
    email_otp: String,
    hashed_token: String,
    verification_type: &'static str,
    redirect_to: String,
}

/// Makes an account and asks its owner to accept it.
#[utoipa::path(
    post,
    path = "/invite",
    request_body = Invitation,
    responses((status = 200, body = UserView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn invite(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    ReturnTo(redirect_to): ReturnTo,
    Body(input): Body<Invitation>,
) -> Result<Json<UserView>> {
    let email = address::email(&input.email)?;
    frequency::check_authorized(&state, &email)?;
    let back = Return {
        redirect_to,
        pkce: false,
    };
    let draft = draft(&state, email, None, input.data, &origin);
    announce(&state, &draft, &origin).await?;
    let mut tx = state.store().begin().await?;
    let mut user = invited(&state, &mut tx, &draft, &origin).await?;
    remember(&state, &mut tx, &admin, &user, &origin).await?;
    let mail = mails::confirmation(&state, &mut tx, &mut user, Purpose::Invite, &back).await?;
    let user = store::users::save(&mut tx, &user, state.now()).await?;
    let id = user.id;
    let view = store::users::view(&mut tx, user).await?;
    tx.commit().await?;
    points::after_draft_created(&state, &draft, id, &origin).await;
    mails::send(&state, &[mail], &origin).await?;
    Ok(Json(view))
}

/// Makes a link as a mail would carry it, for the admin to pass on.
#[utoipa::path(
    post,
    path = "/admin/generate_link",
    request_body = LinkRequest,
    responses(
        (status = 200, body = GeneratedLink),
        (status = "4XX", body = crate::wire::RefusalV2),
    ),
    security(("access_token" = []))
)]
pub async fn generate_link(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    ReturnTo(referrer): ReturnTo,
    Body(input): Body<LinkRequest>,
) -> Result<Json<GeneratedLink>> {
    let email = address::email(&input.email)?;
    let redirect_to = if input.redirect_to.is_empty() {
        referrer
    } else {
        state.destinations().allowed_or_site(&input.redirect_to)
    };
    let back = Return {
        redirect_to,
        pkce: false,
    };
    let hash = input.hash(&state).await?;
    let draft = draft(&state, email.clone(), hash, input.data.clone(), &origin);
    if matches!(input.kind.as_str(), "invite" | "signup" | "magiclink") {
        announce(&state, &draft, &origin).await?;
    }
    let mut tx = state.store().begin().await?;
    let (mut user, mail) = match input.kind.as_str() {
        "invite" => {
            let mut user = invited(&state, &mut tx, &draft, &origin).await?;
            let purpose = Purpose::Invite;
            let mail = mails::confirmation(&state, &mut tx, &mut user, purpose, &back).await?;
            (user, mail)
        }
        "signup" => signup_link(&state, &mut tx, &draft, input.data, (&origin, &back)).await?,
        "magiclink" | "recovery" => match lock_by_email(&state, &mut tx, &email, &origin).await? {
            Some(mut user) => {
                let purpose = if input.kind == "recovery" {
                    Purpose::Recovery
                } else {
                    Purpose::MagicLink
                };
                let mail = mails::recovery(&state, &mut tx, &mut user, purpose, &back).await?;
                (user, mail)
            }
            None if input.kind == "magiclink" => {
                signup_link(&state, &mut tx, &draft, input.data, (&origin, &back)).await?
            }
            None => return Err(unknown()),
        },
        "email_change_current" | "email_change_new" => {
            let user = lock_by_email(&state, &mut tx, &email, &origin).await?;
            let user = user.ok_or_else(unknown)?;
            change_link(&state, &mut tx, user, &input, &back).await?
        }
        kind => {
            let message = format!("Invalid email action link type requested: {kind}");
            return Err(Error::invalid(message));
        }
    };
    remember(&state, &mut tx, &admin, &user, &origin).await?;
    user = store::users::save(&mut tx, &user, state.now()).await?;
    let id = user.id;
    let view = store::users::view(&mut tx, user).await?;
    tx.commit().await?;
    points::after_draft_created(&state, &draft, id, &origin).await;
    Ok(Json(GeneratedLink {
        user: view,
        action_link: mail.link,
        email_otp: mail.code,
        hashed_token: mail.token,
        verification_type: match input.kind.as_str() {
            "email_change_current" => "email_change_current",
            "email_change_new" => "email_change_new",
            _ => mail.purpose.verification_type(),
        },
        redirect_to: mail.redirect_to,
    }))
}

/// The user to invite: a new one, or one who has not confirmed yet.
async fn invited(
    state: &AppState,
    connection: &mut PgConnection,
    draft: &User,
    origin: &Origin,
) -> Result<User> {
    match lock_by_email(state, connection, draft.email(), origin).await? {
        Some(user) if user.email_confirmed_at.is_some() => Err(email_exists()),
        Some(user) => Ok(user),
        None => accounts::create(connection, draft, &contact(draft), state.now()).await,
    }
}

async fn signup_link(
    state: &AppState,
    connection: &mut PgConnection,
    draft: &User,
    data: Members,
    (origin, back): (&Origin, &Return),
) -> Result<(User, Mail)> {
    let mut user = match lock_by_email(state, connection, draft.email(), origin).await? {
        Some(user) if user.email_confirmed_at.is_some() => return Err(email_exists()),
        Some(mut user) => {
            user.raw_user_meta_data = Some(types::Json(merge(user.user_metadata(), data)));
            user.encrypted_password = draft.encrypted_password.clone().or(user.encrypted_password);
            user
        }
        None => accounts::create(connection, draft, &contact(draft), state.now()).await?,
    };
    let purpose = Purpose::Signup;
    let mail = mails::confirmation(state, connection, &mut user, purpose, back).await?;
    Ok((user, mail))
}

async fn change_link(
    state: &AppState,
    connection: &mut PgConnection,
    mut user: User,
    input: &LinkRequest,
    back: &Return,
) -> Result<(User, Mail)> {
    let new_email = address::email(&input.new_email)?;
    let holder = store::users::claiming_email(connection, &new_email, user.audience()).await?;
    if holder.is_some_and(|holder| holder.id != user.id) {
        return Err(email_exists());
    }
    if input.kind == "email_change_current" && !state.config().mailer.secure_email_change {
        return Err(Error::invalid(
            "Enable secure email change to generate link for current email",
        ));
    }
    let mails = mails::email_change(state, connection, &mut user, &new_email, back).await?;
    let wanted = if input.kind == "email_change_current" {
        Purpose::EmailChangeCurrent
    } else {
        Purpose::EmailChangeNew
    };
    let mail = mails.into_iter().find(|mail| mail.purpose == wanted);
    let mail = mail.ok_or_else(|| anyhow::anyhow!("no mail was made"))?;
    Ok((user, mail))
}

/// Somebody with this address, in case nobody has it yet.
fn draft(
    state: &AppState,
    email: String,
    hash: Option<String>,
    data: Members,
    origin: &Origin,
) -> User {
    let jwt = &state.config().jwt;
    let user = User::new(state.audience(origin), &jwt.default_role, state.now());
    let mut draft = accounts::draft(user, &Contact::Email(email), data);
    draft.encrypted_password = hash;
    draft
}

fn contact(draft: &User) -> Contact {
    Contact::Email(draft.email().to_owned())
}

async fn announce(state: &AppState, draft: &User, origin: &Origin) -> Result<()> {
    points::before_contact_created(state, draft, &contact(draft), origin).await
}

async fn lock_by_email(
    state: &AppState,
    connection: &mut PgConnection,
    email: &str,
    origin: &Origin,
) -> Result<Option<User>> {
    let contact = Contact::Email(email.to_owned());
    Ok(contact.lock(connection, state.audience(origin)).await?)
}

async fn remember(
    state: &AppState,
    connection: &mut PgConnection,
    admin: &Admin,
    user: &User,
    origin: &Origin,
) -> Result<()> {
    let traits = json!({ "user_id": user.id, "user_email": user.email() });
    let event = (origin, state.now());
    let actor = Actor::Admin(&admin.role);
    audit::record(connection, Action::UserInvited, actor, traits, event).await?;
    Ok(())
}

impl LinkRequest {
    async fn hash(&self, state: &AppState) -> Result<Option<String>> {
        match &self.password {
            Some(password) if matches!(self.kind.as_str(), "signup" | "magiclink") => {
                state.config().password.requirements.check(password).await?;
                state.hasher().hash(password.clone()).await.map(Some)
            }
            _ => Ok(None),
        }
    }
}

fn unknown() -> Error {
    Error::not_found(code::USER_NOT_FOUND, "User with this email not found")
}
