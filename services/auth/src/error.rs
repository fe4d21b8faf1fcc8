//! What can go wrong, with GoTrue's status, code and text.

use std::{borrow::Cow, sync::Arc};

use axum::response::{IntoResponse, Response};
use common::{error::Problem, postgres::own::is_unavailable};
use http::StatusCode;

use crate::{hooks::points::Question, password::Weakness};

/// Result of everything that may be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A refusal that clients act upon.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// GoTrue's code, see [`code`].
        code: &'static str,
        /// GoTrue's text.
        message: Cow<'static, str>,
    },
    /// The password does not fulfil the requirements.
    #[error("{0}")]
    WeakPassword(Weakness),
    /// A refusal in the words of OAuth 2.0 (RFC 6749, 5.2).
    #[error("{description}")]
    OAuth {
        /// What went wrong, for programs.
        error: Cow<'static, str>,
        /// What went wrong, for people.
        description: Cow<'static, str>,
    },
    /// The database failed, or refused something it should not have been asked.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// Hashing is so busy that this request would wait too long.
    #[error("all password workers are busy")]
    Busy,
    /// The request took too long.
    #[error("the request took too long")]
    TimedOut,
    /// The email service took no mail.
    #[error("the email service took no mail")]
    Mailer(#[source] reqwest::Error),
    /// A server must be asked before tokens can be issued; [`crate::issuance`] sees to it.
    #[error("the hook has not been asked about the claims")]
    Unasked(Box<Question>),
    /// A bug or a broken dependency.
    #[error("internal error")]
    Internal(#[from] anyhow::Error),
}

/// GoTrue's error codes, as far as they are answered.
pub mod code {
    /// An anonymous sign-in where there are none.
    pub const ANONYMOUS_PROVIDER_DISABLED: &str = "anonymous_provider_disabled";
    /// The verifier does not fit the challenge.
    pub const BAD_CODE_VERIFIER: &str = "bad_code_verifier";
    /// The sign-in took too long.
    pub const FLOW_STATE_EXPIRED: &str = "flow_state_expired";
    /// No such sign-in.
    pub const FLOW_STATE_NOT_FOUND: &str = "flow_state_not_found";
    /// One-time codes do not make accounts here.
    pub const OTP_DISABLED: &str = "otp_disabled";
    /// The one-time token is used up, too old or none.
    pub const OTP_EXPIRED: &str = "otp_expired";
    /// The change needs a fresh proof of who the user is.
    pub const REAUTHENTICATION_NEEDED: &str = "reauthentication_needed";
    /// The provider sent a browser back without what is needed.
    pub const BAD_OAUTH_CALLBACK: &str = "bad_oauth_callback";
    /// Nobody began the sign-in that a browser came back from.
    pub const BAD_OAUTH_STATE: &str = "bad_oauth_state";
    /// A browser came back from this sign-in before.
    pub const FLOW_STATE_ALREADY_USED: &str = "flow_state_already_used";
    /// The provider does not vouch for the address.
    pub const PROVIDER_EMAIL_NEEDS_VERIFICATION: &str = "provider_email_needs_verification";
    /// The provider is not a way to sign in here.
    pub const PROVIDER_DISABLED: &str = "provider_disabled";
    /// Sign-in with a wallet is switched off.
    pub const WEB3_PROVIDER_DISABLED: &str = "web3_provider_disabled";
    /// Wallets of this blockchain are not understood.
    pub const WEB3_UNSUPPORTED_CHAIN: &str = "web3_unsupported_chain";
    /// No such invitation.
    pub const INVITE_NOT_FOUND: &str = "invite_not_found";
    /// The identity is somebody's.
    pub const IDENTITY_ALREADY_EXISTS: &str = "identity_already_exists";
    /// No such identity.
    pub const IDENTITY_NOT_FOUND: &str = "identity_not_found";
    /// The user would have no way to sign in.
    pub const SINGLE_IDENTITY_NOT_DELETABLE: &str = "single_identity_not_deletable";
    /// The user would have no address that is theirs.
    pub const EMAIL_CONFLICT_IDENTITY_NOT_DELETABLE: &str = "email_conflict_identity_not_deletable";
    /// Users do not link identities themselves here.
    pub const MANUAL_LINKING_DISABLED: &str = "manual_linking_disabled";
    /// No such provider.
    pub const CUSTOM_PROVIDER_NOT_FOUND: &str = "custom_provider_not_found";
    /// The identity provider's assertion has no address of the user.
    pub const SAML_ASSERTION_NO_EMAIL: &str = "saml_assertion_no_email";
    /// The identity provider's assertion does not name the user for good.
    pub const SAML_ASSERTION_NO_USER_ID: &str = "saml_assertion_no_user_id";
    /// The metadata are of another entity.
    pub const SAML_ENTITY_ID_MISMATCH: &str = "saml_entity_id_mismatch";
    /// The identity provider is known already.
    pub const SAML_IDP_ALREADY_EXISTS: &str = "saml_idp_already_exists";
    /// No such identity provider.
    pub const SAML_IDP_NOT_FOUND: &str = "saml_idp_not_found";
    /// The metadata cannot be fetched.
    pub const SAML_METADATA_FETCH_FAILED: &str = "saml_metadata_fetch_failed";
    /// The browser came back too late.
    pub const SAML_RELAY_STATE_EXPIRED: &str = "saml_relay_state_expired";
    /// Nobody sent this browser away.
    pub const SAML_RELAY_STATE_NOT_FOUND: &str = "saml_relay_state_not_found";
    /// The domain is another provider's.
    pub const SSO_DOMAIN_ALREADY_EXISTS: &str = "sso_domain_already_exists";
    /// The identity provider is switched off.
    pub const SSO_PROVIDER_DISABLED: &str = "sso_provider_disabled";
    /// No such identity provider.
    pub const SSO_PROVIDER_NOT_FOUND: &str = "sso_provider_not_found";
    /// There is no single sign-on by SAML.
    pub const SAML_PROVIDER_DISABLED: &str = "saml_provider_disabled";
    /// The hook did not answer in time.
    pub const HOOK_TIMEOUT: &str = "hook_timeout";
    /// The hook could not be reached.
    pub const HOOK_TIMEOUT_AFTER_RETRY: &str = "hook_timeout_after_retry";
    /// The hook's answer is too large.
    pub const HOOK_PAYLOAD_OVER_SIZE_LIMIT: &str = "hook_payload_over_size_limit";
    /// The hook's answer is not JSON.
    pub const HOOK_PAYLOAD_INVALID_CONTENT_TYPE: &str = "hook_payload_invalid_content_type";
    /// A hook wants no more attempts at a second factor.
    pub const MFA_VERIFICATION_REJECTED: &str = "mfa_verification_rejected";
    /// A hook said no, and only it knows why.
    pub const UNKNOWN: &str = "unknown";
    /// The proof of who the user is is not good.
    pub const REAUTHENTICATION_NOT_VALID: &str = "reauthentication_not_valid";
    /// The present password was not given right.
    pub const CURRENT_PASSWORD_INVALID: &str = "current_password_invalid";
    /// The present password was not given.
    pub const CURRENT_PASSWORD_REQUIRED: &str = "current_password_required";
    /// The token belongs to an application that the user let in, and this is for the user alone.
    pub const INSUFFICIENT_SCOPE: &str = "insufficient_scope";
    /// The session needs a second factor for this.
    pub const INSUFFICIENT_AAL: &str = "insufficient_aal";
    /// The challenge was answered too late.
    pub const MFA_CHALLENGE_EXPIRED: &str = "mfa_challenge_expired";
    /// The user has a factor of this name.
    pub const MFA_FACTOR_NAME_CONFLICT: &str = "mfa_factor_name_conflict";
    /// No such factor.
    pub const MFA_FACTOR_NOT_FOUND: &str = "mfa_factor_not_found";
    /// The challenge is somebody else's, or answered.
    pub const MFA_IP_ADDRESS_MISMATCH: &str = "mfa_ip_address_mismatch";
    /// No factors by phone here.
    pub const MFA_PHONE_ENROLL_NOT_ENABLED: &str = "mfa_phone_enroll_not_enabled";
    /// No factors by time-based codes here.
    pub const MFA_TOTP_ENROLL_NOT_ENABLED: &str = "mfa_totp_enroll_not_enabled";
    /// The code is wrong.
    pub const MFA_VERIFICATION_FAILED: &str = "mfa_verification_failed";
    /// No factors by authenticators here.
    pub const MFA_WEBAUTHN_ENROLL_NOT_ENABLED: &str = "mfa_webauthn_enroll_not_enabled";
    /// Factors by phone cannot be proven here.
    pub const MFA_PHONE_VERIFY_NOT_ENABLED: &str = "mfa_phone_verify_not_enabled";
    /// Factors by time-based codes cannot be proven here.
    pub const MFA_TOTP_VERIFY_NOT_ENABLED: &str = "mfa_totp_verify_not_enabled";
    /// Factors by authenticators cannot be proven here.
    pub const MFA_WEBAUTHN_VERIFY_NOT_ENABLED: &str = "mfa_webauthn_verify_not_enabled";
    /// No recovery codes here.
    pub const MFA_RECOVERY_CODES_ENROLL_NOT_ENABLED: &str = "mfa_recovery_codes_enroll_not_enabled";
    /// Too many wrong recovery codes were tried.
    pub const MFA_RECOVERY_CODES_LOCKED: &str = "mfa_recovery_codes_locked";
    /// Recovery codes go with another factor.
    pub const MFA_RECOVERY_CODES_SOLE_FACTOR: &str = "mfa_recovery_codes_sole_factor";
    /// Recovery codes do not count here.
    pub const MFA_RECOVERY_CODES_VERIFY_NOT_ENABLED: &str = "mfa_recovery_codes_verify_not_enabled";
    /// The user has a factor with this number, or recovery codes.
    pub const MFA_VERIFIED_FACTOR_EXISTS: &str = "mfa_verified_factor_exists";
    /// There are no passkeys here.
    pub const PASSKEY_DISABLED: &str = "passkey_disabled";
    /// The user has enough passkeys.
    pub const TOO_MANY_PASSKEYS: &str = "too_many_passkeys";
    /// The challenge was answered too late.
    pub const WEBAUTHN_CHALLENGE_EXPIRED: &str = "webauthn_challenge_expired";
    /// No such challenge, or it was answered.
    pub const WEBAUTHN_CHALLENGE_NOT_FOUND: &str = "webauthn_challenge_not_found";
    /// The authenticator is somebody's passkey.
    pub const WEBAUTHN_CREDENTIAL_EXISTS: &str = "webauthn_credential_exists";
    /// The answer of the authenticator is not the proof it should be.
    pub const WEBAUTHN_VERIFICATION_FAILED: &str = "webauthn_verification_failed";
    /// There is no such thing here.
    pub const FEATURE_DISABLED: &str = "feature_disabled";
    /// No such application.
    pub const OAUTH_CLIENT_NOT_FOUND: &str = "oauth_client_not_found";
    /// No such request of an application.
    pub const OAUTH_AUTHORIZATION_NOT_FOUND: &str = "oauth_authorization_not_found";
    /// The user has let the application know nothing.
    pub const OAUTH_CONSENT_NOT_FOUND: &str = "oauth_consent_not_found";
    /// Applications do not register themselves here.
    pub const OAUTH_DYNAMIC_CLIENT_REGISTRATION_DISABLED: &str =
        "oauth_dynamic_client_registration_disabled";
    /// No person seems to be there.
    pub const CAPTCHA_FAILED: &str = "captcha_failed";
    /// Text messages go out only so often.
    pub const OVER_SMS_SEND_RATE_LIMIT: &str = "over_sms_send_rate_limit";
    /// The user has enough factors.
    pub const TOO_MANY_ENROLLED_MFA_FACTORS: &str = "too_many_enrolled_mfa_factors";
    /// The body is not the JSON it should be.
    pub const BAD_JSON: &str = "bad_json";
    /// The access token is not one of ours.
    pub const BAD_JWT: &str = "bad_jwt";
    /// Too many requests touched the same thing at once.
    pub const CONFLICT: &str = "conflict";
    /// No mail may go there.
    pub const EMAIL_ADDRESS_NOT_AUTHORIZED: &str = "email_address_not_authorized";
    /// Another user has this address.
    pub const EMAIL_EXISTS: &str = "email_exists";
    /// The address is not confirmed yet.
    pub const EMAIL_NOT_CONFIRMED: &str = "email_not_confirmed";
    /// E-mail is not a way to sign in here.
    pub const EMAIL_PROVIDER_DISABLED: &str = "email_provider_disabled";
    /// Address and password do not belong together.
    pub const INVALID_CREDENTIALS: &str = "invalid_credentials";
    /// No access token where one is needed.
    pub const NO_AUTHORIZATION: &str = "no_authorization";
    /// An admin endpoint, and the caller is none.
    pub const NOT_ADMIN: &str = "not_admin";
    /// Mail goes out only so often.
    pub const OVER_EMAIL_SEND_RATE_LIMIT: &str = "over_email_send_rate_limit";
    /// Too many attempts.
    pub const OVER_REQUEST_RATE_LIMIT: &str = "over_request_rate_limit";
    /// Another user has this number.
    pub const PHONE_EXISTS: &str = "phone_exists";
    /// The number is not confirmed yet.
    pub const PHONE_NOT_CONFIRMED: &str = "phone_not_confirmed";
    /// Phone is not a way to sign in here.
    pub const PHONE_PROVIDER_DISABLED: &str = "phone_provider_disabled";
    /// A refresh token was used a second time.
    pub const REFRESH_TOKEN_ALREADY_USED: &str = "refresh_token_already_used";
    /// No such refresh token.
    pub const REFRESH_TOKEN_NOT_FOUND: &str = "refresh_token_not_found";
    /// The body is too large.
    pub const REQUEST_ENTITY_TOO_LARGE: &str = "request_entity_too_large";
    /// The request took too long.
    pub const REQUEST_TIMEOUT: &str = "request_timeout";
    /// The new password is the old one.
    pub const SAME_PASSWORD: &str = "same_password";
    /// The session has ended by its own rules.
    pub const SESSION_EXPIRED: &str = "session_expired";
    /// The session has been ended.
    pub const SESSION_NOT_FOUND: &str = "session_not_found";
    /// Nobody can sign up.
    pub const SIGNUP_DISABLED: &str = "signup_disabled";
    /// A failure that is not the client's.
    pub const UNEXPECTED_FAILURE: &str = "unexpected_failure";
    /// The user is already there.
    pub const USER_ALREADY_EXISTS: &str = "user_already_exists";
    /// The user is banned.
    pub const USER_BANNED: &str = "user_banned";
    /// No such user.
    pub const USER_NOT_FOUND: &str = "user_not_found";
    /// Single sign-on owns this account.
    pub const USER_SSO_MANAGED: &str = "user_sso_managed";
    /// The input is not acceptable.
    pub const VALIDATION_FAILED: &str = "validation_failed";
    /// The password does not fulfil the requirements.
    pub const WEAK_PASSWORD: &str = "weak_password";
}

impl Error {
    /// 400.
    pub fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400 `validation_failed`.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::bad_request(code::VALIDATION_FAILED, message)
    }

    /// 401.
    pub fn unauthorized(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 403.
    pub fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(StatusCode::FORBIDDEN, code, message)
    }

    /// 404.
    pub fn not_found(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(StatusCode::NOT_FOUND, code, message)
    }

    /// 422.
    pub fn unprocessable(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 429.
    pub fn too_many(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(StatusCode::TOO_MANY_REQUESTS, code, message)
    }

    /// A refusal with any status.
    pub fn refused(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Refused {
            status,
            code,
            message: message.into(),
        }
    }

    /// 400, in the words of OAuth 2.0.
    pub fn oauth(
        error: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::OAuth {
            error: error.into(),
            description: description.into(),
        }
    }

    /// Whether the database refused a row because of the unique constraint or index `name`.
    pub fn violates(&self, name: &str) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(answer))
            if answer.constraint() == Some(name))
    }
}

impl Problem for Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::Refused { status, .. } => *status,
            Self::OAuth { .. } => StatusCode::BAD_REQUEST,
            Self::WeakPassword(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Database(error) if is_unavailable(error) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::Database(_) | Self::Unasked(_) | Self::Mailer(_) | Self::Internal(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused { code, .. } => code,
            Self::OAuth { .. } => code::VALIDATION_FAILED,
            Self::WeakPassword(_) => code::WEAK_PASSWORD,
            Self::TimedOut => code::REQUEST_TIMEOUT,
            Self::Database(_)
            | Self::Busy
            | Self::Unasked(_)
            | Self::Mailer(_)
            | Self::Internal(_) => code::UNEXPECTED_FAILURE,
        }
    }

    fn public_message(&self) -> Cow<'static, str> {
        match self {
            Self::Refused { message, .. } => message.clone(),
            Self::OAuth { description, .. } => description.clone(),
            Self::WeakPassword(weakness) => weakness.to_string().into(),
            Self::TimedOut => {
                "Processing this request timed out, please retry after a moment.".into()
            }
            Self::Busy => "The service is busy, please retry after a moment.".into(),
            Self::Database(_) | Self::Unasked(_) | Self::Mailer(_) | Self::Internal(_) => {
                "Unexpected failure, please check server logs for more information".into()
            }
        }
    }
}

/// The error travels as an extension: its form depends on the request, which [`crate::wire`] knows.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
