//! Builds the tree of a read: what is said about each resource is brought to it, then every name is
//! resolved.

use super::{
    node::{Condition, Decides, Embed, Form, Node, OrderBy, Rows, Shown, Tie, Value},
    reach,
    relate::{self, Wanted},
    said::Said,
    scope::Scope,
    spread,
};
use crate::{
    catalog::{Catalog, QualifiedName},
    error::{Error, NotEmbedded},
    options::{EmbedNames, Options},
    request::{
        filter::{Filter, IsValue, Logic, Operation},
        order::OrderTerm,
        select::{Join, SelectEmbed, SelectItem},
    },
};

/// Builds trees of reads.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    catalog: &'a Catalog,
    options: &'a Options,
    /// Whether `db-max-rows` applies.
    bounded: bool,
    places: usize,
    warnings: Vec<String>,
}

/// A place the tree is built at.
pub(super) struct Place<'a> {
    /// Where the rows are.
    pub rows: Rows,
    /// The relation whose relationships its rows have.
    pub relation: &'a QualifiedName,
    /// What it is called in the statement.
    pub alias: String,
    /// The names that mean something there.
    pub scope: Scope<'a>,
    /// How deep it is embedded.
    pub depth: usize,
    /// Whether its values are shown among those of the place around.
    pub is_spread: bool,
}

impl<'a> Reader<'a> {
    /// A reader of one request.
    pub(super) fn new(catalog: &'a Catalog, options: &'a Options, bounded: bool) -> Self {
        Self {
            catalog,
            options,
            bounded,
            places: 0,
            warnings: Vec::new(),
        }
    }

    /// Values of `Warning` headers that came up.
    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    /// Builds the tree at a place.
    pub(super) fn node(
        &mut self,
        place: Place<'_>,
        items: &[SelectItem],
        said: Said<'_>,
    ) -> Result<Node, Error> {
        let embeds: Vec<&SelectEmbed> = items
            .iter()
            .filter_map(|item| match item {
                SelectItem::Embed(embed) => Some(embed),
                SelectItem::Column(_) => None,
            })
            .collect();
        let (own, theirs) = said.distribute(&embeds, |name| self.find_embed(&embeds, name))?;
        let mut built: Vec<Embed> = embeds
            .iter()
            .zip(theirs)
            .map(|(embed, said)| self.embed(&place, embed, said))
            .collect::<Result<_, Error>>()?;
        let expands = expands_star(&place, items, &own, &built);
        let mut conditions = conditions(&place, &own, &embeds)?;
        require_shown(&mut conditions, &mut built);
        Ok(Node {
            columns: self.columns(&place, items, expands)?,
            conditions,
            order: self.order(&place, &own, &embeds, &built)?,
            range: own.range,
            from: place.rows,
            alias: place.alias,
            embeds: built,
        })
    }

    /// The embed a path names: by alias or, where that is still allowed, by target.
    fn find_embed(&mut self, embeds: &[&SelectEmbed], name: &str) -> Result<usize, Error> {
        if let Some(position) = embeds.iter().position(|embed| key(embed) == name) {
            return Ok(position);
        }
        let by_target = embeds.iter().position(|embed| embed.target == name);
        let Some((position, alias)) =
            by_target.and_then(|position| Some((position, embeds.get(position)?.alias.clone()?)))
        else {
            return Err(Error::NotEmbedded(NotEmbedded::Unknown(name.to_owned())));
        };
        match self.options.embed_names {
            EmbedNames::AliasOrTarget => {
                let warning = legacy_name(name, &alias);
                if !self.warnings.contains(&warning) {
                    self.warnings.push(warning);
                }
                Ok(position)
            }
            EmbedNames::Alias => Err(Error::NotEmbedded(NotEmbedded::Aliased {
                target: name.to_owned(),
                alias,
            })),
        }
    }

    fn columns(
        &self,
        place: &Place<'_>,
        items: &[SelectItem],
        expands: bool,
    ) -> Result<Vec<Shown>, Error> {
        let star = [SelectItem::star()];
        // An empty `select` means everything, an empty embed nothing.
        let items = if items.is_empty() && place.depth == 0 {
            &star
        } else {
            items
        };
        let mut shown = Vec::with_capacity(items.len());
        for item in items {
            let SelectItem::Column(column) = item else {
                continue;
            };
            if column.aggregate.is_some() && !self.options.aggregates {
                return Err(Error::AggregatesDisabled);
            }
            let is_plain_star = column.field.is_star() && column.aggregate.is_none();
            if is_plain_star && expands {
                shown.extend(place.scope.all_shown()?);
            } else {
                shown.push(place.scope.shown(column)?);
            }
        }
        Ok(shown)
    }

    fn embed(
        &mut self,
        place: &Place<'_>,
        embed: &SelectEmbed,
        said: Said<'_>,
    ) -> Result<Embed, Error> {
        let relationship = relate::relationship(
            self.catalog,
            &Wanted {
                origin: place.relation,
                target: &embed.target,
                hint: embed.hint.as_deref(),
            },
        )?;
        self.places += 1;
        let alias = format!("rest_{}", self.places);
        let depth = place.depth + 1;
        let shown_as = format!("{}_{depth}", relationship.to.name);
        let inner_place = Place {
            rows: reach::rows(relationship),
            relation: &relationship.to,
            scope: Scope::of_relation(self.catalog, &relationship.to, &shown_as),
            alias,
            depth,
            is_spread: embed.spread,
        };
        let tie = reach::tie(&inner_place.alias, relationship);
        let mut node = self.node(inner_place, &embed.items, said)?;
        let to_one = relationship.link.is_to_one();
        if self.bounded && !to_one {
            node.range = node.range.at_most(self.options.max_rows);
        }
        let form = reach::form(embed, to_one);
        Ok(Embed {
            name: key(embed).to_owned(),
            lifted: spread::lift(&mut node, form)?,
            form,
            node,
            tie,
            inner: embed.join == Some(Join::Inner),
        })
    }

    fn order(
        &self,
        place: &Place<'_>,
        own: &Said<'_>,
        embeds: &[&SelectEmbed],
        built: &[Embed],
    ) -> Result<Vec<OrderBy>, Error> {
        own.order
            .iter()
            .map(|term| match &term.relation {
                None => Ok(order_by(term, None, place.scope.value(&term.field)?)),
                Some(name) => self.related_order(place, term, name, embeds, built),
            })
            .collect()
    }

    fn related_order(
        &self,
        place: &Place<'_>,
        term: &OrderTerm,
        name: &str,
        embeds: &[&SelectEmbed],
        built: &[Embed],
    ) -> Result<OrderBy, Error> {
        let position = embeds.iter().position(|embed| key(embed) == name);
        let found = position.and_then(|position| Some((position, built.get(position)?)));
        let Some((position, embed)) = found else {
            return Err(Error::NotEmbedded(NotEmbedded::Unknown(name.to_owned())));
        };
        let wanted = Wanted {
            origin: place.relation,
            target: embeds.get(position).map_or(name, |embed| &embed.target),
            hint: embeds.get(position).and_then(|embed| embed.hint.as_deref()),
        };
        let relationship = relate::relationship(self.catalog, &wanted)?;
        if !relationship.link.is_to_one() {
            return Err(Error::RelatedOrder {
                origin: place.relation.name.clone(),
                target: name.to_owned(),
            });
        }
        let field = &term.field;
        let scope = Scope::of_relation(self.catalog, &relationship.to, &embed.node.alias);
        let is_shown = embed.shows(&field.name, scope.has_column(&field.name));
        let value = if is_shown {
            Value::shown(field)
        } else {
            scope.value(field)?
        };
        let decides = Decides {
            embed: position,
            is_shown,
        };
        Ok(order_by(term, Some(decides), value))
    }
}

/// The name an embed goes by.
fn key(embed: &SelectEmbed) -> &str {
    embed.alias.as_deref().unwrap_or(&embed.target)
}

fn legacy_name(target: &str, alias: &str) -> String {
    format!(
        "Embedded resource was referenced by relation name even though it has an alias. This is \
         deprecated and will stop working in a future release. Update `{target}` to `{alias}` in \
         query string filters, orders or limits."
    )
}

/// Whether `*` must be written as the columns it stands for.
fn expands_star(place: &Place<'_>, items: &[SelectItem], own: &Said<'_>, built: &[Embed]) -> bool {
    let aggregates = |item: &SelectItem| matches!(item, SelectItem::Column(column) if column.aggregate.is_some());
    let computes = |item: &SelectItem| matches!(item, SelectItem::Column(column) if place.scope.is_computed(&column.field.name));
    let orders =
        |term: &OrderTerm| term.relation.is_none() && place.scope.is_computed(&term.field.name);
    // Rows of the statement's first part have what is computed beside their columns.
    let has_more = place.rows == Rows::Source
        && (items.iter().any(computes)
            || own.order.iter().any(orders)
            || built.iter().any(|embed| embed.tie == Tie::Argument));
    let is_known = place.scope.columns().next().is_some();
    is_known
        && (place.is_spread
            || has_more
            || items.iter().any(aggregates)
            || built
                .iter()
                .any(|embed| embed.lifted.iter().any(|value| value.aggregate.is_some()))
            || place.scope.has_representations())
}

/// Everything that is said about the rows of a place.
fn conditions(
    place: &Place<'_>,
    own: &Said<'_>,
    embeds: &[&SelectEmbed],
) -> Result<Vec<Condition>, Error> {
    let filters = own
        .filters
        .iter()
        .map(|filter| condition(&place.scope, filter, embeds));
    let trees = own
        .logic
        .iter()
        .map(|tree| logic(&place.scope, tree, embeds));
    filters.chain(trees).collect()
}

/// Rows that are shown with those they relate to are joined anyway: where there must be some, the
/// join sees to it.
fn require_shown(conditions: &mut Vec<Condition>, embeds: &mut [Embed]) {
    conditions.retain(|condition| {
        let Condition::Related {
            negated: false,
            embed,
        } = condition
        else {
            return true;
        };
        match embeds.get_mut(*embed) {
            Some(embed) if embed.form != Form::Hidden => {
                embed.inner = true;
                false
            }
            _ => true,
        }
    });
}

/// A tree of conditions.
pub(super) fn logic(
    scope: &Scope<'_>,
    tree: &Logic,
    embeds: &[&SelectEmbed],
) -> Result<Condition, Error> {
    match tree {
        Logic::Filter(filter) => condition(scope, filter, embeds),
        Logic::Group {
            negated,
            connective,
            items,
        } => Ok(Condition::Group {
            negated: *negated,
            connective: *connective,
            items: items
                .iter()
                .map(|item| logic(scope, item, embeds))
                .collect::<Result<_, Error>>()?,
        }),
    }
}

/// A condition on a column or, by a null test, on the presence of related rows.
pub(super) fn condition(
    scope: &Scope<'_>,
    filter: &Filter,
    embeds: &[&SelectEmbed],
) -> Result<Condition, Error> {
    let name = &filter.field.name;
    let named = embeds.iter().position(|embed| key(embed) == name);
    let Some(embed) = named.filter(|_| filter.field.path.is_empty()) else {
        return Ok(Condition::Compare(scope.comparison(filter)?));
    };
    match filter.operation {
        Operation::Is(IsValue::Null) => Ok(Condition::Related {
            negated: !filter.negated,
            embed,
        }),
        Operation::Is(IsValue::NotNull) => Ok(Condition::Related {
            negated: filter.negated,
            embed,
        }),
        _ if scope.has_column(name) => Ok(Condition::Compare(scope.comparison(filter)?)),
        _ => Err(Error::EmbedFilter(name.clone())),
    }
}

pub(super) fn order_by(term: &OrderTerm, embed: Option<Decides>, value: Value) -> OrderBy {
    OrderBy {
        embed,
        value,
        direction: term.direction,
        nulls: term.nulls,
    }
}
