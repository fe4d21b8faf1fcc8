//! The templates auth sends with, in English. A stored template of the same name replaces one.

use crate::render::Source;

/// Names of all built-in templates.
pub(crate) const NAMES: [&str; 6] = [
    "confirmation",
    "email_change",
    "invite",
    "magic_link",
    "reauthentication",
    "recovery",
];

/// The built-in template called `name`.
pub(crate) fn find(name: &str) -> Option<Source> {
    let (subject, html) = match name {
        "confirmation" => (
            "Confirm your e-mail address",
            include_str!("templates/confirmation.html"),
        ),
        "email_change" => (
            "Confirm your new e-mail address",
            include_str!("templates/email_change.html"),
        ),
        "invite" => (
            "You have been invited",
            include_str!("templates/invite.html"),
        ),
        "magic_link" => (
            "Your sign-in link",
            include_str!("templates/magic_link.html"),
        ),
        "reauthentication" => (
            "{{ Token }} is your verification code",
            include_str!("templates/reauthentication.html"),
        ),
        "recovery" => (
            "Reset your password",
            include_str!("templates/recovery.html"),
        ),
        _ => return None,
    };
    Some(Source {
        subject: subject.to_owned(),
        html: html.to_owned(),
        text: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_built_in_template_works_with_what_auth_gives() {
        let variables = json!({
            "SiteURL": "https://app.example",
            "ConfirmationURL": "https://api.example/auth/v1/verify?token=t&type=signup",
            "Email": "ada@example.com",
            "NewEmail": "lovelace@example.com",
            "Token": "123456",
            "TokenHash": "abc",
            "RedirectTo": "https://app.example/in",
            "Data": {},
        });
        let variables = variables.as_object().unwrap();
        for name in NAMES {
            let content = find(name).unwrap().render(variables).unwrap();
            assert!(content.text.contains("123456"), "{name}: {}", content.text);
            let has_link = content.text.contains("verify?token=t&type=signup");
            assert_eq!(
                has_link,
                name != "reauthentication",
                "{name}: {}",
                content.text
            );
        }
    }
}
