//! The `Prefer` headers.

use http::HeaderMap;

/// What a client prefers, as far as it is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// `resolution=`.
    pub resolution: Option<Resolution>,
    /// `return=`.
    pub representation: Option<Representation>,
    /// `missing=`.
    pub missing: Option<Missing>,
    /// `count=`.
    pub count: Option<Count>,
    /// `tx=`.
    pub transaction: Option<TransactionEnd>,
    /// `handling=`.
    pub handling: Option<Handling>,
    /// `timezone=`.
    pub timezone: Option<String>,
    /// `max-affected=`.
    pub max_affected: Option<u64>,
    /// Everything that is none of these, as written.
    pub invalid: Vec<String>,
}

/// What to do with inserted rows that exist already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Update them.
    MergeDuplicates,
    /// Leave them as they are.
    IgnoreDuplicates,
}

/// What a write returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Representation {
    /// The rows.
    Full,
    /// Where the new row is.
    HeadersOnly,
    /// Nothing.
    #[default]
    Minimal,
}

/// What columns get that a row of the body does not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Their default.
    Default,
    /// Null.
    Null,
}

/// How rows are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// One by one.
    Exact,
    /// As the planner guesses.
    Planned,
    /// One by one up to `db-max-rows`, by the planner's guess beyond.
    Estimated,
}

/// How the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEnd {
    /// Changes stay.
    Commit,
    /// Changes are undone.
    Rollback,
}

/// What happens to preferences nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// They are an error.
    Strict,
    /// They are ignored.
    Lenient,
}

impl Preferences {
    /// Reads all `Prefer` headers; the first of a kind wins. Without `timezones` that one is unknown.
    pub fn parse(headers: &HeaderMap, timezones: bool) -> Self {
        let mut found = Self::default();
        let values = headers
            .get_all("prefer")
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        for preference in values.flat_map(|value| value.split(',')).map(str::trim) {
            let is_unknown = !timezones && preference.starts_with("timezone=");
            if is_unknown || !found.take(preference) {
                found.invalid.push(preference.to_owned());
            }
        }
        found
    }

    /// Notes one preference; tells whether it is known.
    fn take(&mut self, preference: &str) -> bool {
        match preference {
            "resolution=merge-duplicates" => {
                set(&mut self.resolution, Resolution::MergeDuplicates);
            }
            "resolution=ignore-duplicates" => {
                set(&mut self.resolution, Resolution::IgnoreDuplicates);
            }
            "return=representation" => set(&mut self.representation, Representation::Full),
            "return=headers-only" => set(&mut self.representation, Representation::HeadersOnly),
            "return=minimal" => set(&mut self.representation, Representation::Minimal),
            "missing=default" => set(&mut self.missing, Missing::Default),
            "missing=null" => set(&mut self.missing, Missing::Null),
            "count=exact" => set(&mut self.count, Count::Exact),
            "count=planned" => set(&mut self.count, Count::Planned),
            "count=estimated" => set(&mut self.count, Count::Estimated),
            "count=none" | "" => {}
            "tx=commit" => set(&mut self.transaction, TransactionEnd::Commit),
            "tx=rollback" => set(&mut self.transaction, TransactionEnd::Rollback),
            "handling=strict" => set(&mut self.handling, Handling::Strict),
            "handling=lenient" => set(&mut self.handling, Handling::Lenient),
            other => return self.take_parameter(other),
        }
        true
    }

    /// Notes one preference whose value is free.
    fn take_parameter(&mut self, preference: &str) -> bool {
        match preference.split_once('=') {
            Some(("timezone", zone)) => {
                set(&mut self.timezone, zone.to_owned());
                true
            }
            Some(("max-affected", number)) => match number.parse() {
                Ok(number) => {
                    set(&mut self.max_affected, number);
                    true
                }
                Err(_) => false,
            },
            _ => false,
        }
    }

    /// Whether preferences nobody knows are an error.
    pub fn is_strict(&self) -> bool {
        self.handling == Some(Handling::Strict)
    }
}

fn set<T>(slot: &mut Option<T>, value: T) {
    if slot.is_none() {
        *slot = Some(value);
    }
}
