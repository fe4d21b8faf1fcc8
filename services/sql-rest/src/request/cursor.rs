//! A place in a text being parsed, and the explanation when it cannot be parsed.
//!
//! Parsers are functions from a [`Cursor`] to a [`Parsed`] value. One that fails leaves the cursor
//! where it gave up; [`Cursor::attempt`] and [`Cursor::either`] go back. What was expected is noted
//! only in a second run over a text that failed in the first, so that good requests pay nothing.

use crate::{error::Error, options::Limits};

/// The result of a parser; why it failed is noted in the cursor.
pub(super) type Parsed<T> = Result<T, Failed>;

/// A parser gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// A place in a text being parsed.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    position: usize,
    levels_left: usize,
    /// None while nothing is noted.
    failure: Option<Failure>,
}

/// The furthest place at which something was expected in vain.
#[derive(Debug, Default)]
struct Failure {
    position: usize,
    unexpected: Option<Unexpected>,
    expected: Vec<Expected>,
    too_deep: bool,
}

/// What stood there instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unexpected {
    Character(char),
    End,
}

/// What would have been accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Exactly this text.
    Token(&'static str),
    /// Something of this kind.
    Label(&'static str),
    /// Nothing more.
    End,
}

/// Parses a text from its start; what follows the parsed part is ignored. `what` and `shown` name
/// the text in the message to the client.
pub(super) fn parse<'a, T>(
    what: &str,
    shown: &str,
    text: &'a str,
    limits: Limits,
    parser: impl Fn(&mut Cursor<'a>) -> Parsed<T>,
) -> Result<T, Error> {
    let mut quick = Cursor::new(text, limits, None);
    if let Ok(parsed) = parser(&mut quick) {
        return Ok(parsed);
    }
    let mut explaining = Cursor::new(text, limits, Some(Failure::default()));
    match parser(&mut explaining) {
        Ok(parsed) => Ok(parsed),
        Err(Failed) => Err(explaining.error(what, shown)),
    }
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str, limits: Limits, failure: Option<Failure>) -> Self {
        Self {
            text,
            position: 0,
            levels_left: limits.depth,
            failure,
        }
    }

    /// Where the cursor stands, in bytes.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// What is still to be parsed.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes everything that is left.
    pub(super) fn take_rest(&mut self) -> &'a str {
        let rest = self.rest();
        self.position = self.text.len();
        rest
    }

    /// Takes characters as long as they are wanted.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|character| !wanted(character))
            .unwrap_or(rest.len());
        self.position += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Takes the next character, whichever it is.
    pub(super) fn take_any(&mut self) -> Parsed<char> {
        let character = self.peek().ok_or_else(|| self.fail(&[]))?;
        self.position += character.len_utf8();
        Ok(character)
    }

    /// Takes exactly this text.
    pub(super) fn token(&mut self, token: &'static str) -> Parsed<()> {
        self.token_as(token, Expected::Token(token))
    }

    /// Takes exactly this text, called otherwise in messages.
    pub(super) fn token_as(&mut self, token: &'static str, called: Expected) -> Parsed<()> {
        if self.rest().starts_with(token) {
            self.position += token.len();
            return Ok(());
        }
        // What is unexpected is the first character that differs, though the text starts before.
        let differs = token
            .chars()
            .zip(self.rest().chars())
            .find_map(|(wanted, found)| (wanted != found).then_some(found));
        Err(self.note(self.position, differs.into(), &[called]))
    }

    /// Whether exactly this text follows, without taking it.
    pub(super) fn follows(&mut self, token: &'static str) -> bool {
        let start = self.position;
        let follows = self.token(token).is_ok();
        self.position = start;
        follows
    }

    /// Skips spaces and tabs.
    pub(super) fn skip_blanks(&mut self) {
        self.take_while(|character| matches!(character, ' ' | '\t'));
    }

    /// Whether the text ends here.
    pub(super) fn at_end(&mut self) -> bool {
        let ended = self.rest().is_empty();
        if !ended {
            self.fail(&[Expected::End]);
        }
        ended
    }

    /// Gives up here, for want of one of these.
    pub(super) fn fail(&mut self, expected: &[Expected]) -> Failed {
        self.note(self.position, self.peek().into(), expected)
    }

    /// Notes that one of these could have followed too.
    pub(super) fn could_follow(&mut self, expected: &[Expected]) {
        self.fail(expected);
    }

    /// Runs a parser that goes back to where it started when it fails.
    pub(super) fn attempt<T>(&mut self, parser: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let start = self.position;
        let parsed = parser(self);
        if parsed.is_err() {
            self.position = start;
        }
        parsed
    }

    /// Runs a parser for something that may be missing without anybody missing it.
    pub(super) fn optional<T>(&mut self, parser: impl FnOnce(&mut Self) -> Parsed<T>) -> Option<T> {
        let before = self.failure.take();
        let parsed = self.attempt(parser);
        self.failure = before;
        parsed.ok()
    }

    /// Runs one parser or, when it fails, another from the same place. Once the second has taken
    /// anything, what the first had expected no longer matters.
    pub(super) fn either<T>(
        &mut self,
        first: impl FnOnce(&mut Self) -> Parsed<T>,
        second: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        let start = self.position;
        let before = self.failure.as_mut().map(std::mem::take);
        if let Ok(parsed) = self.attempt(first) {
            self.precede(before);
            return Ok(parsed);
        }
        let tried = self.failure.as_mut().map(std::mem::take);
        let parsed = second(self);
        if self.position == start {
            self.precede(tried);
        }
        self.precede(before);
        parsed
    }

    /// Runs a parser; when it fails having taken nothing, only its label was expected.
    pub(super) fn labelled<T>(
        &mut self,
        label: &'static str,
        parser: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        let start = self.position;
        let before = self.failure.as_mut().map(std::mem::take);
        let parsed = parser(self);
        if let (Err(Failed), Some(failure)) = (parsed.as_ref(), &mut self.failure)
            && self.position == start
        {
            failure.expected = vec![Expected::Label(label)];
        }
        self.precede(before);
        parsed
    }

    /// Runs a parser one level deeper; levels are bounded.
    pub(super) fn deeper<T>(&mut self, parser: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let Some(left) = self.levels_left.checked_sub(1) else {
            if let Some(failure) = &mut self.failure {
                failure.too_deep = true;
            }
            return Err(Failed);
        };
        self.levels_left = left;
        let parsed = parser(self);
        self.levels_left += 1;
        parsed
    }

    fn note(&mut self, position: usize, found: Unexpected, expected: &[Expected]) -> Failed {
        if self.failure.is_some() {
            self.merge(Some(Failure {
                position,
                unexpected: Some(found),
                expected: expected.to_vec(),
                too_deep: false,
            }));
        }
        Failed
    }

    /// Puts what was noted before some parser ran in front of what that parser noted.
    fn precede(&mut self, before: Option<Failure>) {
        let since = std::mem::replace(&mut self.failure, before);
        self.merge(since);
    }

    /// Keeps of two failures the one further on, or both when they are at the same place.
    fn merge(&mut self, other: Option<Failure>) {
        let (Some(mine), Some(other)) = (&mut self.failure, other) else {
            return;
        };
        let too_deep = mine.too_deep || other.too_deep;
        if mine.unexpected.is_none() || other.position > mine.position && other.unexpected.is_some()
        {
            *mine = other;
        } else if other.position == mine.position {
            mine.expected.extend(other.expected);
        }
        mine.too_deep = too_deep;
    }

    fn error(self, what: &str, shown: &str) -> Error {
        let failure = self.failure.unwrap_or_default();
        let (line, column) = line_and_column(self.text, failure.position);
        Error::Syntax {
            message: format!("\"failed to parse {what} ({shown})\" (line {line}, column {column})"),
            details: failure.details(),
        }
    }
}

impl From<Option<char>> for Unexpected {
    fn from(character: Option<char>) -> Self {
        character.map_or(Self::End, Self::Character)
    }
}

impl Failure {
    fn details(&self) -> String {
        if self.too_deep {
            return "nested too deeply".to_owned();
        }
        let unexpected = match self.unexpected {
            Some(Unexpected::Character(character)) if self.expected.contains(&Expected::End) => {
                format!("'{character}'")
            }
            Some(Unexpected::Character(character)) => format!("\"{character}\""),
            Some(Unexpected::End) | None => "end of input".to_owned(),
        };
        match self.expected_text() {
            Some(expected) => format!("unexpected {unexpected} expecting {expected}"),
            None => format!("unexpected {unexpected}"),
        }
    }

    fn expected_text(&self) -> Option<String> {
        let mut texts: Vec<String> = Vec::new();
        // The end of the text is named last, wherever it was thought of.
        let (ends, others): (Vec<Expected>, Vec<Expected>) = self
            .expected
            .iter()
            .partition(|expected| **expected == Expected::End);
        for text in others.into_iter().chain(ends).map(Expected::text) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let last = texts.pop()?;
        if texts.is_empty() {
            return Some(last);
        }
        Some(format!("{} or {last}", texts.join(", ")))
    }
}

impl Expected {
    fn text(self) -> String {
        match self {
            Self::Token(token) => format!("\"{token}\""),
            Self::Label(label) => label.to_owned(),
            Self::End => "end of input".to_owned(),
        }
    }
}

/// Line and column of a place, both from 1, tabs reaching to the next multiple of eight.
fn line_and_column(text: &str, position: usize) -> (usize, usize) {
    let before = text.get(..position).unwrap_or(text);
    before
        .chars()
        .fold((1, 1), |(line, column), character| match character {
            '\n' => (line + 1, 1),
            '\t' => (line, column + 8 - (column - 1) % 8),
            _ => (line, column + 1),
        })
}
