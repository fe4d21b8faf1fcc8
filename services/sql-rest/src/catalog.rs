//! What the exposed schemas hold: relations, how they relate, and functions.
//!
//! A [`Catalog`] is an immutable snapshot of PostgreSQL's own catalogue. Planning reads nothing
//! else, so a plan can be made (and tested) without a database, and an identifier that is not in
//! here never reaches SQL text.

pub mod load;

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;

/// A relation or function name together with its schema. Exact, unquoted, case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedName {
    /// Schema.
    pub schema: String,
    /// Name inside the schema.
    pub name: String,
}

/// A snapshot of everything that requests can name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Tables, views, materialized views and foreign tables of the exposed schemas.
    pub relations: HashMap<QualifiedName, Relation>,
    /// Relationships by the relation they start at. Each foreign key appears twice, once per end;
    /// those inferred through views and junctions are listed like any other.
    pub relationships: HashMap<QualifiedName, Vec<Relationship>>,
    /// Callable functions by name; several entries are overloads.
    pub functions: HashMap<QualifiedName, Vec<Function>>,
    /// Functions `f(row)` that act as columns, by the row's relation and then by function name.
    pub computed_columns: HashMap<QualifiedName, BTreeMap<String, ComputedColumn>>,
    /// Casts that give a domain its own representation, by domain type name as in [`Column::data_type`].
    pub representations: HashMap<String, Representation>,
    /// Ways to produce further media types, by what they are produced from.
    pub media_handlers: HashMap<HandlerTarget, Vec<MediaHandler>>,
    /// Comments on the exposed schemas.
    pub schema_descriptions: HashMap<String, String>,
}

/// A table, partitioned table, view, materialized view or foreign table.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of PostgreSQL's own that holds or not, whatever the others are"
)]
pub struct Relation {
    /// Comment on the relation.
    pub description: Option<String>,
    /// Columns by name, in the relation's own order.
    pub columns: IndexMap<String, Column>,
    /// Columns of the primary key, in the relation's own order; for a view those of the tables whose
    /// key it shows entirely.
    pub primary_key: Vec<String>,
    /// Whether this is a view or materialized view.
    pub is_view: bool,
    /// Whether rows can be inserted (views: by rule, trigger or because they are simple).
    pub insertable: bool,
    /// Whether rows can be updated.
    pub updatable: bool,
    /// Whether rows can be deleted.
    pub deletable: bool,
}

/// A column of a relation.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Comment.
    pub description: Option<String>,
    /// Whether null is allowed.
    pub nullable: bool,
    /// The type as `format_type` writes it, domains kept (`app.color`).
    pub data_type: String,
    /// The type below all domains, without modifiers (`text`, `timestamp with time zone`).
    pub base_type: String,
    /// The type to name in a cast or column definition list, with modifiers (`character varying(20)`).
    pub nominal_type: String,
    /// Longest text, where the type limits it.
    pub max_length: Option<i32>,
    /// The default, as an SQL expression of the database's own catalogue.
    pub default: Option<String>,
    /// Labels, when the type is an enum.
    pub enum_labels: Vec<String>,
}

/// How one relation reaches another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship {
    /// Where it starts.
    pub from: QualifiedName,
    /// Where it leads.
    pub to: QualifiedName,
    /// What connects them.
    pub link: Link,
    /// Whether both ends are the same relation.
    pub is_self: bool,
    /// Whether the start is a view.
    pub from_is_view: bool,
    /// Whether the end is a view.
    pub to_is_view: bool,
}

/// The connection of a [`Relationship`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The start holds the foreign key: at most one row at the end.
    ManyToOne(ForeignKey),
    /// The end holds the foreign key: any number of rows.
    OneToMany(ForeignKey),
    /// A foreign key that is unique on its own side: at most one row either way.
    OneToOne {
        /// The key; its pairs go from start to end.
        key: ForeignKey,
        /// Whether the start is the side that holds the key.
        from_holds_key: bool,
    },
    /// Two foreign keys of a third relation.
    ManyToMany(Junction),
    /// A function that takes a row of the start.
    Computed {
        /// The function.
        function: QualifiedName,
        /// Whether it gives at most one row.
        to_one: bool,
    },
}

impl Link {
    /// The foreign key, when it is one alone.
    pub fn key(&self) -> Option<&ForeignKey> {
        match self {
            Self::ManyToOne(key) | Self::OneToMany(key) | Self::OneToOne { key, .. } => Some(key),
            Self::ManyToMany(_) | Self::Computed { .. } => None,
        }
    }

    /// Whether at most one row is at the end.
    pub fn is_to_one(&self) -> bool {
        match self {
            Self::ManyToOne(_) | Self::OneToOne { .. } => true,
            Self::OneToMany(_) | Self::ManyToMany(_) => false,
            Self::Computed { to_one, .. } => *to_one,
        }
    }
}

/// A foreign key seen from one of its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// Name of the constraint.
    pub constraint: String,
    /// Pairs of columns: at the start of the relationship, at its end.
    pub columns: Vec<(String, String)>,
}

/// The relation in the middle of a many-to-many relationship.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Junction {
    /// The junction relation.
    pub relation: QualifiedName,
    /// Constraint of the key that points to the start.
    pub from_constraint: String,
    /// Constraint of the key that points to the end.
    pub to_constraint: String,
    /// Pairs: column of the start, column of the junction.
    pub from_columns: Vec<(String, String)>,
    /// Pairs: column of the junction, column of the end.
    pub to_columns: Vec<(String, String)>,
}

/// A function that can be called.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its number in `pg_proc`.
    pub oid: u32,
    /// Comment.
    pub description: Option<String>,
    /// Input parameters (IN, INOUT, VARIADIC), in order.
    pub parameters: Vec<Parameter>,
    /// What it gives.
    pub returns: Returns,
    /// Whether and how it may write.
    pub volatility: Volatility,
    /// Settings attached to it (`SET name = value`) that apply to the whole transaction.
    pub settings: Vec<(String, String)>,
}

/// A parameter of a [`Function`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name; empty when it has none.
    pub name: String,
    /// Type as `format_type` writes it, `character` and `bit` widened to their varying forms.
    pub data_type: String,
    /// Whether a call must give it.
    pub required: bool,
    /// Whether it takes any number of values.
    pub variadic: bool,
}

/// The result of a [`Function`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returns {
    /// Shape of one element.
    pub kind: ReturnKind,
    /// Whether it gives a set.
    pub is_set: bool,
    /// Columns of a row and their types as in [`Column::data_type`], in order; none when the element
    /// is no row, or a row (`record`) that the catalogue knows nothing about.
    pub columns: IndexMap<String, String>,
}

/// Shape of one element of a function's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnKind {
    /// Nothing.
    Void,
    /// A value that is not a row; the type's name.
    Scalar(QualifiedName),
    /// A row of a relation or composite type that can be filtered and embedded from.
    Relation(QualifiedName),
    /// A row without a type of its own: `TABLE(…)`, OUT parameters, `record`.
    Record,
}

/// What a media type is produced from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HandlerTarget {
    /// Rows of any shape (`anyelement`).
    Any,
    /// Rows of this relation.
    Relation(QualifiedName),
    /// The result of this function.
    Function(QualifiedName),
}

/// A way to produce a media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaHandler {
    /// The media type it is asked for by: the name of a domain in lower case, or `*/*`.
    pub media_type: String,
    /// The media type it answers with; `application/octet-stream` for `*/*`.
    pub content_type: String,
    /// The aggregate that turns rows into the body; none when the target is a function whose result
    /// is the body.
    pub aggregate: Option<QualifiedName>,
    /// Whether the domain is one over `bytea`, whose bytes are the body.
    pub is_binary: bool,
}

/// A function's volatility as PostgreSQL declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatility {
    /// Depends on nothing but its arguments.
    Immutable,
    /// Reads but does not write.
    Stable,
    /// May write.
    Volatile,
}

/// A function `f(row)` that acts as a column.
#[derive(Clone, Debug)]
pub struct ComputedColumn {
    /// The function to call.
    pub function: QualifiedName,
    /// Its type, as `format_type` writes it.
    pub data_type: String,
}

/// Casts defined between a domain and `json` or `text`.
#[derive(Clone, Debug, Default)]
pub struct Representation {
    /// Function of the cast domain → json: how a value is shown.
    pub to_json: Option<QualifiedName>,
    /// Function of the cast json → domain: how a value in a body is read.
    pub from_json: Option<QualifiedName>,
    /// Function of the cast text → domain: how a value in a filter is read.
    pub from_text: Option<QualifiedName>,
}
