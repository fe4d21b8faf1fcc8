//! Patterns of the allow list, as Go's `gobwas/glob` reads them with the separators `.` and `/`.
//!
//! | pattern | matches |
//! | --- | --- |
//! | `*` | any characters but separators |
//! | `**` | any characters |
//! | `?` | one character that is no separator |
//! | `[abc]`, `[!abc]` | one character of these, or one that is none of these |
//! | `[a-z]`, `[!a-z]` | one character of this range, or one outside |
//! | `\c` | the character `c` |
//!
//! A class is one range or a list of characters, and knows no separators: `[!a]` matches `/`. What Go
//! does not take for a pattern is none here either. Alternatives (`{a,b}`) are refused, since commas
//! separate the patterns themselves.

use std::str::{Chars, FromStr};

/// A pattern that a whole text matches, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Item>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// Any characters.
    Everything,
    /// Any characters but separators.
    Segment,
    /// One character that is no separator.
    Single,
    Character(char),
    Class {
        members: Members,
        is_negated: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Members {
    Range(char, char),
    List(Vec<char>),
}

impl FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest = text.chars();
        let mut items = Vec::new();
        while let Some(c) = rest.next() {
            items.push(match c {
                '*' if rest.as_str().starts_with('*') => {
                    rest.next();
                    Item::Everything
                }
                '*' => Item::Segment,
                '?' => Item::Single,
                '[' => class(&mut rest)?,
                '{' => return Err("alternatives in braces are not supported"),
                '\\' => Item::Character(rest.next().ok_or("a backslash is the last character")?),
                _ => Item::Character(c),
            });
        }
        Ok(Self(items))
    }
}

/// The class that begins after its bracket.
fn class(rest: &mut Chars<'_>) -> Result<Item, &'static str> {
    let is_negated = rest.as_str().starts_with('!');
    if is_negated {
        rest.next();
    }
    let mut ahead = rest.clone();
    let members = match (ahead.next(), ahead.next()) {
        (Some(low), Some('-')) => {
            *rest = ahead;
            range(low, rest)?
        }
        _ => list(rest)?,
    };
    Ok(Item::Class {
        members,
        is_negated,
    })
}

fn range(low: char, rest: &mut Chars<'_>) -> Result<Members, &'static str> {
    match (rest.next(), rest.next()) {
        (Some(high), Some(']')) if low <= high => Ok(Members::Range(low, high)),
        (Some(_), Some(']')) => Err("a range ends before it begins"),
        _ => Err("a class is one range or a list of characters, in brackets"),
    }
}

fn list(rest: &mut Chars<'_>) -> Result<Members, &'static str> {
    const OPEN: &str = "a bracket is not closed";
    let mut list = Vec::new();
    loop {
        match rest.next().ok_or(OPEN)? {
            ']' if list.is_empty() => return Err("there is nothing in a class"),
            ']' => return Ok(Members::List(list)),
            '\\' => list.push(rest.next().ok_or(OPEN)?),
            c => list.push(c),
        }
    }
}

impl Item {
    /// Whether it matches any number of characters, none among them.
    fn repeats(&self) -> bool {
        matches!(self, Self::Everything | Self::Segment)
    }

    fn fits(&self, c: char) -> bool {
        match self {
            Self::Everything => true,
            Self::Segment | Self::Single => !matches!(c, '.' | '/'),
            Self::Character(expected) => c == *expected,
            Self::Class {
                members,
                is_negated,
            } => members.have(c) != *is_negated,
        }
    }
}

impl Members {
    fn have(&self, c: char) -> bool {
        match self {
            Self::Range(low, high) => (*low..=*high).contains(&c),
            Self::List(list) => list.contains(&c),
        }
    }
}

impl Pattern {
    /// Whether it matches the whole of `text`, in a time proportional to the product of lengths.
    pub fn matches(&self, text: &str) -> bool {
        let Self(items) = self;
        // For each item, whether what has been read may be followed by it; and whether it may be all.
        let mut open = vec![false; items.len() + 1];
        open[0] = true;
        self.pass_repeating(&mut open);
        for c in text.chars() {
            let mut next = vec![false; items.len() + 1];
            for (at, item) in items.iter().enumerate() {
                if open[at] && item.fits(c) {
                    next[if item.repeats() { at } else { at + 1 }] = true;
                }
            }
            self.pass_repeating(&mut next);
            open = next;
        }
        open[items.len()]
    }

    /// What may match nothing may be passed over.
    fn pass_repeating(&self, open: &mut [bool]) {
        for (at, item) in self.0.iter().enumerate() {
            open[at + 1] |= open[at] && item.repeats();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(text)
    }

    #[test]
    fn stars_and_question_marks_know_separators() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("*", "abc", true),
            ("*", "a/b", false),
            ("*", "a.b", false),
            ("**", "a/b.c", true),
            ("a*c", "abbc", true),
            ("a*c", "ab", false),
            ("a**", "a", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("a?c", "a\u{e9}c", true),
            ("*.example.org", "one.example.org", true),
            ("*.example.org", "one.two.example.org", false),
            ("**/x", "a/b/x", true),
            ("**/x", "a/b/y", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_class_is_a_list_or_one_range() {
        for (pattern, text, expected) in [
            ("x[abc]", "xb", true),
            ("x[abc]", "xd", false),
            ("x[abc]", "x", false),
            ("x[abc]", "xab", false),
            ("x[!abc]", "xd", true),
            ("x[!abc]", "xb", false),
            ("x[!abc]", "x", false),
            ("x[a-c]", "xb", true),
            ("x[a-c]", "xd", false),
            ("x[!a-c]", "xd", true),
            ("x[!a-c]", "xb", false),
            ("x[a-a]", "xa", true),
            // The hyphen makes a range only as the second character.
            ("x[abc-z]", "xk", false),
            ("x[abc-z]", "x-", true),
            ("x[-a]", "x-", true),
            ("x[!-a]", "x-", false),
            ("x[!-a]", "xb", true),
            // An exclamation mark negates only as the first, a circumflex never.
            ("x[a!]", "x!", true),
            ("x[^a]", "xa", true),
            ("x[^a]", "xb", false),
            (r"x[\]]", "x]", true),
            (r"x[a\-z]", "x-", true),
            (r"x[a\-z]", "xb", false),
            ("x[*?]", "x*", true),
            ("x[*?]", "xa", false),
            // Separators are characters like others.
            ("x[./]", "x/", true),
            ("x[!a]", "x/", true),
            ("*[!x]*b", "qq/b", true),
            ("preview-[0-9]*.example.org", "preview-12.example.org", true),
            ("preview-[0-9]*.example.org", "preview-a.example.org", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_escaped_character_is_itself() {
        for (pattern, text, expected) in [
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            (r"a\?b=1", "a?b=1", true),
            (r"a\?b=1", "axb=1", false),
            (r"\[a]", "[a]", true),
            (r"\[a]", "a", false),
            (r"\{a}", "{a}", true),
            (r"\a", "a", true),
            (r"\\", r"\", true),
            ("a]", "a]", true),
            ("a}", "a}", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_go_does_not_take_is_no_pattern() {
        for text in [
            "[", "[]", "[!]", "[a", "[!a", "[a-", "[a-]", "[c-a]", "[a-z0-9]", "[a-zx]", r"[\]",
            r"a\", "{a,b}", "{a", "[]a]",
        ] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_hard_pattern_does_not_take_long() {
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
        assert!(!matches(&"**a".repeat(40), &"b".repeat(5000)));
        assert!(!matches(&"*[!x]".repeat(40), &"x".repeat(5000)));
    }
}
