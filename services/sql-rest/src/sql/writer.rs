//! Text and binds of a statement, growing together.

use bytes::Bytes;

use super::Bind;
use crate::{catalog::QualifiedName, quote};

/// A statement being written.
#[derive(Debug)]
pub(super) struct Writer {
    text: String,
    binds: Vec<Bind>,
}

/// Most statements are no longer than this, and so need no more room while they grow.
const COMMON_LENGTH: usize = 1024;

impl Default for Writer {
    fn default() -> Self {
        Self {
            text: String::with_capacity(COMMON_LENGTH),
            binds: Vec::new(),
        }
    }
}

impl Writer {
    /// Appends text of our own.
    pub(super) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends text PostgreSQL's catalogue holds as SQL: types and default expressions.
    pub(super) fn catalog_sql(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a number of our own.
    pub(super) fn number(&mut self, number: usize) -> &mut Self {
        self.text.push_str(&number.to_string());
        self
    }

    /// Appends a quoted name.
    pub(super) fn ident(&mut self, name: &str) -> &mut Self {
        quote::ident(&mut self.text, name);
        self
    }

    /// Appends a quoted name behind a dot behind another.
    pub(super) fn member(&mut self, of: &str, name: &str) -> &mut Self {
        self.ident(of).push(".").ident(name)
    }

    /// Appends a quoted name with its schema.
    pub(super) fn qualified(&mut self, name: &QualifiedName) -> &mut Self {
        quote::qualified(&mut self.text, name);
        self
    }

    /// Appends the name of a type a client wrote.
    pub(super) fn type_name(&mut self, name: &str) -> &mut Self {
        quote::type_name(&mut self.text, name);
        self
    }

    /// Appends the placeholder of a text.
    pub(super) fn bind(&mut self, text: impl Into<String>) -> &mut Self {
        self.bind_as(Bind::Text(text.into()))
    }

    /// Appends the placeholder of a body.
    pub(super) fn bind_body(&mut self, body: &Bytes) -> &mut Self {
        self.bind_as(Bind::Body(body.clone()))
    }

    /// Appends the placeholder of a value.
    pub(super) fn bind_as(&mut self, bind: Bind) -> &mut Self {
        self.binds.push(bind);
        quote::placeholder(&mut self.text, self.binds.len());
        self
    }

    /// Appends things with a separator between them.
    pub(super) fn separated<T>(
        &mut self,
        separator: &'static str,
        things: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (position, thing) in things.into_iter().enumerate() {
            if position > 0 {
                self.push(separator);
            }
            write(self, thing);
        }
        self
    }

    /// The text and its binds.
    pub(super) fn finish(self) -> (String, Vec<Bind>) {
        (self.text, self.binds)
    }
}
