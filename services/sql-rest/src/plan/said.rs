//! What a query string says about one resource and those embedded in it.

use crate::{
    error::Error,
    request::{
        ApiRequest, At, Range,
        filter::{Filter, Logic},
        order::OrderTerm,
        select::SelectEmbed,
    },
};

/// Something said, with what is left of the path to whom it is said about.
#[derive(Clone, Copy, Debug)]
struct Toward<'a, T> {
    path: &'a [String],
    item: T,
}

/// What is said about a resource itself, and what is to be passed on to those embedded in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Said<'a> {
    /// Conditions, all of which must hold.
    pub filters: Vec<&'a Filter>,
    /// Trees of conditions, all of which must hold.
    pub logic: Vec<&'a Logic>,
    /// The order; the last one given wins.
    pub order: &'a [OrderTerm],
    /// The rows wanted.
    pub range: Range,
    onward: Onward<'a>,
}

/// What is said about embedded resources.
#[derive(Clone, Debug, Default)]
struct Onward<'a> {
    filters: Vec<Toward<'a, &'a Filter>>,
    logic: Vec<Toward<'a, &'a Logic>>,
    order: Vec<Toward<'a, &'a [OrderTerm]>>,
    ranges: Vec<Toward<'a, Range>>,
}

/// What applies at the top level, beside what is said about embedded resources.
#[derive(Clone, Copy, Debug)]
pub(super) enum TopLevel {
    /// Everything: a read or a call.
    All,
    /// The order alone: the filters choose the rows that are written, and all those are returned.
    OrderOnly,
}

impl<'a> Said<'a> {
    /// Everything a request says.
    pub(super) fn by(request: &'a ApiRequest, top: TopLevel) -> Self {
        let query = &request.query;
        let mut said = Self::default();
        for filter in &query.filters {
            said.add_filter(&filter.path, &filter.item);
        }
        for tree in &query.logic {
            said.add_logic(&tree.path, &tree.item);
        }
        for order in &query.order {
            said.add_order(&order.path, &order.item);
        }
        match top {
            TopLevel::All => {
                said.range = request.range;
                for At { path, item } in &request.embed_ranges {
                    said.add_range(path, *item);
                }
            }
            TopLevel::OrderOnly => {
                said.filters.clear();
                said.logic.clear();
            }
        }
        said
    }

    fn add_filter(&mut self, path: &'a [String], item: &'a Filter) {
        if path.is_empty() {
            self.filters.push(item);
        } else {
            self.onward.filters.push(Toward { path, item });
        }
    }

    fn add_logic(&mut self, path: &'a [String], item: &'a Logic) {
        if path.is_empty() {
            self.logic.push(item);
        } else {
            self.onward.logic.push(Toward { path, item });
        }
    }

    fn add_order(&mut self, path: &'a [String], item: &'a [OrderTerm]) {
        if path.is_empty() {
            self.order = item;
        } else {
            self.onward.order.push(Toward { path, item });
        }
    }

    fn add_range(&mut self, path: &'a [String], item: Range) {
        if path.is_empty() {
            self.range = item;
        } else {
            self.onward.ranges.push(Toward { path, item });
        }
    }

    /// Parts what is said about the resource itself from what is said about each of the embedded.
    pub(super) fn distribute(
        mut self,
        embeds: &[&SelectEmbed],
        mut find: impl FnMut(&str) -> Result<usize, Error>,
    ) -> Result<(Self, Vec<Self>), Error> {
        let onward = std::mem::take(&mut self.onward);
        let mut theirs: Vec<Self> = embeds.iter().map(|_| Self::default()).collect();
        let mut next = |path: &'a [String]| -> Result<(usize, &'a [String]), Error> {
            let (name, rest) = path.split_first().ok_or(Error::Path)?;
            Ok((find(name)?, rest))
        };
        for Toward { path, item } in onward.filters {
            let (position, rest) = next(path)?;
            at(&mut theirs, position, |said| said.add_filter(rest, item));
        }
        for Toward { path, item } in onward.order {
            let (position, rest) = next(path)?;
            at(&mut theirs, position, |said| said.add_order(rest, item));
        }
        for Toward { path, item } in onward.ranges {
            let (position, rest) = next(path)?;
            at(&mut theirs, position, |said| said.add_range(rest, item));
        }
        for Toward { path, item } in onward.logic {
            let (position, rest) = next(path)?;
            at(&mut theirs, position, |said| said.add_logic(rest, item));
        }
        Ok((self, theirs))
    }
}

fn at<'a>(theirs: &mut [Said<'a>], position: usize, add: impl FnOnce(&mut Said<'a>)) {
    if let Some(said) = theirs.get_mut(position) {
        add(said);
    }
}
