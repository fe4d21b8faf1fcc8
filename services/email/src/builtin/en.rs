//! English.

use super::{Language, Words};

const CODE: &str = "Or enter this code:";

pub(super) const WORDS: Language = Language {
    tag: "en",
    mails: [
        Words {
            name: "auth-confirmation",
            subject: "Confirm your e-mail address",
            heading: "Confirm your e-mail address",
            link: Some((
                "Follow this link to confirm {{ Email }} for your account at {{ SiteURL }}:",
                "Confirm my address",
            )),
            code: CODE,
            surprise: "If you did not sign up, ignore this mail.",
        },
        Words {
            name: "auth-email_change",
            subject: "Confirm your new e-mail address",
            heading: "Confirm your new e-mail address",
            link: Some((
                "Your account at {{ SiteURL }} is about to change its address from {{ Email }} to \
                 {{ NewEmail }}. Follow this link to agree:",
                "Change my address",
            )),
            code: CODE,
            surprise: "If you did not ask for this, ignore this mail and change your password.",
        },
        Words {
            name: "auth-invite",
            subject: "You have been invited",
            heading: "You have been invited",
            link: Some((
                "Somebody invited {{ Email }} to {{ SiteURL }}. Follow this link to accept:",
                "Accept the invitation",
            )),
            code: CODE,
            surprise: "If you know nothing of this, ignore this mail.",
        },
        Words {
            name: "auth-magic_link",
            subject: "Your sign-in link",
            heading: "Sign in",
            link: Some((
                "Follow this link to sign in to {{ SiteURL }} as {{ Email }}:",
                "Sign in",
            )),
            code: CODE,
            surprise: "If you did not ask for this, ignore this mail.",
        },
        Words {
            name: "auth-reauthentication",
            subject: "{{ Token }} is your verification code",
            heading: "Confirm that it is you",
            link: None,
            code: "Enter this code to go on:",
            surprise: "If you did not ask for this, somebody may be using your session: sign out everywhere.",
        },
        Words {
            name: "auth-recovery",
            subject: "Reset your password",
            heading: "Reset your password",
            link: Some((
                "Follow this link to choose a new password for {{ Email }} at {{ SiteURL }}:",
                "Choose a new password",
            )),
            code: CODE,
            surprise: "If you did not ask for this, ignore this mail; your password stays as it is.",
        },
    ],
};
