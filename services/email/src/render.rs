//! Fills templates.
//!
//! The language is Jinja's, without includes: a template reaches its variables and nothing else. A
//! variable's leading dot is ignored, so that `{{ .ConfirmationURL }}` of a GoTrue template works.

mod limits;

use std::{collections::BTreeSet, fmt::Write as _, sync::LazyLock};

use minijinja::{
    AutoEscape, Environment, ErrorKind, Output, State, Template, UndefinedBehavior,
    escape_formatter,
    value::{Serde, Value},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::limits::Page;
use crate::{mail::Content, text};

/// Instructions one rendering may take.
const FUEL: u64 = 100_000;

/// What a template consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// Template of the subject line.
    pub(crate) subject: String,
    /// Template of the HTML part; variables are escaped.
    pub(crate) html: String,
    /// Template of the plain part; derived from the HTML when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// Variables by name.
pub(crate) type Variables = serde_json::Map<String, serde_json::Value>;

/// Why a template gives no mail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenderError {
    #[error("the {part} has a mistake in line {line}: {reason}")]
    Syntax {
        part: &'static str,
        line: usize,
        reason: String,
    },
    #[error("the {part} needs variables that were not given: {}", .names.join(", "))]
    MissingVariables {
        part: &'static str,
        names: Vec<String>,
    },
    #[error("the {part} cannot be filled in (line {line}): {reason}")]
    Failed {
        part: &'static str,
        line: usize,
        reason: String,
    },
}

/// One for all: it holds settings, no templates.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(write_value);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(false);
    // What a loop could grow without an end.
    environment.remove_global("namespace");
    environment
});

impl Source {
    /// Fills in `variables`; every one the templates use must be there.
    pub(crate) fn render(&self, variables: &Variables) -> Result<Content, RenderError> {
        let variables = Value::from(Serde(variables));
        let html = render("html", &self.html, &variables)?;
        let text = match &self.text {
            Some(text) => render("text", text, &variables)?,
            None => text::from_html(&html),
        };
        Ok(Content {
            subject: render("subject", &self.subject, &variables)?
                .trim()
                .to_owned(),
            html: Some(html),
            text,
        })
    }

    /// Looks for mistakes without filling anything in.
    pub(crate) fn check(&self) -> Result<(), RenderError> {
        let text = self.text.as_deref().map(|text| ("text", text));
        let parts = [("subject", self.subject.as_str()), ("html", &self.html)];
        for (part, source) in parts.into_iter().chain(text) {
            parse(part, &without_dots(source))?;
        }
        Ok(())
    }
}

fn render(part: &'static str, source: &str, variables: &Value) -> Result<String, RenderError> {
    let source = without_dots(source);
    let template = parse(part, &source)?;
    let mut page = Page::default();
    let rendered = template.render_captured_to(variables, &mut page);
    rendered.map(drop).map_err(|error| {
        let missing = missing(&template.undeclared_variables(true), variables);
        if error.kind() == ErrorKind::UndefinedError && !missing.is_empty() {
            let names = missing;
            RenderError::MissingVariables { part, names }
        } else {
            failed(part, &error)
        }
    })?;
    Ok(page.into_text())
}

fn parse<'a>(part: &'static str, source: &'a str) -> Result<Template<'a, 'a>, RenderError> {
    let environment: &'a Environment<'a> = &ENVIRONMENT;
    limits::check(source).map_err(|(line, reason)| RenderError::Syntax {
        part,
        line,
        reason: reason.to_owned(),
    })?;
    environment
        .template_from_named_str(part, source)
        .map_err(|error| failed(part, &error))
}

/// The used names that lead nowhere.
fn missing<'a>(used: impl IntoIterator<Item = &'a String>, variables: &Value) -> Vec<String> {
    let is_missing = |name: &&String| {
        let found = name.split('.').try_fold(variables.clone(), |value, step| {
            value
                .get_attr(step)
                .ok()
                .filter(|value| !value.is_undefined())
        });
        found.is_none()
    };
    let names: BTreeSet<_> = used.into_iter().filter(is_missing).cloned().collect();
    names.into_iter().collect()
}

fn failed(part: &'static str, error: &minijinja::Error) -> RenderError {
    let line = error.line().unwrap_or(1);
    let reason = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    match error.kind() {
        ErrorKind::SyntaxError | ErrorKind::UnknownFilter | ErrorKind::UnknownTest => {
            RenderError::Syntax { part, line, reason }
        }
        _ => RenderError::Failed { part, line, reason },
    }
}

/// Writes a value as its part needs it. Nothing is written for null, and slashes stay as they are
/// in HTML: links would be unreadable to those who look at the source.
fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let in_html = matches!(state.auto_escape(), AutoEscape::Html);
    match value.as_str() {
        _ if value.is_none() => Ok(()),
        Some(text) if in_html && !value.is_safe() => {
            for c in text.chars() {
                match c {
                    '<' => out.write_str("&lt;"),
                    '>' => out.write_str("&gt;"),
                    '&' => out.write_str("&amp;"),
                    '"' => out.write_str("&quot;"),
                    '\'' => out.write_str("&#39;"),
                    other => out.write_char(other),
                }
                .map_err(|error| {
                    minijinja::Error::from(ErrorKind::WriteFailure).with_source(error)
                })?;
            }
            Ok(())
        }
        _ => escape_formatter(out, state, value),
    }
}

/// Takes the dot from `{{ .Name }}`, which is how Go's templates say it.
fn without_dots(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        out.push_str("{{");
        let expression = after.trim_start_matches(['-', ' ']);
        let (blanks, _) = after.split_at(after.len() - expression.len());
        out.push_str(blanks);
        rest = expression.strip_prefix('.').unwrap_or(expression);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(subject: &str, html: &str, text: Option<&str>) -> Source {
        Source {
            subject: subject.to_owned(),
            html: html.to_owned(),
            text: text.map(str::to_owned),
        }
    }

    fn render_html(html: &str, variables: &serde_json::Value) -> Result<String, RenderError> {
        let variables = variables.as_object().unwrap();
        let content = source("s", html, None).render(variables)?;
        Ok(content.html.unwrap())
    }

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let source = source("{{ name }}", "<p>{{ name }}</p>", Some("Dear {{ name }}"));
        let variables = json!({"name": "<b>\"A&B\"</b>/'"});
        let content = source.render(variables.as_object().unwrap()).unwrap();
        assert_eq!(
            content.html.as_deref(),
            Some("<p>&lt;b&gt;&quot;A&amp;B&quot;&lt;/b&gt;/&#39;</p>")
        );
        assert_eq!(content.text, "Dear <b>\"A&B\"</b>/'");
        assert_eq!(content.subject, "<b>\"A&B\"</b>/'");
    }

    #[test]
    fn a_list_or_an_object_is_escaped_too() {
        let html = render_html("{{ x }}", &json!({"x": ["<script>"]})).unwrap();
        assert!(!html.contains("<script>"), "{html}");
    }

    #[test]
    fn missing_variables_are_named() {
        let error = render_html(
            "{{ a }} {{ Data.name }} {{ b }}",
            &json!({"b": 1, "Data": {}}),
        );
        let text = error.unwrap_err().to_string();
        assert_eq!(
            text,
            "the html needs variables that were not given: Data.name, a"
        );
    }

    #[test]
    fn go_templates_dots_are_understood() {
        let html = "<a href=\"{{ .URL }}\">{{.Data.name}}</a>{{- .URL}} {{ 'a.b' }} .{{ x }}";
        let html = render_html(
            html,
            &json!({"URL": "https://a/?b&c", "Data": {"name": "n"}, "x": 1}),
        );
        assert_eq!(
            html.unwrap(),
            "<a href=\"https://a/?b&amp;c\">n</a>https://a/?b&amp;c a.b .1"
        );
    }

    #[test]
    fn null_is_nothing() {
        assert_eq!(render_html("[{{ x }}]", &json!({"x": null})).unwrap(), "[]");
    }

    #[test]
    fn mistakes_are_located() {
        let error = source("s", "<p>\n{{ a", None).check().unwrap_err();
        assert!(
            matches!(
                error,
                RenderError::Syntax {
                    part: "html",
                    line: 2,
                    ..
                }
            ),
            "{error}"
        );
        for html in ["{% include 'x' %}", "{% extends 'x' %}"] {
            assert!(source("s", html, None).check().is_err(), "{html}");
        }
    }

    #[test]
    fn an_endless_template_ends() {
        let html = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        let error = render_html(html, &json!({})).unwrap_err();
        assert!(matches!(error, RenderError::Failed { .. }), "{error}");
    }
}
