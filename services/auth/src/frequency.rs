//! How often a message of a kind goes to an address or number.
//!
//! Whoever is not signed in must not learn from a refusal whether an address is known. So what
//! refuses them is what they asked before ([`check_repeat`]), known address or not; that a user got
//! a message by another way a moment ago ([`is_too_soon`]) leads to no message and no refusal.

use time::{Duration, OffsetDateTime};

use crate::{
    AppState,
    accounts::Contact,
    error::{Error, Result, code},
    limits::Limit,
};

/// Fails when no mail may go to an address. A label (`ada+label@example.com`) makes no other one.
pub fn check_authorized(state: &AppState, address: &str) -> Result<()> {
    let authorized = &state.config().external.authorized_addresses;
    let is_it = |allowed: &String| *allowed == without_label(address);
    if authorized.is_empty() || authorized.iter().any(is_it) {
        return Ok(());
    }
    let message = format!("Email address {address:?} cannot be used as it is not authorized");
    Err(Error::bad_request(
        code::EMAIL_ADDRESS_NOT_AUTHORIZED,
        message,
    ))
}

fn without_label(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let (name, _) = local.split_once('+').unwrap_or((local, ""));
    format!("{name}@{domain}").to_lowercase()
}

/// Fails when the same was asked for the same address or number a moment ago, or when no more
/// messages go out at all.
pub fn check_repeat(state: &AppState, limit: Limit, contact: &Contact) -> Result<()> {
    check_contact(state, contact)?;
    let (interval, code) = rules(state, contact);
    let now = state.now();
    state
        .limits()
        .check_interval(limit, contact.address(), interval, now)
        .map_err(|wait| too_soon(code, wait))?;
    match contact {
        Contact::Email(_) if sends_mails(state) => state.limits().expect_mails(now),
        Contact::Email(_) => Ok(()),
        Contact::Phone(_) => state.limits().expect_texts(now),
    }
}

/// Whether the user got such a message a moment ago.
pub fn is_too_soon(state: &AppState, contact: &Contact, last: Option<OffsetDateTime>) -> bool {
    let (interval, _) = rules(state, contact);
    check_last(last, interval, state.now()).is_err()
}

/// Counts a message about to be sent to a user; fails when too many went out altogether.
pub fn count(state: &AppState, contact: &Contact) -> Result<()> {
    match contact {
        Contact::Email(_) if sends_mails(state) => state.limits().check_mails(state.now()),
        Contact::Email(_) => Ok(()),
        Contact::Phone(_) => state.limits().check_texts(state.now()),
    }
}

/// Fails when a signed-in user got such a message a moment ago, or too many went out altogether.
pub fn check(state: &AppState, contact: &Contact, last: Option<OffsetDateTime>) -> Result<()> {
    check_contact(state, contact)?;
    let (interval, code) = rules(state, contact);
    check_last(last, interval, state.now()).map_err(|wait| too_soon(code, wait))?;
    count(state, contact)
}

/// Fails with the time to wait when `last` is less than `interval` ago.
pub fn check_last(
    last: Option<OffsetDateTime>,
    interval: Duration,
    now: OffsetDateTime,
) -> Result<(), Duration> {
    let wait = last.map_or(Duration::ZERO, |last| last + interval - now);
    if wait > Duration::ZERO {
        Err(wait)
    } else {
        Ok(())
    }
}

/// The refusal of who comes back too soon.
pub fn too_soon(code: &'static str, wait: Duration) -> Error {
    let seconds = wait.whole_seconds().max(1);
    let message =
        format!("For security purposes, you can only request this after {seconds} seconds.");
    Error::too_many(code, message)
}

fn check_contact(state: &AppState, contact: &Contact) -> Result<()> {
    match contact {
        Contact::Email(address) => check_authorized(state, address),
        Contact::Phone(_) => Ok(()),
    }
}

/// Mails are counted where they are sent and needed.
fn sends_mails(state: &AppState) -> bool {
    let mailer = &state.config().mailer;
    let has_way = mailer.email_url.is_some() || state.hooks().config().send_email.is_some();
    has_way && !mailer.autoconfirm
}

fn rules(state: &AppState, contact: &Contact) -> (Duration, &'static str) {
    let config = state.config();
    match contact {
        Contact::Email(_) => (
            config.mailer.max_frequency,
            code::OVER_EMAIL_SEND_RATE_LIMIT,
        ),
        Contact::Phone(_) => (config.sms.max_frequency, code::OVER_SMS_SEND_RATE_LIMIT),
    }
}
