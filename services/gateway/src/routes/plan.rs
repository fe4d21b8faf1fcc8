//! A routes file that was found to be right, before anything is built from it.

use std::{ops::Range, sync::Arc, time::Duration};

pub(crate) use super::file::LimitBy;
use super::{
    consumers::ConsumerRules,
    file::{RouteEntry, RoutesFile, line_of},
};
use crate::{client_address::Networks, cors::Cors, limits::Limit, upstream::Target};

/// What is wrong, and with which part of the file.
pub(super) type Mistake = (Range<usize>, String);

/// Every route and consumer of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) routes: Vec<Rules>,
    pub(crate) consumers: Vec<ConsumerRules>,
}

/// What one route says.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Name in the routes file.
    pub(crate) name: Arc<str>,
    /// The path prefix it is responsible for.
    pub(crate) prefix: Box<str>,
    /// Where its upstream is.
    pub(crate) targets: Vec<Target>,
    /// Whether the prefix is removed.
    pub(crate) strip: bool,
    /// Names of the consumers that may use it.
    pub(crate) consumers: Vec<String>,
    /// Networks that may use it; all of them when none is listed.
    pub(crate) networks: Networks,
    /// Origins that may call it, when they are not those of all routes.
    pub(crate) cors: Option<Cors>,
    /// Requests one client may make.
    pub(crate) limit: Option<Limit>,
    /// Who is one client for that.
    pub(crate) limit_by: LimitBy,
    /// Largest request body.
    pub(crate) max_body_bytes: u64,
    /// Time to reach the upstream.
    pub(crate) connect_timeout: Duration,
    /// Longest silence of the upstream.
    pub(crate) read_timeout: Duration,
    /// Whether a WebSocket may be opened.
    pub(crate) websocket: bool,
    open: Vec<OpenPath>,
}

/// A path below the prefix that needs no key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OpenPath {
    Exact(Box<str>),
    Below(Box<str>),
}

/// What a routes file is read against.
pub(crate) struct Surroundings<'a> {
    /// Variables of the environment.
    pub(crate) variable: &'a mut dyn FnMut(&str) -> Option<String>,
    /// The consumers that exist.
    pub(crate) consumers: &'a [&'a str],
    /// Factor on every limit.
    pub(crate) limit_scale: f64,
}

impl Plan {
    /// Reads a routes file; an error names the line.
    pub(crate) fn read(text: &str, around: &mut Surroundings<'_>) -> Result<Self, String> {
        let file = RoutesFile::parse(text)?;
        let place = |kind, name: &str, (span, what): Mistake| {
            let line = line_of(text, &span);
            format!("line {line}: {kind} `{name}`: {what}")
        };
        let mut plan = Self::default();
        for entry in &file.consumer {
            let rules = ConsumerRules::read(entry, &plan.consumers, around)
                .map_err(|mistake| place("consumer", &entry.name.get_ref().0, mistake))?;
            plan.consumers.push(rules);
        }
        for entry in &file.route {
            let rules = Rules::read(entry, &plan, around)
                .map_err(|mistake| place("route", &entry.name.0, mistake))?;
            plan.routes.push(rules);
        }
        Ok(plan)
    }
}

impl Rules {
    fn read(
        entry: &RouteEntry,
        plan: &Plan,
        around: &mut Surroundings<'_>,
    ) -> Result<Self, Mistake> {
        let (name, prefix) = (entry.name.0.as_str(), entry.prefix.get_ref().0.as_str());
        let is_twin = |other: &&Self| *other.name == *name || *other.prefix == *prefix;
        if let Some(twin) = plan.routes.iter().find(is_twin) {
            let what = format!("its name or its prefix is that of `{}`", twin.name);
            return Err((entry.prefix.span(), what));
        }
        let targets = targets(entry.upstream.get_ref(), around.variable)
            .map_err(|what| (entry.upstream.span(), what))?;
        let cors = entry
            .cors_origins
            .as_ref()
            .map(|origins| Cors::new(origins.get_ref()).map_err(|what| (origins.span(), what)));
        let limit = entry.limit;
        Ok(Self {
            name: name.into(),
            prefix: prefix.into(),
            targets,
            strip: entry.strip,
            consumers: consumers(entry, plan, around)?,
            networks: networks(entry)?,
            cors: cors.transpose()?,
            limit: limit.map(|limit| Limit::new(limit.minute, limit.hour, around.limit_scale)),
            limit_by: limit.map(|limit| limit.by).unwrap_or_default(),
            max_body_bytes: entry.max_body.map_or(u64::MAX, |size| size.0),
            connect_timeout: entry.connect_timeout.0,
            read_timeout: entry.read_timeout.0,
            websocket: entry.websocket,
            open: entry
                .open
                .iter()
                .map(|path| OpenPath::new(&path.0))
                .collect(),
        })
    }

    /// Whether `path`, which must be normal and under the prefix, needs no key.
    pub(crate) fn is_open(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&*self.prefix).unwrap_or_default();
        self.open.iter().any(|open| match open {
            OpenPath::Exact(exact) => **exact == *rest,
            OpenPath::Below(start) => rest.starts_with(&**start),
        })
    }

    /// The path the upstream is asked for.
    pub(crate) fn onward_path<'p>(&self, path: &'p str) -> &'p str {
        match path.strip_prefix(&*self.prefix) {
            Some("") if self.strip => "/",
            Some(rest) if self.strip => rest,
            _ => path,
        }
    }

    /// Whether `path` lies under the prefix, by whole segments.
    pub(crate) fn covers(&self, path: &str) -> bool {
        path.strip_prefix(&*self.prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl OpenPath {
    fn new(path: &str) -> Self {
        match path.strip_suffix('*') {
            Some(start) => Self::Below(start.into()),
            None => Self::Exact(path.into()),
        }
    }
}

/// The consumers a route lists, or all.
fn consumers(
    entry: &RouteEntry,
    plan: &Plan,
    around: &Surroundings<'_>,
) -> Result<Vec<String>, Mistake> {
    let of_file = plan.consumers.iter().map(|consumer| &*consumer.name);
    let known: Vec<&str> = around.consumers.iter().copied().chain(of_file).collect();
    if entry.consumers.is_empty() {
        return Ok(known.into_iter().map(str::to_owned).collect());
    }
    let listed = entry.consumers.iter().map(|name| {
        if known.contains(&name.get_ref().as_str()) {
            Ok(name.get_ref().clone())
        } else {
            Err((
                name.span(),
                format!("there is no consumer `{}`", name.get_ref()),
            ))
        }
    });
    listed.collect()
}

fn networks(entry: &RouteEntry) -> Result<Networks, Mistake> {
    let texts = entry.allow_addresses.iter();
    let networks =
        texts.map(|text| Networks::parse(text.get_ref()).map_err(|what| (text.span(), what)));
    networks.collect::<Result<_, _>>().map(Networks)
}

/// The addresses in an `upstream` value, variables filled in.
fn targets(
    text: &str,
    variable: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Vec<Target>, String> {
    let text = fill_in(text, variable)?;
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let targets = parts.map(Target::parse).collect::<Result<Vec<_>, _>>()?;
    if targets.is_empty() {
        return Err("no upstream address is given".to_owned());
    }
    Ok(targets)
}

/// Replaces every `${NAME}` and `${NAME:-default}` of `text`.
pub(super) fn fill_in(
    text: &str,
    variable: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<String, String> {
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, after) = part
            .split_once('}')
            .ok_or_else(|| "`${` without `}`".to_owned())?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let value = variable(name).or_else(|| default.map(str::to_owned));
        filled += &value.ok_or_else(|| format!("the variable {name} is not set"))?;
        filled += after;
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::BUILT_IN;

    const TWO: &str = r#"[[route]]
name = "a"
prefix = "/a/v1"
upstream = "http://one:1"
open = ["/verify", "/.well-known/*"]

[[route]]
name = "deep"
prefix = "/a/v1/deep"
upstream = "http://${HOST:-two}:2"
consumers = ["anon"]
strip = false
"#;

    fn read(text: &str) -> Result<Plan, String> {
        let mut around = Surroundings {
            variable: &mut |name| (name == "PORT_SET").then(|| "7".to_owned()),
            consumers: &["anon", "service_role"],
            limit_scale: 1.0,
        };
        Plan::read(text, &mut around)
    }

    #[test]
    fn a_prefix_is_removed_unless_told_otherwise() {
        let plan = read(TWO).unwrap();
        let [a, deep] = plan.routes.as_slice() else {
            panic!("two routes");
        };
        assert_eq!(a.onward_path("/a/v1"), "/");
        assert_eq!(a.onward_path("/a/v1/"), "/");
        assert_eq!(a.onward_path("/a/v1/x/y"), "/x/y");
        assert_eq!(deep.onward_path("/a/v1/deep/x"), "/a/v1/deep/x");
    }

    #[test]
    fn only_the_listed_paths_are_open() {
        let route = &read(TWO).unwrap().routes[0];
        assert!(route.is_open("/a/v1/verify"));
        assert!(route.is_open("/a/v1/.well-known/jwks.json"));
        for path in [
            "/a/v1",
            "/a/v1/verify/",
            "/a/v1/verifying",
            "/a/v1/x/verify",
        ] {
            assert!(!route.is_open(path), "{path}");
        }
    }

    #[test]
    fn variables_are_filled_in() {
        let target = |text: &str| read(text).unwrap().routes[1].targets[0].to_string();
        assert_eq!(target(TWO), "two:2");
        let set = TWO.replace("${HOST:-two}:2", "three:${PORT_SET}");
        assert_eq!(target(&set), "three:7");
    }

    #[test]
    fn a_mistake_names_the_line() {
        for (from, to, line, what) in [
            ("\"/a/v1/deep\"", "\"/a/v1\"", 9, "is that of `a`"),
            ("${HOST:-two}", "${HOST}", 10, "HOST is not set"),
            ("http://${HOST:-two}:2", "ftp://two", 10, "http://host:port"),
            ("http://${HOST:-two}:2", " , ", 10, "no upstream"),
            ("${HOST:-two}:2", "${HOST", 10, "without `}`"),
            ("[\"anon\"]", "[\"nobody\"]", 11, "no consumer `nobody`"),
            (
                "strip = false",
                "allow_addresses = [\"10.0.0.0/99\"]",
                12,
                "nor a network",
            ),
            (
                "strip = false",
                "cors_origins = [\"app.example\"]",
                12,
                "is not an origin",
            ),
        ] {
            let message = read(&TWO.replacen(from, to, 1)).unwrap_err();
            assert!(
                message.starts_with(&format!("line {line}: route")),
                "{message}"
            );
            assert!(message.contains(what), "{message}");
        }
    }

    #[test]
    fn the_built_in_routes_are_right() {
        let plan = read(BUILT_IN).unwrap();
        assert!(plan.routes.iter().any(|route| &*route.name == "auth"));
    }
}
