//! What clients can ask for.

pub mod admin_audit;
pub mod admin_factors;
pub mod admin_passkeys;
pub mod admin_providers;
pub mod admin_sso;
pub mod admin_users;
pub mod authorize;
pub mod factors;
pub mod health;
pub mod id_token;
pub mod identities;
pub mod invitations;
pub mod logout;
pub mod oauth_server;
pub mod passkeys;
pub mod passwordless;
pub mod recover;
pub mod resend;
pub mod settings;
pub mod signup;
pub mod sso;
pub mod token;
pub mod user;
pub mod verify;
pub mod web3;

use axum::{
    Router, middleware,
    routing::{delete, get, patch, post, put},
};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use crate::{AppState, wire};

/// All routes behind [`wire::finish`].
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/settings", get(settings::settings))
        .route("/.well-known/jwks.json", get(settings::jwks))
        .route("/signup", post(signup::sign_up))
        .route("/token", post(token::token))
        .route("/user", get(user::read).put(user::update::update))
        .route("/sso", post(sso::begin))
        .route("/sso/saml/acs", post(sso::acs::receive))
        .route("/sso/saml/metadata", get(sso::metadata))
        .route("/authorize", get(authorize::authorize))
        .route(
            "/callback",
            get(authorize::callback).post(authorize::callback_form),
        )
        .route("/user/identities/authorize", get(identities::authorize))
        .route("/user/identities/{identity_id}", delete(identities::unlink))
        .route(
            "/admin/custom-providers",
            get(admin_providers::list).post(admin_providers::create),
        )
        .route(
            "/admin/custom-providers/{provider_id}",
            get(admin_providers::read)
                .put(admin_providers::update)
                .delete(admin_providers::delete),
        )
        .route(
            "/admin/sso/providers",
            get(admin_sso::list).post(admin_sso::create),
        )
        .route(
            "/admin/sso/providers/{idp_id}",
            get(admin_sso::read)
                .put(admin_sso::update)
                .delete(admin_sso::delete),
        )
        .route("/reauthenticate", get(user::reauthenticate))
        .route("/otp", post(passwordless::otp))
        .route("/magiclink", post(passwordless::magic_link))
        .route("/recover", post(recover::recover))
        .route("/resend", post(resend::resend))
        .route("/verify", get(verify::follow).post(verify::verify))
        .route("/invite", post(invitations::invite))
        .route("/admin/generate_link", post(invitations::generate_link))
        .route("/admin/audit", get(admin_audit::list))
        .route("/logout", post(logout::log_out))
        .route(
            "/admin/users",
            get(admin_users::list).post(admin_users::create),
        )
        .route(
            "/admin/users/{user_id}",
            get(admin_users::read)
                .put(admin_users::update)
                .delete(admin_users::delete),
        )
        .merge(factor_routes())
        .merge(passkey_routes())
        .merge(oauth_server_routes())
        .fallback(wire::not_found)
        .layer(middleware::from_fn_with_state(state.clone(), wire::finish))
        .with_state(state)
}

/// Second factors.
fn factor_routes() -> Router<AppState> {
    Router::new()
        .route("/factors", post(factors::enroll))
        .route(
            "/factors/recovery-codes",
            get(factors::recovery_codes::status)
                .post(factors::recovery_codes::generate)
                .delete(factors::recovery_codes::delete),
        )
        .route(
            "/factors/recovery-codes/regenerate",
            post(factors::recovery_codes::regenerate),
        )
        .route(
            "/factors/recovery-codes/verify",
            post(factors::recovery_codes::verify),
        )
        .route("/factors/{factor_id}", delete(factors::unenroll))
        .route(
            "/factors/{factor_id}/challenge",
            post(factors::challenge::challenge),
        )
        .route("/factors/{factor_id}/verify", post(factors::verify::verify))
        .route("/admin/users/{user_id}/factors", get(admin_factors::list))
        .route(
            "/admin/users/{user_id}/factors/{factor_id}",
            put(admin_factors::update).delete(admin_factors::delete),
        )
}

/// Credentials of the browser that are all a sign-in needs.
fn passkey_routes() -> Router<AppState> {
    Router::new()
        .route("/admin/users/{user_id}/passkeys", get(admin_passkeys::list))
        .route(
            "/admin/users/{user_id}/passkeys/{passkey_id}",
            delete(admin_passkeys::delete),
        )
        .route("/passkeys", get(passkeys::list))
        .route(
            "/passkeys/{passkey_id}",
            patch(passkeys::update).delete(passkeys::delete),
        )
        .route(
            "/passkeys/registration/options",
            post(passkeys::registration::options),
        )
        .route(
            "/passkeys/registration/verify",
            post(passkeys::registration::verify),
        )
        .route(
            "/passkeys/authentication/options",
            post(passkeys::authentication::options),
        )
        .route(
            "/passkeys/authentication/verify",
            post(passkeys::authentication::verify),
        )
}

/// Applications of others that users sign in to.
fn oauth_server_routes() -> Router<AppState> {
    use self::oauth_server::{
        admin_clients, authorize, consent, discovery, grants, register, token, userinfo,
    };
    Router::new()
        .route(
            "/.well-known/oauth-authorization-server",
            get(discovery::oauth),
        )
        .route("/.well-known/openid-configuration", get(discovery::openid))
        .route("/oauth/clients/register", post(register::register))
        .route("/oauth/authorize", get(authorize::authorize))
        .route(
            "/oauth/authorizations/{authorization_id}",
            get(consent::read),
        )
        .route(
            "/oauth/authorizations/{authorization_id}/consent",
            post(consent::decide),
        )
        .route("/oauth/token", post(token::token))
        .route("/oauth/userinfo", get(userinfo::userinfo))
        .route(
            "/user/oauth/grants",
            get(grants::list).delete(grants::revoke),
        )
        .route(
            "/admin/oauth/clients",
            get(admin_clients::list).post(admin_clients::create),
        )
        .route(
            "/admin/oauth/clients/{client_id}",
            get(admin_clients::read)
                .put(admin_clients::update)
                .delete(admin_clients::delete),
        )
        .route(
            "/admin/oauth/clients/{client_id}/regenerate_secret",
            post(admin_clients::regenerate_secret),
        )
}

/// The OpenAPI document.
pub fn contract() -> utoipa::openapi::OpenApi {
    Contract::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(title = "auth", description = "Sign-up, login and users, compatible with GoTrue"),
    paths(
        health::health,
        settings::settings,
        settings::jwks,
        signup::sign_up,
        token::token,
        user::read,
        user::update::update,
        user::reauthenticate,
        authorize::authorize,
        authorize::callback,
        authorize::callback_form,
        identities::authorize,
        identities::unlink,
        sso::begin,
        sso::acs::receive,
        sso::metadata,
        admin_sso::list,
        admin_sso::create,
        admin_sso::read,
        admin_sso::update,
        admin_sso::delete,
        admin_factors::list,
        admin_factors::update,
        admin_factors::delete,
        admin_passkeys::list,
        admin_passkeys::delete,
        passkeys::list,
        passkeys::update,
        passkeys::delete,
        passkeys::registration::options,
        passkeys::registration::verify,
        passkeys::authentication::options,
        passkeys::authentication::verify,
        admin_providers::list,
        admin_providers::create,
        admin_providers::read,
        admin_providers::update,
        admin_providers::delete,
        oauth_server::discovery::oauth,
        oauth_server::discovery::openid,
        oauth_server::register::register,
        oauth_server::authorize::authorize,
        oauth_server::consent::read,
        oauth_server::consent::decide,
        oauth_server::token::token,
        oauth_server::userinfo::userinfo,
        oauth_server::grants::list,
        oauth_server::grants::revoke,
        oauth_server::admin_clients::list,
        oauth_server::admin_clients::create,
        oauth_server::admin_clients::read,
        oauth_server::admin_clients::update,
        oauth_server::admin_clients::delete,
        oauth_server::admin_clients::regenerate_secret,
        passwordless::otp,
        passwordless::magic_link,
        recover::recover,
        resend::resend,
        verify::follow,
        verify::verify,
        invitations::invite,
        invitations::generate_link,
        admin_audit::list,
        factors::enroll,
        factors::unenroll,
        factors::challenge::challenge,
        factors::verify::verify,
        factors::recovery_codes::status,
        factors::recovery_codes::generate,
        factors::recovery_codes::regenerate,
        factors::recovery_codes::verify,
        factors::recovery_codes::delete,
        logout::log_out,
        admin_users::list,
        admin_users::create,
        admin_users::read,
        admin_users::update,
        admin_users::delete,
    ),
    components(schemas(wire::Refusal, wire::RefusalV2, id_token::IdTokenGrant, web3::Web3Grant)),
    modifiers(&AccessToken)
)]
struct Contract;

/// The access token as a security scheme.
struct AccessToken;

impl Modify for AccessToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("access_token", scheme);
    }
}
