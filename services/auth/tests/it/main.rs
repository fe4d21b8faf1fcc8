//! auth on a real PostgreSQL.
mod admin;
mod admin_sso;
mod authenticator;
mod captcha;
mod changes;
mod claims_hook;
mod enumeration;
mod factors;
mod forged;
mod hook_functions;
mod hooks;
mod identity_provider;
mod imported;
mod interop;
mod invitations;
mod keys;
mod linking;
mod logout;
mod mailed;
mod oauth;
mod oauth_clients;
mod oauth_representation;
mod oauth_server;
mod oauth_tokens;
mod one_time;
mod passkeys;
mod passkeys_managed;
mod passwordless;
mod phone;
mod pkce;
mod promises;
mod provider;
mod provider_accounts;
mod receiver;
mod recovery_codes;
mod refresh;
mod rules;
mod settings;
mod signup;
mod sso;
mod support;
mod token;
mod user;
mod verify;
mod web3;
mod webauthn;

#[test]
fn the_contract_is_current() {
    testkit::contract::assert_current::<auth::Auth>();
}
