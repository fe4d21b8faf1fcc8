//! What templates are called, and which one a reader's language gets.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest name of a template, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Longest locale, in bytes.
const MAX_LOCALE_BYTES: usize = 35;

/// Name of a template: lower-case letters, digits, `-` and `_`, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z][a-z0-9_-]{0,63}$")]
pub(crate) struct TemplateName(String);

/// A language tag such as `en-GB`, or `default`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "en-GB")]
pub(crate) struct Locale(String);

/// Why a name is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidName {
    #[error("the name of a template is lower-case letters, digits, - and _, a letter first")]
    Template,
    #[error("a locale is a language tag such as en or en-GB, or `default`")]
    Locale,
}

impl TemplateName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TemplateName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        let is_name = name.len() <= MAX_NAME_BYTES
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
            });
        if is_name {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidName::Template)
        }
    }
}

impl Locale {
    /// The locale of last resort.
    pub(crate) const DEFAULT: &str = "default";

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The locales to look for, best first: `en-GB`, `en`, `default`.
    pub(crate) fn fallbacks(&self) -> Vec<String> {
        let mut wanted = Vec::new();
        let mut tag = self.as_str();
        while tag != Self::DEFAULT {
            wanted.push(tag.to_owned());
            tag = tag
                .rsplit_once('-')
                .map_or(Self::DEFAULT, |(more_general, _)| more_general);
        }
        wanted.push(Self::DEFAULT.to_owned());
        wanted
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for Locale {
    type Err = InvalidName;

    /// Language, script and region get their usual case (RFC 5646, 2.1.1).
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text == Self::DEFAULT {
            return Ok(Self::default());
        }
        let mut subtags = text.split(['-', '_']);
        let language = subtags.next().unwrap_or_default();
        let is_language = (2..=3).contains(&language.len())
            && language.bytes().all(|byte| byte.is_ascii_alphabetic());
        if text.len() > MAX_LOCALE_BYTES || !is_language {
            return Err(InvalidName::Locale);
        }
        let mut tag = language.to_ascii_lowercase();
        for subtag in subtags {
            if !(2..=8).contains(&subtag.len())
                || !subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
            {
                return Err(InvalidName::Locale);
            }
            tag.push('-');
            match subtag.len() {
                2 => tag.push_str(&subtag.to_ascii_uppercase()),
                4 => {
                    let (first, rest) = subtag.split_at(1);
                    tag.push_str(&first.to_ascii_uppercase());
                    tag.push_str(&rest.to_ascii_lowercase());
                }
                _ => tag.push_str(&subtag.to_ascii_lowercase()),
            }
        }
        Ok(Self(tag))
    }
}

impl TryFrom<String> for TemplateName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, InvalidName> {
        name.parse()
    }
}

impl TryFrom<String> for Locale {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<TemplateName> for String {
    fn from(name: TemplateName) -> Self {
        name.0
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.0
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_falls_back_to_its_language_and_then_to_the_default() {
        let fallbacks = |text: &str| text.parse::<Locale>().unwrap().fallbacks();
        assert_eq!(fallbacks("en_gb"), ["en-GB", "en", "default"]);
        assert_eq!(
            fallbacks("zh-hant-tw"),
            ["zh-Hant-TW", "zh-Hant", "zh", "default"]
        );
        assert_eq!(fallbacks("default"), ["default"]);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "A", "1a", "a b", "a/b", "é", &"a".repeat(65)] {
            assert!(name.parse::<TemplateName>().is_err(), "{name:?}");
        }
        for locale in [
            "",
            "e",
            "english",
            "en-",
            "en-é",
            "en--GB",
            "en-GB-verylongsubtag",
        ] {
            assert!(locale.parse::<Locale>().is_err(), "{locale:?}");
        }
    }
}
