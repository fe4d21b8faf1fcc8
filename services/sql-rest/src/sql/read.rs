//! Rows of a node and of everything embedded in it.

use super::{
    value::{conditions, direction, shown, value},
    writer::Writer,
};
use crate::{
    plan::node::{Base, Embed, Form, Node, OrderBy, Rows, Tie, Value},
    request::Range,
};

/// The first part of a statement that begins with a write or a call.
pub(super) const SOURCE: &str = "rest_source";

/// Where related rows belong: the place around them, and how they are embedded in it.
#[derive(Clone, Copy)]
struct Within<'a> {
    around: &'a Node,
    embed: &'a Embed,
}

/// `select` of everything a node shows.
pub(super) fn select(sql: &mut Writer, node: &Node) {
    select_within(sql, node, None);
}

/// `select` of nothing, from all rows of a node whatever range of them is wanted.
pub(super) fn all_rows(sql: &mut Writer, node: &Node) {
    select_nothing(sql, node, None);
}

fn select_within(sql: &mut Writer, node: &Node, within: Option<Within<'_>>) {
    sql.push("select ");
    outputs(sql, node);
    from(sql, node, within);
    for embed in node
        .embeds
        .iter()
        .filter(|embed| embed.form != Form::Hidden)
    {
        join(
            sql,
            Within {
                around: node,
                embed,
            },
        );
    }
    let required = node
        .embeds
        .iter()
        .filter(|embed| embed.inner && embed.form == Form::Hidden);
    filter(sql, node, within, &required.collect::<Vec<_>>());
    group(sql, node);
    order(sql, node);
    limit(sql, node.range);
}

/// What is used where only the presence of rows matters.
fn select_nothing(sql: &mut Writer, node: &Node, within: Option<Within<'_>>) {
    sql.push("select 1");
    from(sql, node, within);
    let required: Vec<&Embed> = node.embeds.iter().filter(|embed| embed.inner).collect();
    filter(sql, node, within, &required);
}

fn outputs(sql: &mut Writer, node: &Node) {
    let embeds: Vec<&Embed> = visible(node).collect();
    if node.columns.is_empty() && embeds.is_empty() {
        // There has to be something for a row to be there.
        sql.push("1 as \"rest_row\"");
    }
    sql.separated(", ", &node.columns, |sql, column| {
        shown(sql, &node.alias, column);
    });
    if !node.columns.is_empty() && !embeds.is_empty() {
        sql.push(", ");
    }
    sql.separated(", ", embeds, show_embed);
}

fn visible(node: &Node) -> impl Iterator<Item = &Embed> {
    node.embeds
        .iter()
        .filter(|embed| embed.form != Form::Hidden)
}

fn show_embed(sql: &mut Writer, embed: &Embed) {
    let alias = joined(embed);
    match embed.form {
        Form::Object => sql
            .push("row_to_json(")
            .ident(&alias)
            .push(".*) as ")
            .ident(&embed.name),
        Form::Array => sql
            .push("coalesce(")
            .member(&alias, "rest_rows")
            .push(", '[]') as ")
            .ident(&embed.name),
        Form::SpreadOne | Form::SpreadMany | Form::Hidden => sql.ident(&alias).push(".*"),
    };
}

/// What the rows of an embed are called once they are joined.
fn joined(embed: &Embed) -> String {
    format!("{}_shown", embed.node.alias)
}

/// `from`, with the relation in the middle where there is one.
fn from(sql: &mut Writer, node: &Node, within: Option<Within<'_>>) {
    sql.push(" from ");
    match &node.from {
        Rows::Relation(name) => sql.qualified(name),
        Rows::Source => sql.push(SOURCE),
        Rows::Computed { function, row_of } => {
            sql.qualified(function).push("(");
            if let Some(Within { around, .. }) = within {
                sql.ident(&around.alias);
            }
            // A row of the statement's first part has no type of its own.
            sql.push("::").qualified(row_of).push(")")
        }
    };
    sql.push(" as ").ident(&node.alias);
    if let Some(Within { embed, .. }) = within
        && let Tie::Junction {
            relation,
            alias,
            inner,
            ..
        } = &embed.tie
    {
        sql.push(" join ")
            .qualified(relation)
            .push(" as ")
            .ident(alias)
            .push(" on ");
        sql.separated(" and ", inner, |sql, (near, far)| {
            sql.member(alias, near).push(" = ").member(&node.alias, far);
        });
    }
}

/// An embed beside the rows it belongs to.
fn join(sql: &mut Writer, within: Within<'_>) {
    let embed = within.embed;
    let alias = joined(embed);
    sql.push(if embed.inner {
        " join lateral ("
    } else {
        " left join lateral ("
    });
    if embed.form == Form::Array {
        sql.push("select json_agg(")
            .ident(&alias)
            .push(") as \"rest_rows\" from (");
        select_within(sql, &embed.node, Some(within));
        sql.push(") as ").ident(&alias);
    } else {
        select_within(sql, &embed.node, Some(within));
    }
    sql.push(") as ").ident(&alias).push(" on ");
    if embed.inner && embed.form == Form::Array {
        sql.member(&alias, "rest_rows").push(" is not null");
    } else {
        sql.push("true");
    }
}

/// `where`: what ties the rows to those around, what is asked of them, and which embeds must have
/// rows.
fn filter(sql: &mut Writer, node: &Node, within: Option<Within<'_>>, required: &[&Embed]) {
    let ties = within.map_or(&[][..], |within| tie(within).0);
    let mut written = 0;
    let mut next = |sql: &mut Writer| {
        sql.push(if written == 0 { " where " } else { " and " });
        written += 1;
    };
    if let (Some(within), [_, ..]) = (within, ties) {
        next(sql);
        let (pairs, alias) = tie(within);
        sql.separated(" and ", pairs, |sql, (near, far)| {
            sql.member(alias, far)
                .push(" = ")
                .member(&within.around.alias, near);
        });
    }
    if !node.conditions.is_empty() {
        next(sql);
        let exists = |sql: &mut Writer, embed: &Embed| {
            select_nothing(
                sql,
                &embed.node,
                Some(Within {
                    around: node,
                    embed,
                }),
            );
        };
        conditions(sql, node, &exists);
    }
    for embed in required {
        next(sql);
        sql.push("exists (");
        select_nothing(
            sql,
            &embed.node,
            Some(Within {
                around: node,
                embed,
            }),
        );
        sql.push(")");
    }
}

/// Pairs of columns that tie related rows to those around, and what the related end is called.
fn tie(within: Within<'_>) -> (&[(String, String)], &str) {
    match &within.embed.tie {
        Tie::Columns(pairs) => (pairs, &within.embed.node.alias),
        Tie::Junction { outer, alias, .. } => (outer, alias),
        Tie::Argument => (&[], ""),
    }
}

/// Groups by everything shown that is no aggregate.
fn group(sql: &mut Writer, node: &Node) {
    if !node.is_grouped() {
        return;
    }
    let plain = node.columns.iter().enumerate();
    let plain = plain.filter(|(_, column)| column.aggregate.is_none());
    let plain = plain.map(|(position, _)| position + 1);
    let embeds = (1..=visible(node).count()).map(|position| node.columns.len() + position);
    let positions: Vec<usize> = plain.chain(embeds).collect();
    if !positions.is_empty() {
        sql.push(" group by ");
        sql.separated(", ", positions, |sql, position| {
            sql.number(position);
        });
    }
}

fn order(sql: &mut Writer, node: &Node) {
    if node.order.is_empty() {
        return;
    }
    sql.push(" order by ");
    sql.separated(", ", &node.order, |sql, order| {
        let embed = order.embed.and_then(|position| node.embeds.get(position));
        match embed {
            None => value(sql, &node.alias, &order.value),
            Some(embed) => related_value(
                sql,
                Within {
                    around: node,
                    embed,
                },
                order,
            ),
        }
        direction(sql, order);
    });
}

/// A value of the one related row: as it was joined when it is shown, else looked up.
fn related_value(sql: &mut Writer, within: Within<'_>, order: &OrderBy) {
    let embed = within.embed;
    if is_joined(embed, &order.value) {
        value(sql, &joined(embed), &order.value);
        return;
    }
    sql.push("(select ");
    value(sql, &embed.node.alias, &order.value);
    from(sql, &embed.node, Some(within));
    filter(sql, &embed.node, Some(within), &[]);
    sql.push(" limit 1)");
}

fn is_joined(embed: &Embed, value: &Value) -> bool {
    let Base::Column(wanted) = &value.base else {
        return false;
    };
    matches!(embed.form, Form::Object | Form::SpreadOne)
        && embed.node.columns.iter().any(|column| {
            let is_plain = column.value.path.is_empty()
                && column.format.is_none()
                && column.cast.is_none()
                && column.aggregate.is_none()
                && column.name.is_none();
            is_plain && (column.value.base == Base::Star || column.value.base == value.base)
        })
        && !wanted.is_empty()
}

fn limit(sql: &mut Writer, range: Range) {
    if let Some(limit) = range.limit {
        sql.push(" limit ").bind(limit.to_string());
    }
    if range.offset > 0 {
        sql.push(" offset ").bind(range.offset.to_string());
    }
}
