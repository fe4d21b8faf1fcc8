//! How much a template may ask for.
//!
//! What is nested is parsed, compiled and dropped by functions that call themselves, and a stack that overflows
//! ends the process. Nesting is bounded by what is written: chains by the tokens of a tag, branches by
//! the tags.

use std::io;

use minijinja::{
    machinery::{Token, tokenize},
    syntax::SyntaxConfig,
};

/// Most tags of one part: what stands in `{{ … }}` and `{% … %}`.
const MAX_TAGS: usize = 500;

/// Most words and signs of one tag.
const MAX_TOKENS: usize = 250;

/// Longest result of one part, in bytes; more is in no mail.
const MAX_PAGE_BYTES: usize = 64 * 1024;

/// Refuses what is too large to be parsed, or can be in no mail, with its line. Mistakes are left to the
/// parser.
pub(super) fn check(source: &str) -> Result<(), (usize, &'static str)> {
    if source.contains('\0') {
        return Err((1, "it holds a zero character"));
    }
    let (mut tags, mut tokens) = (0, 0);
    let lexed = tokenize(source, false, SyntaxConfig::default());
    for (token, span) in lexed.map_while(Result::ok) {
        if matches!(token, Token::VariableStart | Token::BlockStart) {
            tags += 1;
            tokens = 0;
        }
        tokens += 1;
        let is_product = matches!(token, Token::Mul | Token::Pow);
        let line = usize::from(span.start_line);
        // A text or a list times a number is as long as a variable says.
        if is_product {
            return Err((line, "there is no `*`: count before, or write a loop"));
        }
        if tags > MAX_TAGS {
            return Err((line, "it has more than 500 tags"));
        }
        if tokens > MAX_TOKENS {
            return Err((line, "a tag has more than 250 words and signs"));
        }
    }
    Ok(())
}

/// What is written while a template is filled in.
#[derive(Debug, Default)]
pub(super) struct Page(Vec<u8>);

impl Page {
    pub(super) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_PAGE_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MAX_PAGE_BYTES, MAX_TAGS, MAX_TOKENS};
    use crate::render::{RenderError, Source};

    fn render(html: &str) -> Result<String, RenderError> {
        let source = Source {
            subject: "s".to_owned(),
            html: html.to_owned(),
            text: Some("t".to_owned()),
        };
        let variables = json!({ "a": "q" });
        let content = source.render(variables.as_object().unwrap())?;
        Ok(content.html.unwrap())
    }

    #[test]
    fn a_template_that_would_overflow_the_stack_is_refused() {
        let chain = |link: &str| format!("{{{{ a{} }}}}", link.repeat(10_000));
        let elifs = "{% elif a %}".repeat(5_000);
        for html in [
            chain(".b"),
            chain("[0]"),
            chain("|upper"),
            chain(" ~ a"),
            chain(" if a else a"),
            format!("{{{{ {}a }}}}", "not ".repeat(10_000)),
            format!("{{{{ '}}}}' ~ a{} }}}}", ".b".repeat(10_000)),
            format!("{{% if a %}}{elifs}{{% endif %}}"),
            "{% set a = [a] %}".repeat(3_000),
        ] {
            let error = render(&html).unwrap_err();
            assert!(matches!(error, RenderError::Syntax { .. }), "{error}");
        }
    }

    #[test]
    fn the_largest_template_that_is_parsed_fits_on_a_stack() {
        let chain = format!("{}a", "not ".repeat(MAX_TOKENS - 4));
        let branch = format!("{{% elif {chain} %}}");
        let branches = branch.repeat(MAX_TAGS - 3);
        let html = format!("{{% if false %}}{branches}{{{{ a }}}}{{% endif %}}");
        render(&html).unwrap();
        let nested = "{% set a = [a] %}".repeat(MAX_TAGS - 1);
        render(&format!("{nested}{{{{ a }}}}")).unwrap();
    }

    #[test]
    fn a_result_that_is_in_no_mail_is_not_made() {
        let line = "x".repeat(MAX_PAGE_BYTES);
        assert_eq!(render(&line).unwrap().len(), MAX_PAGE_BYTES);
        for html in [
            format!("{line}{{{{ a }}}}"),
            format!(
                "{{% for i in range(9) %}}{}{{% endfor %}}",
                "x".repeat(9_000)
            ),
        ] {
            let error = render(&html).unwrap_err();
            assert!(matches!(error, RenderError::Failed { .. }), "{error}");
        }
    }

    #[test]
    fn a_variable_does_not_say_how_long_a_value_gets() {
        for html in ["{{ a * 100000000 }}", "{{ [a] * 9 }}", "{{ 9 ** 9 }}"] {
            let error = render(html).unwrap_err();
            assert!(matches!(error, RenderError::Syntax { .. }), "{error}");
        }
        let html = "{% set n = namespace(x=a) %}{% set n.x = n.x ~ n.x %}";
        assert!(render(html).is_err());
        let stars = "{% for i in range(3) %}*{% endfor %}";
        assert_eq!(render(stars).unwrap(), "***");
    }
}
