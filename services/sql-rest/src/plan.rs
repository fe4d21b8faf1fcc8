//! What to do about a request, decided against the catalogue: every name resolved, every
//! relationship found, every default filled in.

mod applied;
pub mod call;
pub mod negotiate;
pub mod node;
pub mod pick;
mod reach;
mod read;
mod relate;
mod said;
mod scope;
mod spread;
pub mod write;

use crate::{
    catalog::{Catalog, HandlerTarget, QualifiedName, Relation, Volatility},
    error::Error,
    fuzzy,
    media::MediaType,
    options::Options,
    payload::Payload,
    request::{Action, ApiRequest, CallMethod, Target, prefer::Count, select::SelectItem},
};

use call::Call;
use negotiate::{Body, Chosen, Producer};
use node::{Node, Rows};
use read::{Place, Reader};
use said::{Said, TopLevel};
use scope::Scope;
use write::Write;

/// A request that will run one statement.
#[derive(Clone, Debug)]
pub struct QueryPlan {
    /// What the rows come from.
    pub source: Source,
    /// What is read of them.
    pub node: Node,
    /// How the body is made from that.
    pub body: Body,
    /// Media type of the answer.
    pub media: MediaType,
    /// What the transaction may do.
    pub access: Access,
    /// How the rows are to be counted.
    pub count: Option<Count>,
    /// The most rows a read gives, which is also how far an estimate is counted.
    pub max_rows: Option<u64>,
    /// The most rows that may be affected.
    pub max_affected: Option<u64>,
    /// The value of `Preference-Applied`, when any preference applies.
    pub preference_applied: Option<String>,
    /// Texts of `Warning: 299` headers.
    pub warnings: Vec<String>,
}

/// What the rows of an answer come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// GET or HEAD of a relation.
    Read(QualifiedName),
    /// POST, PATCH, PUT or DELETE on a relation.
    Write(Box<Write>),
    /// A function.
    Call(Box<Call>),
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

impl QueryPlan {
    /// Plans a request that reads, writes or calls.
    pub fn new(
        request: &ApiRequest,
        payload: Payload,
        catalog: &Catalog,
        options: &Options,
    ) -> Result<Self, Error> {
        let plan = match (&request.target, request.action) {
            (Target::Relation(name), Action::Read { .. }) => {
                Self::read(request, name, catalog, options)
            }
            (Target::Relation(name), _) => Self::write(request, payload, name, catalog, options),
            (Target::Function(name), Action::Call(method)) => {
                let called = Called { name, method };
                Self::call(request, payload, &called, catalog, options)
            }
            _ => Err(Error::Path),
        }?;
        let unknown = &request.preferences.invalid;
        if request.preferences.is_strict() && !unknown.is_empty() {
            return Err(Error::Preferences(unknown.clone()));
        }
        Ok(plan)
    }

    /// Whether the number of rows is one the request allows; to be asked before the transaction is
    /// committed.
    pub fn check(&self, rows: i64) -> Result<(), Error> {
        if let Source::Write(write) = &self.source
            && write.kind == write::WriteKind::Upsert
            && rows != 1
        {
            return Err(Error::PutKey);
        }
        if matches!(self.media, MediaType::Singular { .. }) && rows != 1 {
            return Err(Error::Singular(rows));
        }
        let affected = u64::try_from(rows).unwrap_or_default();
        if self.max_affected.is_some_and(|most| affected > most) {
            return Err(Error::MaxAffected(rows));
        }
        Ok(())
    }

    fn read(
        request: &ApiRequest,
        name: &str,
        catalog: &Catalog,
        options: &Options,
    ) -> Result<Self, Error> {
        let name = qualified(request, name);
        find_relation(catalog, &name)?;
        let mut reader = Reader::new(catalog, options, true);
        let place = Place {
            rows: Rows::Relation(name.clone()),
            relation: &name,
            alias: root_alias(catalog, &name),
            scope: Scope::of_relation(catalog, &name, &name.name),
            depth: 0,
            is_spread: false,
        };
        let mut node = reader.node(
            place,
            &request.query.select,
            Said::by(request, TopLevel::All),
        )?;
        node.range = node.range.at_most(options.max_rows);
        let target = HandlerTarget::Relation(name.clone());
        let chosen = choose(request, target, catalog, options)?;
        Ok(Self {
            source: Source::Read(name),
            node,
            body: chosen.body,
            media: chosen.media,
            access: Access::ReadOnly,
            count: request.preferences.count,
            max_rows: options.max_rows,
            max_affected: None,
            preference_applied: applied::preferences(request, options, false),
            warnings: reader.into_warnings(),
        })
    }

    fn write(
        request: &ApiRequest,
        payload: Payload,
        name: &str,
        catalog: &Catalog,
        options: &Options,
    ) -> Result<Self, Error> {
        let name = qualified(request, name);
        let relation = find_relation(catalog, &name)?;
        let scope = Scope::of_relation(catalog, &name, &name.name);
        let mut reader = Reader::new(catalog, options, false);
        let place = Place {
            rows: Rows::Source,
            relation: &name,
            alias: root_alias(catalog, &name),
            scope: scope.after_source(),
            depth: 0,
            is_spread: false,
        };
        let node = reader.node(
            place,
            &request.query.select,
            Said::by(request, TopLevel::OrderOnly),
        )?;
        let written = write::Written {
            name: &name,
            relation,
            catalog,
            scope,
        };
        let write = written.plan(request, payload, &node)?;
        let can_conflict = !relation.primary_key.is_empty() || request.query.on_conflict.is_some();
        let chosen = choose(
            request,
            HandlerTarget::Relation(name.clone()),
            catalog,
            options,
        )?;
        Ok(Self {
            source: Source::Write(Box::new(write)),
            node,
            body: chosen.body,
            media: chosen.media,
            access: Access::ReadWrite,
            count: request.preferences.count,
            max_rows: None,
            max_affected: applied::max_affected(request),
            preference_applied: applied::preferences(request, options, can_conflict),
            warnings: reader.into_warnings(),
        })
    }

    fn call(
        request: &ApiRequest,
        payload: Payload,
        called: &Called<'_>,
        catalog: &Catalog,
        options: &Options,
    ) -> Result<Self, Error> {
        let name = qualified(request, called.name);
        let function = call::find(request, &payload, &name, catalog)?;
        let row_of = call::row_type(function).unwrap_or(&name);
        let scope = call::scope(function, row_of, &name.name, catalog);
        let mut reader = Reader::new(catalog, options, true);
        let place = Place {
            rows: Rows::Source,
            relation: row_of,
            alias: root_alias(catalog, row_of),
            scope: scope.after_source(),
            depth: 0,
            is_spread: false,
        };
        let mut node = reader.node(
            place,
            &request.query.select,
            Said::by(request, TopLevel::All),
        )?;
        node.range = node.range.at_most(options.max_rows);
        let max_affected = applied::max_affected(request);
        if max_affected.is_some() && !function.returns.is_set {
            return Err(Error::MaxAffectedRpc);
        }
        let target = match call::row_type(function) {
            Some(relation) => HandlerTarget::Relation(relation.clone()),
            None => HandlerTarget::Function(name.clone()),
        };
        let chosen = choose(request, target, catalog, options)?;
        let returning = call::needs(function, &node, &scope)?;
        let writes =
            called.method == CallMethod::Post && function.volatility == Volatility::Volatile;
        Ok(Self {
            source: Source::Call(Box::new(Call::new(
                name.clone(),
                function,
                request,
                payload,
                returning,
            ))),
            node,
            body: chosen.body,
            media: chosen.media,
            access: if writes {
                Access::ReadWrite
            } else {
                Access::ReadOnly
            },
            count: request.preferences.count,
            max_rows: options.max_rows,
            max_affected,
            preference_applied: applied::preferences(request, options, false),
            warnings: reader.into_warnings(),
        })
    }
}

/// A function addressed, and how.
struct Called<'a> {
    name: &'a str,
    method: CallMethod,
}

/// The value of `Allow` in the answer to OPTIONS.
pub fn allow(request: &ApiRequest, catalog: &Catalog) -> Result<String, Error> {
    match &request.target {
        Target::Root => Ok("OPTIONS,GET,HEAD".to_owned()),
        Target::Relation(name) => {
            let relation = find_relation(catalog, &qualified(request, name))?;
            Ok(relation_methods(relation))
        }
        Target::Function(name) => {
            let name = qualified(request, name);
            let function = match catalog.functions.get(&name).map(Vec::as_slice) {
                // Without arguments any overload will do.
                Some([first, ..]) if request.query.arguments.is_empty() => first,
                _ => call::find(request, &Payload::default(), &name, catalog)?,
            };
            let methods = match function.volatility {
                Volatility::Volatile => "OPTIONS,POST",
                Volatility::Stable | Volatility::Immutable => "OPTIONS,GET,HEAD,POST",
            };
            Ok(methods.to_owned())
        }
    }
}

fn relation_methods(relation: &Relation) -> String {
    let can_put = relation.insertable && relation.updatable && !relation.primary_key.is_empty();
    let methods = [
        ("OPTIONS,GET,HEAD", true),
        (",POST", relation.insertable),
        (",PUT", can_put),
        (",PATCH", relation.updatable),
        (",DELETE", relation.deletable),
    ];
    methods
        .into_iter()
        .filter_map(|(method, allowed)| allowed.then_some(method))
        .collect()
}

/// The root document's media type is acceptable, or an error.
pub fn inspect(request: &ApiRequest) -> Result<(), Error> {
    if negotiate::accepts_document(request) {
        return Ok(());
    }
    let names = request.accept.iter().map(|media| media.mime().into_owned());
    Err(Error::NotAcceptable(names.collect()))
}

fn qualified(request: &ApiRequest, name: &str) -> QualifiedName {
    QualifiedName {
        schema: request.schema.clone(),
        name: name.to_owned(),
    }
}

fn find_relation<'a>(catalog: &'a Catalog, name: &QualifiedName) -> Result<&'a Relation, Error> {
    catalog.relations.get(name).ok_or_else(|| {
        let names = catalog
            .relations
            .keys()
            .filter(|other| other.schema == name.schema);
        let names = names.map(|other| other.name.as_str());
        let similar = fuzzy::closest(&name.name, names, fuzzy::SIMILAR);
        Error::NoRelation {
            schema: name.schema.clone(),
            name: name.name.clone(),
            similar: similar.map(|(_, similar)| similar.to_owned()),
        }
    })
}

/// What the addressed rows are called in the statement: their own name, unless that could be taken
/// for a name the statement gives itself, or for a column where the whole row is meant.
fn root_alias(catalog: &Catalog, relation: &QualifiedName) -> String {
    let name = &relation.name;
    let is_column = catalog
        .relations
        .get(relation)
        .is_some_and(|relation| relation.columns.contains_key(name));
    if is_column || name.starts_with("rest_") || name == "pgrst_body" {
        "rest_root".to_owned()
    } else {
        name.clone()
    }
}

fn choose(
    request: &ApiRequest,
    target: HandlerTarget,
    catalog: &Catalog,
    options: &Options,
) -> Result<Chosen, Error> {
    let shows_everything = match request.query.select.as_slice() {
        [SelectItem::Column(column)] => column.field.is_star() && column.aggregate.is_none(),
        [] => true,
        _ => false,
    };
    let producer = Producer {
        catalog,
        options,
        target,
        shows_everything,
    };
    producer.choose(request)
}

#[cfg(test)]
mod tests;
