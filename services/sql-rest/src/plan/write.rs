//! A write, resolved.

use std::collections::BTreeSet;

use super::{
    node::{Base, Condition, Node, Tie},
    pick::Pick,
    read,
    scope::Scope,
};
use crate::{
    catalog::{Catalog, Column, QualifiedName, Relation},
    error::Error,
    payload::{Content, Payload},
    request::{
        Action, ApiRequest,
        filter::{Operation, Operator},
        prefer::{Missing, Representation, Resolution},
    },
};

/// A write of a relation.
#[derive(Clone, Debug)]
pub struct Write {
    /// The relation.
    pub relation: QualifiedName,
    /// How it is written.
    pub kind: WriteKind,
    /// Columns the body gives.
    pub columns: Vec<BodyColumn>,
    /// The body.
    pub body: Content,
    /// Which rows are updated or deleted; for an upsert, which may be written.
    pub conditions: Vec<Condition>,
    /// Which of those, when not all are.
    pub pick: Option<Pick>,
    /// What of the written rows is needed afterwards.
    pub returning: Needs,
    /// Columns that make a row the same as one there is.
    pub on_conflict: Vec<String>,
    /// Whether rows of the body get defaults for what they do not give.
    pub fills_defaults: bool,
    /// Columns of the primary key.
    pub primary_key: Vec<String>,
    /// What the answer tells.
    pub representation: Representation,
}

/// How a relation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// POST.
    Insert {
        /// What happens to rows that exist.
        resolution: Option<Resolution>,
    },
    /// PATCH.
    Update,
    /// PUT.
    Upsert,
    /// DELETE.
    Delete,
}

/// A column the body gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyColumn {
    /// Its name.
    pub name: String,
    /// The type the body's value is read as, as the catalogue writes it.
    pub data_type: String,
    /// The function that makes the column's value of it.
    pub parse: Option<QualifiedName>,
    /// Its default, as the catalogue writes it.
    pub default: Option<String>,
}

/// The name of a value that is the whole row, for functions that take one.
pub const WHOLE_ROW: &str = "rest_row";

/// Values of the written or returned rows that are needed afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Whether all columns are.
    pub star: bool,
    /// Which values, by name; columns only where not all are needed.
    pub values: Vec<(String, Base)>,
}

/// A relation about to be written.
pub(super) struct Written<'a> {
    pub name: &'a QualifiedName,
    pub relation: &'a Relation,
    pub catalog: &'a Catalog,
    pub scope: Scope<'a>,
}

impl Written<'_> {
    /// Plans the write; `node` is what will be read of it.
    pub(super) fn plan(
        &self,
        request: &ApiRequest,
        payload: Payload,
        node: &Node,
    ) -> Result<Write, Error> {
        let kind = match request.action {
            Action::Insert => WriteKind::Insert {
                resolution: request.preferences.resolution,
            },
            Action::Update => WriteKind::Update,
            Action::Upsert => WriteKind::Upsert,
            _ => WriteKind::Delete,
        };
        let columns = payload
            .keys
            .iter()
            .map(|key| self.body_column(key))
            .collect::<Result<_, Error>>()?;
        if kind == WriteKind::Upsert {
            self.check_upsert(request)?;
        }
        let conditions = match kind {
            WriteKind::Insert { .. } => Vec::new(),
            _ => self.conditions(request)?,
        };
        let representation = request.preferences.representation.unwrap_or_default();
        let returning = match (representation, kind) {
            (Representation::Full, _) => Needs::of(node, &self.scope, false)?,
            (Representation::HeadersOnly, WriteKind::Insert { .. }) => {
                Needs::columns(&self.relation.primary_key)
            }
            _ => Needs::default(),
        };
        Ok(Write {
            relation: self.name.clone(),
            kind,
            columns,
            body: payload.content,
            conditions,
            pick: match kind {
                WriteKind::Update | WriteKind::Delete => {
                    Pick::by(request, self.relation, &self.scope)?
                }
                WriteKind::Insert { .. } | WriteKind::Upsert => None,
            },
            returning,
            on_conflict: self.on_conflict(request, kind)?,
            fills_defaults: request.preferences.missing == Some(Missing::Default)
                && kind != WriteKind::Upsert,
            primary_key: self.relation.primary_key.clone(),
            representation,
        })
    }

    fn body_column(&self, name: &str) -> Result<BodyColumn, Error> {
        let column = self
            .relation
            .columns
            .get(name)
            .ok_or_else(|| Error::NoColumn {
                relation: self.name.name.clone(),
                column: name.to_owned(),
            })?;
        let parse = self.parse_function(column);
        Ok(BodyColumn {
            name: column.name.clone(),
            data_type: match parse {
                Some(_) => "json".to_owned(),
                None => column.nominal_type.clone(),
            },
            parse,
            default: column.default.clone(),
        })
    }

    fn parse_function(&self, column: &Column) -> Option<QualifiedName> {
        let representation = self.catalog.representations.get(&column.data_type)?;
        representation.from_json.clone()
    }

    /// A PUT names the one row it writes by its whole key and nothing else.
    fn check_upsert(&self, request: &ApiRequest) -> Result<(), Error> {
        let query = &request.query;
        let key: BTreeSet<&str> = self
            .relation
            .primary_key
            .iter()
            .map(String::as_str)
            .collect();
        let named: BTreeSet<&str> = query
            .filters
            .iter()
            .map(|filter| filter.item.field.name.as_str())
            .collect();
        let all_equal = query.filters.iter().all(|filter| {
            filter.path.is_empty()
                && filter.item.field.path.is_empty()
                && !filter.item.negated
                && matches!(
                    filter.item.operation,
                    Operation::Compare {
                        operator: Operator::Equal,
                        quantifier: None,
                        ..
                    }
                )
        });
        if query.logic.is_empty() && !key.is_empty() && named == key && all_equal {
            Ok(())
        } else {
            Err(Error::PutFilters)
        }
    }

    fn conditions(&self, request: &ApiRequest) -> Result<Vec<Condition>, Error> {
        let query = &request.query;
        let filters = query
            .filters
            .iter()
            .filter(|filter| filter.path.is_empty())
            .map(|filter| read::condition(&self.scope, &filter.item, &[]));
        let trees = query
            .logic
            .iter()
            .filter(|tree| tree.path.is_empty())
            .map(|tree| read::logic(&self.scope, &tree.item, &[]));
        filters.chain(trees).collect()
    }

    /// The columns that make rows the same, where that matters; none for a plain insert.
    fn on_conflict(&self, request: &ApiRequest, kind: WriteKind) -> Result<Vec<String>, Error> {
        let key = &self.relation.primary_key;
        match kind {
            WriteKind::Upsert => Ok(key.clone()),
            WriteKind::Insert {
                resolution: Some(_),
            } => {
                let asked = request.query.on_conflict.as_ref().unwrap_or(key);
                let unknown = asked
                    .iter()
                    .find(|name| !self.relation.columns.contains_key(*name));
                match unknown {
                    Some(name) => Err(Error::UndefinedConflictColumn(name.clone())),
                    None => Ok(asked.clone()),
                }
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl Needs {
    /// These columns.
    fn columns(names: &[String]) -> Self {
        let column = |name: &String| (name.clone(), Base::Column(name.clone()));
        Self {
            star: false,
            values: names.iter().map(column).collect(),
        }
    }

    /// Everything a node reads of the rows it is about, and all columns if `star`. `scope` tells where
    /// each value is before the rows are written or returned.
    pub(super) fn of(node: &Node, scope: &Scope<'_>, star: bool) -> Result<Self, Error> {
        let mut star = star;
        let mut row = false;
        let mut names = BTreeSet::new();
        let mut need = |base: &Base| match base {
            Base::Star | Base::Row => star = true,
            Base::Column(name) => {
                names.insert(name.clone());
            }
            Base::Computed(_) | Base::One => {}
        };
        for shown in &node.columns {
            // `count()` needs rows, but nothing of them.
            if shown.value.base != Base::Star || shown.aggregate.is_none() {
                need(&shown.value.base);
            }
        }
        for order in node.order.iter().filter(|order| order.embed.is_none()) {
            need(&order.value.base);
        }
        node.conditions
            .iter()
            .for_each(|condition| condition.visit(&mut need));
        for embed in &node.embeds {
            match &embed.tie {
                Tie::Columns(pairs) | Tie::Junction { outer: pairs, .. } => {
                    for (near, _) in pairs {
                        need(&Base::Column(near.clone()));
                    }
                }
                Tie::Argument => row = true,
            }
        }
        let mut values = Vec::new();
        if row {
            values.push((WHOLE_ROW.to_owned(), Base::Row));
        }
        for name in names {
            match scope.base(&name)? {
                Base::Column(_) if star => {}
                base => values.push((name, base)),
            }
        }
        Ok(Self { star, values })
    }
}
