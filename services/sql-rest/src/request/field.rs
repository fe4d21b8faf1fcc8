//! A column, or a place inside one.

/// A column and a path into its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column's name; `*` for all.
    pub name: String,
    /// Steps into the value, none for the value itself.
    pub path: Vec<JsonStep>,
}

/// One step of a path into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonStep {
    /// Whether the result is text (`->>`) rather than JSON (`->`).
    pub as_text: bool,
    /// Where to step.
    pub key: JsonKey,
}

/// The target of a [`JsonStep`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonKey {
    /// A member of an object.
    Name(String),
    /// An element of an array: an integer as written, which PostgreSQL reads.
    Index(String),
}

impl Field {
    /// A whole column.
    pub fn column(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: Vec::new(),
        }
    }

    /// Whether all columns are meant.
    pub fn is_star(&self) -> bool {
        self.name == "*" && self.path.is_empty()
    }

    /// The name a value read by this path has in the answer, when it has a path: the last member
    /// named on it, or the column when only elements are.
    pub fn path_name(&self) -> Option<&str> {
        self.path.last()?;
        let named = self.path.iter().rev().find_map(|step| match &step.key {
            JsonKey::Name(name) => Some(name.as_str()),
            JsonKey::Index(_) => None,
        });
        Some(named.unwrap_or(&self.name))
    }
}
