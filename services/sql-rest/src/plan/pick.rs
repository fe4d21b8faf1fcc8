//! Which of the rows that fit are updated or deleted, when `limit` or `offset` say not all.

use super::{node::OrderBy, read, scope::Scope};
use crate::{
    catalog::Relation,
    error::Error,
    request::{ApiRequest, Range, field::Field, order::OrderTerm},
};

/// What tells apart the rows of a table without a key, also across its partitions.
const PLACE: [&str; 2] = ["tableoid", "ctid"];

/// Which of the rows that fit are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Columns that tell rows apart.
    pub key: Vec<String>,
    /// The order in which rows are taken; never empty.
    pub order: Vec<OrderBy>,
    /// Which of them are.
    pub range: Range,
}

impl Pick {
    /// What a request picks of a relation; none when it writes all rows that fit.
    pub(super) fn by(
        request: &ApiRequest,
        relation: &Relation,
        scope: &Scope<'_>,
    ) -> Result<Option<Self>, Error> {
        if request.range.is_all() {
            return Ok(None);
        }
        let key = key(relation)?;
        let mut order = order(request, scope)?;
        if order.is_empty() {
            order = by_columns(&key, scope)?;
        }
        Ok(Some(Self {
            key,
            order,
            range: request.range,
        }))
    }
}

fn key(relation: &Relation) -> Result<Vec<String>, Error> {
    if !relation.primary_key.is_empty() {
        return Ok(relation.primary_key.clone());
    }
    if relation.is_view {
        return Err(Error::NotImplemented(
            "A limit or offset on a view without a primary key is not implemented for updates and \
             deletes."
                .to_owned(),
        ));
    }
    Ok(PLACE.map(str::to_owned).into())
}

/// The order asked for at the top level.
fn order(request: &ApiRequest, scope: &Scope<'_>) -> Result<Vec<OrderBy>, Error> {
    let own = request
        .query
        .order
        .iter()
        .rfind(|order| order.path.is_empty());
    let terms = own.map_or(&[][..], |order| order.item.as_slice());
    terms
        .iter()
        .map(|term| match &term.relation {
            None => Ok(read::order_by(term, None, scope.value(&term.field)?)),
            Some(_) => Err(Error::NotImplemented(
                "A limit or offset with an order by an embedded resource is not implemented for \
                 updates and deletes."
                    .to_owned(),
            )),
        })
        .collect()
}

fn by_columns(names: &[String], scope: &Scope<'_>) -> Result<Vec<OrderBy>, Error> {
    names
        .iter()
        .map(|name| {
            let term = OrderTerm {
                relation: None,
                field: Field::column(name),
                direction: None,
                nulls: None,
            };
            Ok(read::order_by(&term, None, scope.value(&term.field)?))
        })
        .collect()
}
