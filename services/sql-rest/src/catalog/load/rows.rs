//! The rows of the loading queries, as they come.

use common::postgres::{Fields, Row};
use serde::de::DeserializeOwned;

use super::views::Origin;
use crate::catalog::QualifiedName;

/// A field that is not what its query gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Everything the queries gave.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) types: Vec<TypeRow>,
    pub(super) relations: Vec<RelationRow>,
    pub(super) columns: Vec<ColumnRow>,
    pub(super) keys: Vec<KeyRow>,
    pub(super) views: Vec<ViewRow>,
    pub(super) functions: Vec<FunctionRow>,
    pub(super) casts: Vec<CastRow>,
    pub(super) schemas: Vec<SchemaRow>,
    pub(super) handlers: Vec<HandlerRow>,
}

/// A row of `types.sql`.
#[derive(Clone, Debug, Default)]
pub(super) struct TypeRow {
    pub(super) oid: u32,
    /// As `format_type` writes it, without modifiers.
    pub(super) display: String,
    pub(super) name: Option<QualifiedName>,
    /// `pg_type.typtype`.
    pub(super) kind: char,
    /// The relation a composite type is the row of, or that holds its columns.
    pub(super) relation: u32,
    /// What a domain is based on.
    pub(super) base: u32,
    pub(super) modifier: i32,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    pub(super) enum_labels: Vec<String>,
}

/// A row of `relations.sql`.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of PostgreSQL's own, whatever the others are"
)]
pub(super) struct RelationRow {
    pub(super) oid: u32,
    pub(super) name: QualifiedName,
    pub(super) row_type: u32,
    pub(super) is_view: bool,
    pub(super) description: Option<String>,
    pub(super) insertable: bool,
    pub(super) updatable: bool,
    pub(super) deletable: bool,
}

/// A row of `columns.sql`.
#[derive(Clone, Debug)]
pub(super) struct ColumnRow {
    pub(super) relation: u32,
    pub(super) number: i16,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) not_null: bool,
    pub(super) type_oid: u32,
    pub(super) modifier: i32,
    pub(super) nominal_type: String,
    pub(super) default: Option<String>,
    pub(super) is_generated: bool,
}

/// What a [`KeyRow`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Primary,
    Unique,
    Foreign,
}

/// A row of `keys.sql`.
#[derive(Clone, Debug)]
pub(super) struct KeyRow {
    pub(super) kind: KeyKind,
    pub(super) constraint: String,
    pub(super) relation: u32,
    pub(super) columns: Vec<i16>,
    /// For a foreign key, where it points to.
    pub(super) target: u32,
    pub(super) target_columns: Vec<i16>,
}

/// A row of `views.sql`, its query reduced to where the columns come from.
#[derive(Clone, Debug)]
pub(super) struct ViewRow {
    pub(super) oid: u32,
    pub(super) origins: Vec<Origin>,
}

/// A row of `functions.sql`.
#[derive(Clone, Debug)]
pub(super) struct FunctionRow {
    pub(super) oid: u32,
    pub(super) name: QualifiedName,
    pub(super) description: Option<String>,
    /// Types of all parameters, results included.
    pub(super) types: Vec<u32>,
    /// Modes of the parameters, unless all are inputs.
    pub(super) modes: Option<Vec<char>>,
    /// Names of the parameters, unless none has one.
    pub(super) names: Option<Vec<String>>,
    pub(super) defaults: usize,
    pub(super) returns: u32,
    pub(super) returns_set: bool,
    pub(super) expects_one_row: bool,
    /// `pg_proc.provolatile`.
    pub(super) volatility: char,
    /// `name=value` of each setting.
    pub(super) settings: Vec<String>,
}

/// A row of `casts.sql`.
#[derive(Clone, Debug)]
pub(super) struct CastRow {
    pub(super) from_domain: bool,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) function: QualifiedName,
}

/// A row of `handlers.sql`.
#[derive(Clone, Debug)]
pub(super) struct HandlerRow {
    pub(super) is_aggregate: bool,
    pub(super) function: QualifiedName,
    pub(super) target: QualifiedName,
    pub(super) media_type: String,
    pub(super) is_binary: bool,
}

/// A row of `schemas.sql`: schema and comment.
pub(super) type SchemaRow = (String, String);

/// A row type of the loader.
pub(super) trait FromRow: Sized {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Reads the fields of a row one after the other.
#[derive(Debug)]
pub(super) struct Reader<'a>(Fields<'a>);

impl<'a> Reader<'a> {
    pub(super) fn new(row: &'a Row) -> Self {
        Self(row.fields())
    }

    /// Reads a `T` and adds it to `list`.
    pub(super) fn push_to<T: FromRow>(&mut self, list: &mut Vec<T>) -> Result<(), Malformed> {
        list.push(T::read(self)?);
        Ok(())
    }

    fn optional(&mut self) -> Result<Option<&'a str>, Malformed> {
        let field = self.0.next().ok_or(Malformed("a field is missing"))?;
        let text = field.map(str::from_utf8).transpose();
        text.map_err(|_| Malformed("a field is not UTF-8"))
    }

    fn optional_text(&mut self) -> Result<Option<String>, Malformed> {
        Ok(self.optional()?.map(str::to_owned))
    }

    fn str(&mut self) -> Result<&'a str, Malformed> {
        self.optional()?.ok_or(Malformed("a field is null"))
    }

    fn text(&mut self) -> Result<String, Malformed> {
        self.str().map(str::to_owned)
    }

    fn name(&mut self) -> Result<QualifiedName, Malformed> {
        Ok(QualifiedName {
            schema: self.text()?,
            name: self.text()?,
        })
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        Ok(self.str()? == "t")
    }

    fn letter(&mut self) -> Result<char, Malformed> {
        let text = self.str()?;
        text.chars().next().ok_or(Malformed("a code is empty"))
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, Malformed> {
        let text = self.str()?;
        text.parse()
            .map_err(|_| Malformed("a field is not a number"))
    }

    fn optional_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Malformed> {
        let parsed = self.optional()?.map(serde_json::from_str).transpose();
        parsed.map_err(|_| Malformed("a field is not the JSON expected"))
    }

    fn json<T: DeserializeOwned + Default>(&mut self) -> Result<T, Malformed> {
        Ok(self.optional_json()?.unwrap_or_default())
    }
}

impl FromRow for TypeRow {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            oid: row.number()?,
            display: row.text()?,
            name: Some(row.name()?),
            kind: row.letter()?,
            relation: row.number()?,
            base: row.number()?,
            modifier: row.number()?,
            not_null: row.flag()?,
            default: row.optional_text()?,
            enum_labels: row.json()?,
        })
    }
}

impl FromRow for RelationRow {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            oid: row.number()?,
            name: row.name()?,
            row_type: row.number()?,
            is_view: row.flag()?,
            description: row.optional_text()?,
            insertable: row.flag()?,
            updatable: row.flag()?,
            deletable: row.flag()?,
        })
    }
}

impl FromRow for ColumnRow {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            relation: row.number()?,
            number: row.number()?,
            name: row.text()?,
            description: row.optional_text()?,
            not_null: row.flag()?,
            type_oid: row.number()?,
            modifier: row.number()?,
            nominal_type: row.text()?,
            default: row.optional_text()?,
            is_generated: row.flag()?,
        })
    }
}

impl FromRow for KeyRow {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            kind: match row.letter()? {
                'p' => KeyKind::Primary,
                'u' => KeyKind::Unique,
                _ => KeyKind::Foreign,
            },
            constraint: row.text()?,
            relation: row.number()?,
            columns: row.json()?,
            target: row.number()?,
            target_columns: row.json()?,
        })
    }
}

impl FromRow for ViewRow {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            oid: row.number()?,
            origins: super::views::origins(row.str()?),
        })
    }
}

impl FromRow for FunctionRow {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            oid: row.number()?,
            name: row.name()?,
            description: row.optional_text()?,
            types: row.json()?,
            modes: row.optional_json()?,
            names: row.optional_json()?,
            defaults: row.number()?,
            returns: row.number()?,
            returns_set: row.flag()?,
            expects_one_row: row.flag()?,
            volatility: row.letter()?,
            settings: row.json()?,
        })
    }
}

impl FromRow for CastRow {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            from_domain: row.flag()?,
            source: row.text()?,
            target: row.text()?,
            function: row.name()?,
        })
    }
}

impl FromRow for HandlerRow {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            is_aggregate: row.flag()?,
            function: row.name()?,
            target: row.name()?,
            media_type: row.text()?,
            is_binary: row.flag()?,
        })
    }
}

impl FromRow for SchemaRow {
    fn read(row: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((row.text()?, row.text()?))
    }
}
