//! The routes: which request goes where, and under which conditions.

use std::{cmp::Reverse, collections::HashMap, fmt, ops::Deref, sync::Arc};

pub(crate) use self::plan::{LimitBy, Plan, Rules, Surroundings};
use crate::{
    access::Meters,
    keys::Keys,
    limits,
    upstream::{Patience, Upstream, Upstreams},
};

mod consumers;
mod file;
pub(crate) mod path;
mod plan;

/// The routes that come with the binary.
pub(crate) const BUILT_IN: &str = include_str!("../../../deploy/gateway/routes.toml");

/// All routes, ready to be matched.
#[derive(Debug)]
pub(crate) struct Routes {
    by_first_segment: HashMap<Box<str>, Vec<Arc<Route>>>,
    all: Vec<Arc<Route>>,
}

/// One route, ready to be used.
pub(crate) struct Route {
    rules: Rules,
    /// Where requests go.
    pub(crate) upstream: Arc<Upstream>,
    /// Index of each consumer that may use it.
    pub(crate) consumers: Vec<usize>,
    /// Under which its requests are counted.
    pub(crate) limit_rule: u64,
    /// Its metrics and its name in the access log.
    pub(crate) meters: Meters,
}

impl Routes {
    /// Builds what `plan` says; connections to upstreams that `upstreams` knows are kept.
    pub(crate) fn new(plan: Plan, keys: &Keys, upstreams: &Upstreams) -> Self {
        let routes = plan.routes.into_iter();
        let all: Vec<_> = routes
            .map(|rules| Arc::new(Route::new(rules, keys, upstreams)))
            .collect();
        let mut by_first_segment: HashMap<Box<str>, Vec<Arc<Route>>> = HashMap::new();
        for route in &all {
            let segment = first_segment(&route.prefix).into();
            let candidates = by_first_segment.entry(segment).or_default();
            candidates.push(Arc::clone(route));
            candidates.sort_by_key(|route| Reverse(route.prefix.len()));
        }
        Self {
            by_first_segment,
            all,
        }
    }

    /// The route with the longest prefix of `path`, which must be normal.
    pub(crate) fn find(&self, path: &str) -> Option<&Arc<Route>> {
        let candidates = self.by_first_segment.get(first_segment(path))?;
        candidates.iter().find(|route| route.covers(path))
    }

    /// Every route, in the order of the file.
    pub(crate) fn all(&self) -> &[Arc<Route>] {
        &self.all
    }
}

impl Route {
    fn new(rules: Rules, keys: &Keys, upstreams: &Upstreams) -> Self {
        let consumers = rules.consumers.iter();
        Self {
            upstream: upstreams.get(&rules.targets),
            consumers: consumers.filter_map(|name| keys.position(name)).collect(),
            limit_rule: limits::rule(&rules.name),
            meters: Meters::new(format!("{}/*", rules.prefix)),
            rules,
        }
    }

    /// How long to wait for the upstream.
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            connect: self.connect_timeout,
            read: self.read_timeout,
        }
    }
}

impl Deref for Route {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.rules
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Route").field(&self.name).finish()
    }
}

/// The text between the first slash and the second.
fn first_segment(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}
