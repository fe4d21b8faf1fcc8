//! Types by number, with domains resolved.

use std::collections::HashMap;

use super::rows::{CastRow, TypeRow};
use crate::catalog::Representation;

/// `character(n)`, `character varying(n)`, `bit(n)` and `bit varying(n)`.
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;
const BIT: u32 = 1560;
const VARBIT: u32 = 1562;
/// Their modifier counts a header of this many bytes, where it is a length of text.
const TEXT_HEADER: i32 = 4;

/// All types of the database.
#[derive(Debug, Default)]
pub(super) struct Types(HashMap<u32, TypeRow>);

impl Types {
    pub(super) fn new(rows: Vec<TypeRow>) -> Self {
        Self(rows.into_iter().map(|row| (row.oid, row)).collect())
    }

    pub(super) fn get(&self, oid: u32) -> Option<&TypeRow> {
        self.0.get(&oid)
    }

    /// The type below all domains. PostgreSQL does not let domains form a circle.
    pub(super) fn base(&self, oid: u32) -> Option<&TypeRow> {
        let mut row = self.get(oid)?;
        while row.kind == 'd' {
            row = self.get(row.base)?;
        }
        Some(row)
    }

    /// The type as `format_type` writes it.
    pub(super) fn display(&self, oid: u32) -> String {
        self.get(oid)
            .map_or_else(String::new, |row| row.display.clone())
    }

    /// The longest text a column of this type and modifier can hold, where there is a limit.
    pub(super) fn max_length(&self, oid: u32, modifier: i32) -> Option<i32> {
        let (mut oid, mut modifier) = (oid, modifier);
        while let Some(domain) = self.get(oid).filter(|row| row.kind == 'd') {
            (oid, modifier) = (domain.base, domain.modifier);
        }
        match oid {
            _ if modifier < 0 => None,
            BPCHAR | VARCHAR => Some(modifier - TEXT_HEADER),
            BIT | VARBIT => Some(modifier),
            _ => None,
        }
    }
}

/// The casts between domains and `json` or `text`, by domain.
pub(super) fn representations(casts: Vec<CastRow>) -> HashMap<String, Representation> {
    let mut found: HashMap<String, Representation> = HashMap::new();
    for cast in casts {
        let (domain, other) = if cast.from_domain {
            (cast.source, cast.target)
        } else {
            (cast.target, cast.source)
        };
        let representation = found.entry(domain).or_default();
        match (cast.from_domain, other.as_str()) {
            (true, "json") => representation.to_json = Some(cast.function),
            (false, "json") => representation.from_json = Some(cast.function),
            (false, "text") => representation.from_text = Some(cast.function),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::QualifiedName;

    fn domain(oid: u32, base: u32, modifier: i32) -> TypeRow {
        TypeRow {
            oid,
            base,
            modifier,
            kind: 'd',
            ..TypeRow::default()
        }
    }

    #[test]
    fn domains_over_domains_are_resolved() {
        let text = TypeRow {
            oid: VARCHAR,
            display: "character varying".to_owned(),
            kind: 'b',
            ..TypeRow::default()
        };
        let types = Types::new(vec![text, domain(2, VARCHAR, 24), domain(3, 2, -1)]);
        assert_eq!(types.base(3).unwrap().display, "character varying");
        assert_eq!(types.max_length(3, -1), Some(20));
        assert_eq!(types.max_length(VARCHAR, -1), None);
    }

    #[test]
    fn casts_are_told_apart_by_direction() {
        let cast = |from_domain, source: &str, target: &str, name: &str| CastRow {
            from_domain,
            source: source.to_owned(),
            target: target.to_owned(),
            function: QualifiedName {
                schema: "app".to_owned(),
                name: name.to_owned(),
            },
        };
        let found = representations(vec![
            cast(true, "app.color", "json", "show"),
            cast(false, "json", "app.color", "read"),
        ]);
        let color = &found["app.color"];
        assert_eq!(color.to_json.as_ref().unwrap().name, "show");
        assert_eq!(color.from_json.as_ref().unwrap().name, "read");
        assert_eq!(color.from_text, None);
    }
}
