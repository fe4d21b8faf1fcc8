//! Rows of a node and of everything embedded in it.

use super::{
    value::{conditions, direction, shown, value},
    writer::Writer,
};
use crate::{
    plan::{
        node::{Embed, Form, Lifted, Node, OrderBy, Rows, Tie},
        write::WHOLE_ROW,
    },
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
    select_within(sql, node, None, Json::Text);
}

/// `select` of nothing, from all rows of a node whatever range of them is wanted.
pub(super) fn all_rows(sql: &mut Writer, node: &Node) {
    select_nothing(sql, node, None);
}

/// The type of JSON related rows are made: values of groups must be comparable.
#[derive(Clone, Copy)]
enum Json {
    Text,
    Binary,
}

fn select_within(sql: &mut Writer, node: &Node, within: Option<Within<'_>>, json: Json) {
    let json = if node.is_grouped() {
        Json::Binary
    } else {
        json
    };
    sql.push("select ");
    outputs(sql, node, json);
    from(sql, node, within);
    for embed in visible(node) {
        join(
            sql,
            Within {
                around: node,
                embed,
            },
            json,
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

/// Asks for related rows of each row of a node. Rows that are themselves related to others are few
/// at a time: they are asked one by one, as they come, which `offset` makes the planner do.
fn exists(sql: &mut Writer, node: &Node, embed: &Embed, is_within: bool) {
    let within = Within {
        around: node,
        embed,
    };
    sql.push("exists (");
    select_nothing(sql, &embed.node, Some(within));
    sql.push(if is_within { " offset 0)" } else { ")" });
}

fn outputs(sql: &mut Writer, node: &Node, json: Json) {
    let embeds: Vec<&Embed> = visible(node).collect();
    if node.columns.is_empty() && embeds.is_empty() {
        // There has to be something for a row to be there.
        sql.push("1 as \"rest_nothing\"");
    }
    sql.separated(", ", &node.columns, |sql, column| {
        shown(sql, &node.alias, column);
    });
    if !node.columns.is_empty() && !embeds.is_empty() {
        sql.push(", ");
    }
    sql.separated(", ", embeds, |sql, embed| show_embed(sql, embed, json));
}

fn visible(node: &Node) -> impl Iterator<Item = &Embed> {
    node.embeds
        .iter()
        .filter(|embed| embed.form != Form::Hidden)
}

fn show_embed(sql: &mut Writer, embed: &Embed, json: Json) {
    let alias = joined(embed);
    let cast = match json {
        Json::Text => "",
        Json::Binary => "::jsonb",
    };
    match embed.form {
        Form::Object => {
            sql.push("row_to_json(")
                .ident(&alias)
                .push(".*)")
                .push(cast);
            sql.push(" as ").ident(&embed.name);
        }
        Form::Array => {
            sql.push("coalesce(")
                .member(&alias, "rest_rows")
                .push(", '[]')")
                .push(cast);
            sql.push(" as ").ident(&embed.name);
        }
        Form::SpreadOne => {
            sql.separated(", ", &embed.lifted, |sql, lifted| {
                show_lifted(sql, &alias, lifted, "");
            });
        }
        Form::SpreadMany => {
            sql.separated(", ", &embed.lifted, |sql, lifted| {
                show_lifted(sql, &alias, lifted, cast);
            });
        }
        Form::Hidden => {}
    }
}

fn show_lifted(sql: &mut Writer, alias: &str, lifted: &Lifted, cast: &'static str) {
    match &lifted.aggregate {
        Some(aggregate) => {
            let outer = aggregate.cast.as_ref();
            sql.push(if outer.is_some() { "cast(" } else { "" });
            sql.push(aggregate.function.name()).push("(");
            sql.member(alias, &lifted.column).push(")");
            if let Some(outer) = outer {
                sql.push(" as ").type_name(outer).push(")");
            }
        }
        None => {
            sql.member(alias, &lifted.column).push(cast);
        }
    }
    sql.push(" as ").ident(&lifted.name);
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
        Rows::Computed(function) => {
            sql.qualified(function).push("(");
            match within {
                // A row of the statement's first part has no type of its own.
                Some(Within { around, .. }) if around.from == Rows::Source => {
                    sql.member(&around.alias, WHOLE_ROW);
                }
                // Without the star it could be a column of that name.
                Some(Within { around, .. }) => {
                    sql.ident(&around.alias).push(".*");
                }
                None => {}
            }
            sql.push(")")
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
fn join(sql: &mut Writer, within: Within<'_>, json: Json) {
    let embed = within.embed;
    let alias = joined(embed);
    sql.push(if embed.inner {
        " join lateral ("
    } else {
        " left join lateral ("
    });
    match embed.form {
        Form::Array => {
            sql.push("select json_agg(")
                .ident(&alias)
                .push(") as \"rest_rows\" from (");
            select_within(sql, &embed.node, Some(within), json);
            sql.push(") as ").ident(&alias);
        }
        Form::SpreadMany => {
            sql.push("select count(*) as \"rest_count\"");
            for lifted in &embed.lifted {
                sql.push(", coalesce(json_agg(")
                    .member(&alias, &lifted.column);
                sql.push("), '[]') as ").ident(&lifted.column);
            }
            sql.push(" from (");
            select_within(sql, &embed.node, Some(within), json);
            sql.push(") as ").ident(&alias);
        }
        Form::Object | Form::SpreadOne | Form::Hidden => {
            select_within(sql, &embed.node, Some(within), json);
        }
    }
    sql.push(") as ").ident(&alias).push(" on ");
    match embed.form {
        Form::Array if embed.inner => sql.member(&alias, "rest_rows").push(" is not null"),
        Form::SpreadMany if embed.inner => sql.member(&alias, "rest_count").push(" > 0"),
        _ => sql.push("true"),
    };
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
        let exists = |sql: &mut Writer, embed: &Embed| exists(sql, node, embed, within.is_some());
        conditions(sql, node, &exists);
    }
    for embed in required {
        next(sql);
        exists(sql, node, embed, within.is_some());
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
    let own = node.columns.iter().map(|column| column.aggregate.is_some());
    let embedded = visible(node).flat_map(|embed| {
        let lifted = embed.lifted.iter().map(|lifted| lifted.aggregate.is_some());
        let whole = matches!(embed.form, Form::Object | Form::Array).then_some(false);
        lifted.chain(whole)
    });
    let positions: Vec<usize> = own
        .chain(embedded)
        .enumerate()
        .filter(|(_, is_aggregate)| !is_aggregate)
        .map(|(position, _)| position + 1)
        .collect();
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
        let decides = order
            .embed
            .and_then(|decides| Some((node.embeds.get(decides.embed)?, decides.is_shown)));
        match decides {
            None => value(sql, &node.alias, &order.value),
            Some((embed, true)) => value(sql, &joined(embed), &order.value),
            Some((embed, false)) => {
                let within = Within {
                    around: node,
                    embed,
                };
                related_value(sql, within, order);
            }
        }
        direction(sql, order);
    });
}

/// A value of the one related row, looked up.
fn related_value(sql: &mut Writer, within: Within<'_>, order: &OrderBy) {
    let node = &within.embed.node;
    sql.push("(select ");
    value(sql, &node.alias, &order.value);
    from(sql, node, Some(within));
    filter(sql, node, Some(within), &[]);
    sql.push(" limit 1)");
}

pub(super) fn limit(sql: &mut Writer, range: Range) {
    if let Some(limit) = range.limit {
        sql.push(" limit ").bind(limit.to_string());
    }
    if range.offset > 0 {
        sql.push(" offset ").bind(range.offset.to_string());
    }
}
