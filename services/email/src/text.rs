//! The plain part of a mail, derived from its HTML.

/// Elements whose content nobody reads.
const UNREADABLE: &[&str] = &["head", "style", "script", "title", "template"];

/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "div",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tr",
    "ul",
];

/// Longest entity that is recognised, in bytes, without `&` and `;`.
const MAX_ENTITY_BYTES: usize = 8;

/// What a reader without HTML sees: paragraphs, list items, and links with their targets.
pub(crate) fn from_html(html: &str) -> String {
    let mut writer = Writer::default();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        writer.text(before);
        rest = if let Some(comment) = after.strip_prefix("!--") {
            comment.split_once("-->").map_or("", |(_, rest)| rest)
        } else if after.starts_with(|next: char| next.is_ascii_alphabetic() || "/!?".contains(next))
        {
            let (tag, rest) = split_tag(after);
            writer.tag(tag);
            rest
        } else {
            writer.text("<");
            after
        };
    }
    writer.text(rest);
    writer.finish()
}

/// Puts text together, with as few blanks and line breaks as its structure needs.
#[derive(Debug, Default)]
struct Writer {
    out: String,
    /// Line breaks owed before the next word.
    breaks: usize,
    /// Whether a blank is owed before the next word.
    blank: bool,
    /// Depth of elements nobody reads.
    hidden: usize,
    /// Targets of the links that are open, and where their text begins.
    links: Vec<(String, usize)>,
}

impl Writer {
    fn text(&mut self, text: &str) {
        if self.hidden > 0 {
            return;
        }
        for (index, word) in text.split([' ', '\t', '\r', '\n']).enumerate() {
            self.blank |= index > 0;
            if !word.is_empty() {
                self.word(&unescape(word));
            }
        }
    }

    fn word(&mut self, word: &str) {
        if !self.out.is_empty() {
            self.out.extend(std::iter::repeat_n('\n', self.breaks));
            if self.blank && self.breaks == 0 {
                self.out.push(' ');
            }
        }
        self.breaks = 0;
        self.blank = false;
        self.out.push_str(word);
    }

    fn tag(&mut self, tag: &str) {
        let (is_end, tag) = match tag.strip_prefix('/') {
            Some(tag) => (true, tag),
            None => (false, tag),
        };
        let name = tag
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        match name.as_str() {
            name if UNREADABLE.contains(&name) => {
                self.hidden = if is_end {
                    self.hidden.saturating_sub(1)
                } else {
                    self.hidden + 1
                };
            }
            _ if self.hidden > 0 => {}
            "br" => self.breaks += 1,
            "li" if is_end => {}
            "li" => {
                self.breaks = self.breaks.max(1);
                self.word("-");
                self.blank = true;
            }
            "td" | "th" => self.blank = true,
            "a" if is_end => self.end_link(),
            "a" => self.begin_link(tag),
            name if BLOCKS.contains(&name) => self.breaks = self.breaks.max(2),
            _ => {}
        }
    }

    fn begin_link(&mut self, tag: &str) {
        let target = attribute(tag, "href").map(unescape).unwrap_or_default();
        self.links.push((target, self.out.len()));
    }

    fn end_link(&mut self) {
        let Some((target, start)) = self.links.pop() else {
            return;
        };
        let shown = self.out.get(start..).unwrap_or_default().trim();
        if target.is_empty() || target.starts_with('#') || shown == target {
            return;
        }
        if shown.is_empty() {
            self.word(&target);
        } else {
            self.blank = true;
            self.word(&format!("({target})"));
        }
    }

    fn finish(self) -> String {
        self.out.trim().to_owned()
    }
}

/// Splits behind the `>` that ends a tag; one inside a quoted attribute does not.
fn split_tag(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => {
                let (tag, rest) = text.split_at(index);
                return (tag, rest.strip_prefix('>').unwrap_or(rest));
            }
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    (text, "")
}

/// The quoted value of an attribute.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = tag;
    loop {
        let (before, after) = rest.split_once('=')?;
        let found = before.split_ascii_whitespace().next_back()?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| ['"', '\''].contains(c))?;
        let (value, next) = after.strip_prefix(quote)?.split_once(quote)?;
        if found.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
}

/// Resolves the entities that occur in mails; others stay as they are.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        // Looked for no further than it can be: a text may be nothing but ampersands.
        let mut near = after.bytes().take(MAX_ENTITY_BYTES + 1);
        let resolved = near
            .position(|byte| byte == b';')
            .and_then(|end| Some((entity(after.get(..end)?)?, after.get(end + 1..)?)));
        rest = if let Some((c, next)) = resolved {
            out.push(c);
            next
        } else {
            out.push('&');
            after
        };
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "copy" => '©',
        "mdash" => '—',
        "ndash" => '–',
        "hellip" => '…',
        _ => {
            let code = name.strip_prefix('#')?;
            let number = match code.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => code.parse().ok()?,
            };
            char::from_u32(number).filter(|c| !c.is_control())?
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn structure_becomes_lines() {
        let html = "<html><head><title>No</title><style>p { }</style></head><body>
            <h1>Hello,\n   Ada</h1><p>One<br>two</p>
            <ul><li>first</li><li>second</li></ul><!-- no --><script>no()</script>
            <table><tr><td>a</td><td>b</td></tr></table></body></html>";
        assert_eq!(
            from_html(html),
            "Hello, Ada\n\nOne\ntwo\n\n- first\n- second\n\na b"
        );
    }

    #[test]
    fn a_link_shows_where_it_leads() {
        assert_eq!(
            from_html(
                r#"<p>Please <a class='x' href="https://a.example/?a=1&amp;b=2">confirm</a>.</p>"#
            ),
            "Please confirm (https://a.example/?a=1&b=2)."
        );
        assert_eq!(
            from_html(r#"<a href="https://a.example">https://a.example</a>"#),
            "https://a.example"
        );
    }

    #[test]
    fn escaped_text_is_text_again() {
        assert_eq!(
            from_html("1 &lt; 2 &amp;&amp; &#x27;x&#39; &unknown; & <3"),
            "1 < 2 && 'x' &unknown; & <3"
        );
    }

    proptest! {
        #[test]
        fn any_input_is_survived(html in "[<>/a-z\"'=&;#! é\n-]{0,200}") {
            from_html(&html);
        }

        #[test]
        fn escaped_words_come_back(words in "[a-z<>&\"']{1,20}") {
            let escaped = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            prop_assert_eq!(from_html(&format!("<p>{escaped}</p>")), words);
        }
    }
}
