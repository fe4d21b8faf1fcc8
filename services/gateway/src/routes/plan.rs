//! A routes file that was found to be right, before anything is built from it.

use std::{ops::Range, sync::Arc, time::Duration};

use super::file::{RouteEntry, RoutesFile, line_of};
use crate::{limits::Limit, upstream::Target};

/// Every route of a file.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) routes: Vec<Rules>,
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
    /// Requests one client may make.
    pub(crate) limit: Option<Limit>,
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
        let mut routes: Vec<Rules> = Vec::with_capacity(file.route.len());
        for entry in file.route {
            let rules = Rules::read(&entry, &routes, around).map_err(|(span, what)| {
                let line = line_of(text, &span);
                format!("line {line}: route `{}`: {what}", entry.name.0)
            })?;
            routes.push(rules);
        }
        Ok(Self { routes })
    }
}

impl Rules {
    fn read(
        entry: &RouteEntry,
        others: &[Self],
        around: &mut Surroundings<'_>,
    ) -> Result<Self, (Range<usize>, String)> {
        let (name, prefix) = (entry.name.0.as_str(), entry.prefix.get_ref().0.as_str());
        let is_twin = |other: &&Self| *other.name == *name || *other.prefix == *prefix;
        if let Some(twin) = others.iter().find(is_twin) {
            let what = format!("its name or its prefix is that of `{}`", twin.name);
            return Err((entry.prefix.span(), what));
        }
        let targets = targets(entry.upstream.get_ref(), around.variable)
            .map_err(|what| (entry.upstream.span(), what))?;
        for consumer in &entry.consumers {
            if !around.consumers.contains(&consumer.get_ref().as_str()) {
                let what = format!("there is no consumer `{}`", consumer.get_ref());
                return Err((consumer.span(), what));
            }
        }
        let everybody = || around.consumers.iter().map(ToString::to_string).collect();
        let listed: Vec<_> = entry
            .consumers
            .iter()
            .map(|name| name.get_ref().clone())
            .collect();
        let limit = entry.limit;
        Ok(Self {
            name: name.into(),
            prefix: prefix.into(),
            targets,
            strip: entry.strip,
            consumers: if listed.is_empty() {
                everybody()
            } else {
                listed
            },
            limit: limit.map(|limit| Limit::new(limit.minute, limit.hour, around.limit_scale)),
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
fn fill_in(text: &str, variable: &mut dyn FnMut(&str) -> Option<String>) -> Result<String, String> {
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

    pub(crate) const TWO: &str = r#"[[route]]
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
