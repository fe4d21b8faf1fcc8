//! `/admin/users`: users as admins manage them.

mod input;

use axum::{
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, types};
use utoipa::ToSchema;

pub use self::input::AdminUser;
use crate::{
    AppState,
    accounts::{self, Contact},
    audit::{self, Action, Actor},
    authentication::Admin,
    error::{Error, Result, code},
    paging::Page,
    request::{Body, OptionalBody, Origin, Params, UserId},
    routes::user::{email_exists, known, taken},
    store,
    user::{Members, User, UserView, merge},
};

/// How a user is to be removed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Removal {
    /// Empties the account but keeps its row.
    should_soft_delete: bool,
}

/// One page of users.
#[derive(Debug, Serialize, ToSchema)]
pub struct Users {
    users: Vec<UserView>,
    aud: String,
}

/// A page of all users, newest first.
#[utoipa::path(
    operation_id = "admin_users_list",
    get,
    path = "/admin/users",
    params(
        ("page" = Option<u64>, Query, description = "from 1"),
        ("per_page" = Option<u64>, Query, description = "50, at most 1000"),
        ("filter" = Option<String>, Query, description = "part of the address or full name"),
    ),
    responses((status = 200, body = Users), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Admin,
    origin: Origin,
    params: Params,
    uri: Uri,
) -> Result<Response> {
    let page = Page::from_params(&params)?;
    let aud = state.audience(&origin).to_owned();
    let mut connection = state.store().connection().await?;
    let (users, total) =
        store::users::page(&mut connection, &aud, params.get("filter"), page.range()).await?;
    let users = store::users::views(&mut connection, users).await?;
    let headers = page.headers(uri.path(), &params, total);
    Ok((headers, Json(Users { users, aud })).into_response())
}

/// One user.
#[utoipa::path(
    operation_id = "admin_users_read",
    get,
    path = "/admin/users/{user_id}",
    params(("user_id" = Uuid, Path)),
    responses((status = 200, body = UserView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn read(
    State(state): State<AppState>,
    _: Admin,
    UserId(id): UserId,
) -> Result<Json<UserView>> {
    let mut connection = state.store().connection().await?;
    let user = known(&mut connection, id).await?;
    Ok(Json(store::users::view(&mut connection, user).await?))
}

/// Makes a user.
#[utoipa::path(
    post,
    path = "/admin/users",
    request_body = AdminUser,
    responses((status = 200, body = UserView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    Body(input): Body<AdminUser>,
) -> Result<Json<UserView>> {
    let contacts = input.contacts()?;
    if contacts.is_empty() {
        return Err(Error::invalid(
            "Cannot create a user without either an email or phone",
        ));
    }
    let now = state.now();
    let role = or(&input.role, &state.config().jwt.default_role);
    let mut user = User::new(or(&input.aud, state.audience(&origin)), role, now);
    if !input.id.is_empty() {
        user.id = input::parse_id(&input.id)?;
    }
    input.apply_ban(&mut user, &state)?;
    user.encrypted_password = input.hash(&state).await?;

    let mut tx = state.store().begin().await?;
    for contact in &contacts {
        let holder = contact.holder(&mut tx, user.audience()).await?;
        if holder.is_some() {
            return Err(exists(contact));
        }
        match contact {
            Contact::Email(email) => user.email = Some(email.clone()),
            Contact::Phone(phone) => user.phone = Some(phone.clone()),
        }
    }
    let names: Vec<_> = contacts.iter().map(Contact::provider).collect();
    let app_metadata = input.app_metadata.clone().unwrap_or_default();
    user.raw_app_meta_data = Some(types::Json(merge(
        app_metadata,
        accounts::providers(&names),
    )));
    user.raw_user_meta_data = Some(types::Json(input.user_metadata.clone().unwrap_or_default()));
    let mut user = store::users::insert(&mut tx, &user)
        .await
        .map_err(created_twice)?;
    for contact in &contacts {
        let data = accounts::identity_data(user.id, contact);
        accounts::add_identity(&mut tx, user.id, contact, data, now).await?;
        if input.confirms(contact) {
            accounts::confirm(&mut tx, &mut user, contact, now).await?;
        }
    }
    let user = store::users::save(&mut tx, &user, now).await?;
    remember(
        &mut tx,
        Action::UserSignedUp,
        &admin,
        &user,
        (&state, &origin),
    )
    .await?;
    let view = store::users::view(&mut tx, user).await?;
    tx.commit().await?;
    Ok(Json(view))
}

/// Changes a user.
#[utoipa::path(
    operation_id = "admin_users_update",
    put,
    path = "/admin/users/{user_id}",
    params(("user_id" = Uuid, Path)),
    request_body = AdminUser,
    responses((status = 200, body = UserView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    admin: Admin,
    UserId(id): UserId,
    origin: Origin,
    Body(input): Body<AdminUser>,
) -> Result<Json<UserView>> {
    let contacts = input.contacts()?;
    known(&mut *state.store().connection().await?, id).await?;
    let hash = match &input.password {
        Some(password) => {
            state.config().password.requirements.check(password).await?;
            Some(state.hasher().hash(password.clone()).await?)
        }
        None if input.password_hash.is_empty() => None,
        None => input.hash(&state).await?,
    };
    let now = state.now();
    let mut tx = state.store().begin().await?;
    let user = store::users::lock(&mut tx, id).await?;
    let mut user = user.ok_or_else(|| Error::not_found(code::USER_NOT_FOUND, "User not found"))?;
    input.apply_ban(&mut user, &state)?;
    if !input.role.is_empty() {
        user.role = Some(input.role.trim().to_owned());
    }
    for contact in &contacts {
        give(&mut tx, &mut user, contact, now).await?;
    }
    for contact in own_contacts(&user) {
        if input.confirms(&contact) {
            accounts::confirm(&mut tx, &mut user, &contact, now).await?;
        }
    }
    if let Some(hash) = hash {
        user.encrypted_password = Some(hash);
        accounts::revoke_one_time_tokens(&mut tx, &mut user).await?;
        store::sessions::delete_of_user(&mut tx, id, None).await?;
    }
    if let Some(data) = input.app_metadata {
        user.raw_app_meta_data = Some(types::Json(merge(user.app_metadata(), data)));
    }
    if let Some(data) = input.user_metadata {
        user.raw_user_meta_data = Some(types::Json(merge(user.user_metadata(), data)));
    }
    remember(
        &mut tx,
        Action::UserModified,
        &admin,
        &user,
        (&state, &origin),
    )
    .await?;
    let user = store::users::save(&mut tx, &user, now)
        .await
        .map_err(taken)?;
    let view = store::users::view(&mut tx, user).await?;
    tx.commit().await?;
    Ok(Json(view))
}

/// Removes a user, or empties the account.
#[utoipa::path(
    delete,
    path = "/admin/users/{user_id}",
    params(("user_id" = Uuid, Path)),
    request_body = Removal,
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    admin: Admin,
    UserId(id): UserId,
    origin: Origin,
    OptionalBody(removal): OptionalBody<Removal>,
) -> Result<Json<serde_json::Value>> {
    let mut tx = state.store().begin().await?;
    let user = store::users::lock(&mut tx, id).await?;
    let mut user = user.ok_or_else(|| Error::not_found(code::USER_NOT_FOUND, "User not found"))?;
    remember(
        &mut tx,
        Action::UserDeleted,
        &admin,
        &user,
        (&state, &origin),
    )
    .await?;
    if !removal.should_soft_delete {
        store::users::delete(&mut tx, id).await?;
    } else if user.deleted_at.is_none() {
        accounts::empty(&mut tx, &mut user, state.now()).await?;
        store::users::save(&mut tx, &user, state.now()).await?;
    }
    tx.commit().await?;
    Ok(Json(json!({})))
}

/// Makes the address or number the user's, whoever they are and however they sign in.
async fn give(
    connection: &mut PgConnection,
    user: &mut User,
    contact: &Contact,
    now: time::OffsetDateTime,
) -> Result<()> {
    let holder = contact.holder(connection, user.audience()).await?;
    if holder.is_some_and(|holder| holder.id != user.id) {
        return Err(exists(contact));
    }
    match contact {
        Contact::Email(email) => user.email = Some(email.clone()),
        Contact::Phone(phone) => user.phone = Some(phone.clone()),
    }
    let changes = Members::from_iter([(contact.provider().to_owned(), json!(contact.address()))]);
    accounts::set_identity(connection, user.id, contact, changes, now).await?;
    accounts::refresh_providers(connection, user).await?;
    user.is_anonymous = false;
    Ok(())
}

fn own_contacts(user: &User) -> Vec<Contact> {
    let email = (!user.email().is_empty()).then(|| Contact::Email(user.email().to_owned()));
    let phone = (!user.phone().is_empty()).then(|| Contact::Phone(user.phone().to_owned()));
    email.into_iter().chain(phone).collect()
}

async fn remember(
    connection: &mut PgConnection,
    action: Action,
    admin: &Admin,
    user: &User,
    (state, origin): (&AppState, &Origin),
) -> Result<()> {
    let traits = json!({
        "user_id": user.id,
        "user_email": user.email(),
        "user_phone": user.phone(),
    });
    let actor = Actor::Admin(&admin.role);
    audit::record(connection, action, actor, traits, (origin, state.now())).await?;
    Ok(())
}

fn exists(contact: &Contact) -> Error {
    match contact {
        Contact::Email(_) => email_exists(),
        Contact::Phone(_) => Error::unprocessable(
            code::PHONE_EXISTS,
            "Phone number already registered by another user",
        ),
    }
}

fn created_twice(error: sqlx::Error) -> Error {
    match taken(error) {
        error if error.violates("users_pkey") => Error::unprocessable(
            code::USER_ALREADY_EXISTS,
            "A user with this ID already exists",
        ),
        error => error,
    }
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}
