//! One-time tokens made for a user, and the mails that carry them.
//!
//! Making a token joins the caller's transaction; the mail is sent by the caller after the commit,
//! so that no mail carries a token that was never stored and no transaction waits for a mailer.

use sqlx::PgConnection;
use url::Url;
use uuid::Uuid;

use crate::{
    AppState,
    error::Result,
    hooks::points,
    one_time, pkce,
    request::Origin,
    store::one_time_tokens::{self, Kind},
    user::{Members, User},
};

/// What a mail asks its reader to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Confirm the address of a new account.
    Signup,
    /// Accept an invitation.
    Invite,
    /// Get in after the password was lost.
    Recovery,
    /// Get in without a password.
    MagicLink,
    /// Confirm a new address.
    EmailChangeNew,
    /// Give the present address up.
    EmailChangeCurrent,
    /// Type a code to prove to be there.
    Reauthentication,
}

/// A mail that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Mail {
    /// What it asks for.
    pub purpose: Purpose,
    /// Who it is about.
    pub user_id: Uuid,
    /// Address it goes to.
    pub to: String,
    /// The user's address.
    pub email: String,
    /// The address the user wants.
    pub new_email: String,
    /// The code to type.
    pub code: String,
    /// What stands for the code in links.
    pub token: String,
    /// What is stored of it.
    pub stored: String,
    /// The link to follow.
    pub link: String,
    /// Where the link leads in the end.
    pub redirect_to: String,
    /// What the user says about themselves.
    pub data: Members,
}

/// How the reader of a mail is to come back.
#[derive(Clone, Debug, Default)]
pub struct Return {
    /// Where the link leads in the end; one of the allowed places.
    pub redirect_to: String,
    /// Whether the use of the token yields a code instead of tokens.
    pub pkce: bool,
}

impl Purpose {
    /// Name of the template.
    pub fn template(self) -> &'static str {
        match self {
            Self::Signup => "confirmation",
            Self::Invite => "invite",
            Self::Recovery => "recovery",
            Self::MagicLink => "magic_link",
            Self::EmailChangeNew | Self::EmailChangeCurrent => "email_change",
            Self::Reauthentication => "reauthentication",
        }
    }

    /// The `type` that a verification names.
    pub fn verification_type(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Invite => "invite",
            Self::Recovery => "recovery",
            Self::MagicLink => "magiclink",
            Self::EmailChangeNew | Self::EmailChangeCurrent => "email_change",
            Self::Reauthentication => "reauthentication",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Signup | Self::Invite => Kind::Confirmation,
            Self::Recovery | Self::MagicLink => Kind::Recovery,
            Self::EmailChangeNew => Kind::EmailChangeNew,
            Self::EmailChangeCurrent => Kind::EmailChangeCurrent,
            Self::Reauthentication => Kind::Reauthentication,
        }
    }
}

/// Asks a user to confirm their address, or to accept an invitation. The caller saves the user.
pub async fn confirmation(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    purpose: Purpose,
    back: &Return,
) -> Result<Mail> {
    let mail = issue(state, connection, user, purpose, back).await?;
    user.confirmation_token = Some(mail.stored.clone());
    user.confirmation_sent_at = Some(state.now());
    if purpose == Purpose::Invite {
        user.invited_at = Some(state.now());
    }
    Ok(mail)
}

/// Lets a user in without a password. The caller saves the user.
pub async fn recovery(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    purpose: Purpose,
    back: &Return,
) -> Result<Mail> {
    let mail = issue(state, connection, user, purpose, back).await?;
    user.recovery_token = Some(mail.stored.clone());
    user.recovery_sent_at = Some(state.now());
    Ok(mail)
}

/// Asks for a code from whoever holds the session. The caller saves the user.
pub async fn reauthentication(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
) -> Result<Mail> {
    let purpose = Purpose::Reauthentication;
    let mail = issue(state, connection, user, purpose, &Return::default()).await?;
    user.reauthentication_token = Some(mail.stored.clone());
    user.reauthentication_sent_at = Some(state.now());
    Ok(mail)
}

/// Asks for confirmation of a new address, from the present one too where that is wanted. The
/// caller saves the user.
pub async fn email_change(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    new_email: &str,
    back: &Return,
) -> Result<Vec<Mail>> {
    user.email_change = Some(new_email.to_owned());
    user.email_change_confirm_status = Some(0);
    user.email_change_sent_at = Some(state.now());
    user.email_change_token_current = None;
    let new = issue(state, connection, user, Purpose::EmailChangeNew, back).await?;
    user.email_change_token_new = Some(new.stored.clone());
    let mut mails = vec![new];
    if state.config().mailer.secure_email_change && !user.email().is_empty() {
        let current = issue(state, connection, user, Purpose::EmailChangeCurrent, back).await?;
        user.email_change_token_current = Some(current.stored.clone());
        mails.push(current);
    } else {
        one_time_tokens::delete(connection, user.id, Kind::EmailChangeCurrent).await?;
    }
    Ok(mails)
}

/// Sends mails of one request: hands them to the hook where there is one, to the mailer otherwise.
pub async fn send(state: &AppState, mails: &[Mail], origin: &Origin) -> Result<()> {
    if points::send_email(state, mails, origin).await? {
        return Ok(());
    }
    state.mailer().send_all(mails).await
}

async fn issue(
    state: &AppState,
    connection: &mut PgConnection,
    user: &User,
    purpose: Purpose,
    back: &Return,
) -> Result<Mail> {
    let new_email = user.email_change.clone().unwrap_or_default();
    let to = match purpose {
        Purpose::EmailChangeNew => &new_email,
        _ => user.email(),
    };
    let code = one_time::new_code(state.config().mailer.otp_length);
    let prefix = if back.pkce { pkce::PREFIX } else { "" };
    let token = format!("{prefix}{}", state.tokens().token(to, &code));
    let stored = one_time::stored(&token);
    let kept = (stored.as_str(), to);
    one_time_tokens::replace(connection, user.id, purpose.kind(), kept, state.now()).await?;
    Ok(Mail {
        purpose,
        user_id: user.id,
        to: to.to_owned(),
        email: user.email().to_owned(),
        link: link(state, purpose, &token, &back.redirect_to)?,
        redirect_to: back.redirect_to.clone(),
        data: user.user_metadata(),
        new_email,
        code,
        token,
        stored,
    })
}

/// The link that verifies a token; made of configured parts alone.
fn link(state: &AppState, purpose: Purpose, token: &str, redirect_to: &str) -> Result<String> {
    let mut url: Url = state.config().verify_url(purpose.template())?;
    url.query_pairs_mut()
        .append_pair("token", token)
        .append_pair("type", purpose.verification_type())
        .append_pair("redirect_to", redirect_to);
    Ok(url.into())
}
