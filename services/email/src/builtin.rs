//! The templates auth sends with, in several languages. A stored template of the same name replaces
//! one, in all languages that have no stored one of their own.

mod de;
mod en;
mod es;
mod fr;

use crate::{render::Source, template::Locale};

/// How the names of auth's templates begin; users cannot send with them.
pub(crate) const PREFIX: &str = "auth-";

/// The words of all mails in one language.
struct Language {
    /// Language tag.
    tag: &'static str,
    mails: [Words; 6],
}

/// The words of one mail, as templates.
struct Words {
    /// What auth asks for.
    name: &'static str,
    subject: &'static str,
    heading: &'static str,
    /// What the link is for, and what it says; none where a code has to be typed.
    link: Option<(&'static str, &'static str)>,
    /// What stands before the code.
    code: &'static str,
    /// What to do when the mail comes as a surprise.
    surprise: &'static str,
}

const LANGUAGES: [Language; 4] = [en::WORDS, de::WORDS, es::WORDS, fr::WORDS];

/// Name and locale of all built-in templates.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    LANGUAGES.iter().flat_map(|language| {
        let locale = language.locale();
        language.mails.iter().map(move |mail| (mail.name, locale))
    })
}

/// The built-in template called `name` in exactly this locale.
pub(crate) fn find(name: &str, locale: &str) -> Option<Source> {
    let language = LANGUAGES.iter().find(|one| one.locale() == locale)?;
    let words = language.mails.iter().find(|mail| mail.name == name)?;
    Some(words.source(language.tag))
}

impl Language {
    /// English is what readers get whose language is not known or not there.
    fn locale(&self) -> &'static str {
        if self.tag == en::WORDS.tag {
            Locale::DEFAULT
        } else {
            self.tag
        }
    }
}

impl Words {
    fn source(&self, tag: &str) -> Source {
        let Self {
            heading,
            code,
            surprise,
            ..
        } = self;
        let link = self.link.map_or_else(String::new, |(purpose, label)| {
            format!("<p>{purpose}</p>\n<p><a href=\"{{{{ ConfirmationURL }}}}\">{label}</a></p>\n")
        });
        let html = format!(
            "<div lang=\"{tag}\">\n<h2>{heading}</h2>\n{link}\
             <p>{code} <strong>{{{{ Token }}}}</strong></p>\n<p>{surprise}</p>\n</div>\n"
        );
        Source {
            subject: self.subject.to_owned(),
            html,
            text: None,
        }
    }
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
            "SendingTo": "ada@example.com",
            "Data": {},
        });
        let variables = variables.as_object().unwrap();
        for (name, locale) in all() {
            let content = find(name, locale).unwrap().render(variables).unwrap();
            let text = &content.text;
            assert!(text.contains("123456"), "{name} {locale}: {text}");
            let has_link = text.contains("verify?token=t&type=signup");
            assert_eq!(
                has_link,
                name != "auth-reauthentication",
                "{name} {locale}: {text}"
            );
        }
    }

    #[test]
    fn every_language_has_the_same_mails() {
        let names = |language: &Language| language.mails.each_ref().map(|mail| mail.name);
        for language in &LANGUAGES {
            assert_eq!(names(language), names(&en::WORDS), "{}", language.tag);
            assert!(
                language
                    .mails
                    .iter()
                    .all(|mail| mail.name.starts_with(PREFIX))
            );
        }
    }
}
