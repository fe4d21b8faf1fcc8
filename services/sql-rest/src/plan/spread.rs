//! Lifts the values of related rows among those of the rows around.

use super::node::{Base, Form, Lifted, Node, Shown};
use crate::error::Error;

/// The values of a node that is spread. Aggregates of the one related row mean nothing in it: they
/// are taken out of the node, to be computed over groups of the rows around.
pub(super) fn lift(node: &mut Node, form: Form) -> Result<Vec<Lifted>, Error> {
    match form {
        Form::SpreadMany if node.is_grouped() => Err(Error::NotImplemented(
            "Aggregates are not implemented for one-to-many or many-to-many spreads.".to_owned(),
        )),
        Form::SpreadOne | Form::SpreadMany => Ok(lift_values(node)),
        Form::Hidden | Form::Object | Form::Array => Ok(Vec::new()),
    }
}

fn lift_values(node: &mut Node) -> Vec<Lifted> {
    let mut lifted = Vec::new();
    for shown in &mut node.columns {
        lifted.push(lift_value(shown, lifted.len()));
    }
    for embed in &mut node.embeds {
        match embed.form {
            Form::Hidden => {}
            Form::Object | Form::Array => lifted.push(plain(&embed.name)),
            Form::SpreadOne | Form::SpreadMany => {
                for inner in &mut embed.lifted {
                    lifted.push(lift_again(inner, lifted.len()));
                }
            }
        }
    }
    lifted
}

fn plain(name: &str) -> Lifted {
    Lifted {
        column: name.to_owned(),
        aggregate: None,
        name: name.to_owned(),
    }
}

fn lift_value(shown: &mut Shown, position: usize) -> Lifted {
    let Some(aggregate) = shown.aggregate.take() else {
        return plain(&name_of(shown));
    };
    let name = shown
        .name
        .clone()
        .unwrap_or_else(|| aggregate.function.name().to_owned());
    if shown.value.base == Base::Star {
        // Rows are counted where there are any.
        shown.value.base = Base::One;
    }
    let column = unnamed(position);
    shown.name = Some(column.clone());
    Lifted {
        column,
        aggregate: Some(aggregate),
        name,
    }
}

/// Lifts what was lifted once, one place further.
fn lift_again(inner: &mut Lifted, position: usize) -> Lifted {
    let Some(aggregate) = inner.aggregate.take() else {
        return plain(&inner.name);
    };
    let column = unnamed(position);
    let name = std::mem::replace(&mut inner.name, column.clone());
    Lifted {
        column,
        aggregate: Some(aggregate),
        name,
    }
}

/// What a value that is yet to be aggregated is called.
fn unnamed(position: usize) -> String {
    format!("rest_value_{position}")
}

fn name_of(shown: &Shown) -> String {
    match (&shown.name, &shown.value.base) {
        (Some(name), _) | (None, Base::Column(name)) => name.clone(),
        (None, _) => String::new(),
    }
}
