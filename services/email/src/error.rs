//! What can go wrong, and how it is told.

use std::time::Duration;

use common::{error::Problem, postgres::own};
use http::StatusCode;

use crate::{
    mail::InvalidMail, render::RenderError, request::InvalidRequest, template::InvalidName,
};

/// An error of this service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("users may not send mail here")]
    SendingDisabled,
    #[error("you may not send to one of these addresses")]
    RecipientNotAllowed,
    #[error("this template is for the operator's servers")]
    TemplateNotAllowed,
    #[error("you have sent all the mail you may for now")]
    QuotaExceeded { retry_after: Duration },
    #[error("this idempotency_key was used for another mail")]
    IdempotencyKeyReused,
    #[error("there is no such message")]
    MessageNotFound,
    #[error("a message can be sent again when it is dead or unconfirmed")]
    NotRetryable,
    #[error("there is no such template")]
    TemplateNotFound,
    #[error("a template has at most 65536 bytes")]
    TemplateTooLarge,
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    #[error(transparent)]
    InvalidRequest(#[from] InvalidRequest),
    #[error(transparent)]
    InvalidMail(#[from] InvalidMail),
    #[error(transparent)]
    Template(#[from] RenderError),
    #[error("the mail cannot be put together")]
    Assembly(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl Problem for Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::SendingDisabled | Self::RecipientNotAllowed | Self::TemplateNotAllowed => {
                StatusCode::FORBIDDEN
            }
            Self::QuotaExceeded { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::IdempotencyKeyReused | Self::NotRetryable => StatusCode::CONFLICT,
            Self::MessageNotFound | Self::TemplateNotFound => StatusCode::NOT_FOUND,
            Self::InvalidName(_) => StatusCode::BAD_REQUEST,
            Self::TemplateTooLarge
            | Self::InvalidMail(InvalidMail::BodyTooLarge | InvalidMail::AttachmentsTooLarge) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::InvalidRequest(_) | Self::InvalidMail(_) | Self::Template(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Database(error) if own::is_unavailable(error) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Assembly(_) | Self::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::SendingDisabled => "sending_disabled",
            Self::RecipientNotAllowed => "recipient_not_allowed",
            Self::TemplateNotAllowed => "template_not_allowed",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::MessageNotFound => "message_not_found",
            Self::NotRetryable => "not_retryable",
            Self::TemplateNotFound => "template_not_found",
            Self::TemplateTooLarge => "payload_too_large",
            Self::InvalidName(_) => "invalid_path",
            Self::InvalidRequest(_) => "invalid_message",
            Self::InvalidMail(error) => match error {
                InvalidMail::BodyTooLarge | InvalidMail::AttachmentsTooLarge => "payload_too_large",
                _ => "invalid_message",
            },
            Self::Template(RenderError::Syntax { .. }) => "template_invalid",
            Self::Template(RenderError::MissingVariables { .. }) => "missing_variables",
            Self::Template(RenderError::Failed { .. }) => "template_failed",
            Self::Database(error) if own::is_unavailable(error) => "database_unavailable",
            Self::Assembly(_) | Self::Database(_) => "internal",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QuotaExceeded { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}
