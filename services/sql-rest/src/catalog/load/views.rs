//! Where the columns of views come from.
//!
//! PostgreSQL stores a view's query as a tree in text form:
//! `({QUERY :commandType 1 … :targetList ({TARGETENTRY :expr {…} :resno 1 … :resorigtbl 16385
//! :resorigcol 1 …} …) …})`. Its target list tells for each column of the view which column of
//! which relation it shows, through subqueries and common table expressions, but not through other
//! views.

use std::collections::HashMap;

use super::rows::ViewRow;

/// A column of a view that shows a column of another relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Origin {
    /// Number of the view's column.
    pub(super) column: i16,
    /// The relation shown.
    pub(super) source: u32,
    /// Number of that relation's column.
    pub(super) source_column: i16,
}

/// What a view shows of one relation: columns of the view by column of the relation, in order.
pub(super) type Shown = HashMap<i16, Vec<i16>>;

/// By relation, the views that show something of it, with what they show.
pub(super) type Origins = HashMap<u32, Vec<(u32, Shown)>>;

/// The origins in the stored form of a view's query.
pub(super) fn origins(tree: &str) -> Vec<Origin> {
    let mut scanner = Scanner::new(tree);
    while let Some(token) = scanner.next() {
        if scanner.depth == QUERY_FIELDS && token == ":targetList" {
            return target_list(&mut scanner);
        }
    }
    Vec::new()
}

fn target_list(scanner: &mut Scanner<'_>) -> Vec<Origin> {
    let mut entry = Entry::default();
    let mut found = Vec::new();
    while let Some(token) = scanner.next() {
        match (scanner.depth, token) {
            (QUERY_FIELDS, _) => break,
            (TARGET_LIST, "}") => found.extend(std::mem::take(&mut entry).origin()),
            // The name may look like anything.
            (ENTRY_FIELDS, ":resname") => drop(scanner.next()),
            (ENTRY_FIELDS, ":resno") => entry.column = scanner.number(),
            (ENTRY_FIELDS, ":resorigtbl") => entry.source = scanner.number(),
            (ENTRY_FIELDS, ":resorigcol") => entry.source_column = scanner.number(),
            (ENTRY_FIELDS, ":resjunk") => entry.is_junk = scanner.next() == Some("true"),
            _ => {}
        }
    }
    found
}

/// Follows views over views down to tables, and turns the result around.
pub(super) fn resolve(views: &[ViewRow]) -> Origins {
    let direct: HashMap<u32, &[Origin]> = views
        .iter()
        .map(|view| (view.oid, view.origins.as_slice()))
        .collect();
    let mut origins = Origins::new();
    for view in views {
        let mut shown: HashMap<u32, Shown> = HashMap::new();
        for origin in view
            .origins
            .iter()
            .flat_map(|origin| chain(*origin, &direct))
        {
            let columns = shown.entry(origin.source).or_default();
            let columns = columns.entry(origin.source_column).or_default();
            if !columns.contains(&origin.column) {
                columns.push(origin.column);
            }
        }
        for (source, mut columns) in shown {
            for numbers in columns.values_mut() {
                numbers.sort_unstable();
            }
            origins.entry(source).or_default().push((view.oid, columns));
        }
    }
    origins
}

/// An origin, and the origins of what it shows, for as long as that is a view's column too.
fn chain(first: Origin, direct: &HashMap<u32, &[Origin]>) -> Vec<Origin> {
    let mut found = vec![first];
    let mut next = 0;
    while let Some(origin) = found.get(next).copied() {
        next += 1;
        let deeper = direct.get(&origin.source).copied().unwrap_or_default();
        let shown = deeper
            .iter()
            .filter(|below| below.column == origin.source_column);
        for below in shown {
            let reached = Origin {
                column: first.column,
                ..*below
            };
            if !found.contains(&reached) {
                found.push(reached);
            }
        }
    }
    found
}

/// Nesting of what stands in `({QUERY …})`, in its target list, and in an entry of that list.
const QUERY_FIELDS: usize = 2;
const TARGET_LIST: usize = 3;
const ENTRY_FIELDS: usize = 4;

#[derive(Debug, Default)]
struct Entry {
    column: Option<i16>,
    source: Option<u32>,
    source_column: Option<i16>,
    /// Whether it serves sorting and is no column of the view.
    is_junk: bool,
}

impl Entry {
    fn origin(self) -> Option<Origin> {
        if self.is_junk {
            return None;
        }
        Some(Origin {
            column: self.column?,
            source: self.source.filter(|oid| *oid != 0)?,
            source_column: self.source_column?,
        })
    }
}

/// Splits a tree into brackets and words, counting how deep it is.
#[derive(Debug)]
struct Scanner<'a> {
    rest: &'a str,
    /// Brackets open after the last token.
    depth: usize,
}

impl<'a> Scanner<'a> {
    fn new(tree: &'a str) -> Self {
        Self {
            rest: tree,
            depth: 0,
        }
    }

    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.next()?.parse().ok()
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start_matches([' ', '\n']);
        let first = rest.chars().next()?;
        let length = if matches!(first, '(' | ')' | '{' | '}') {
            1
        } else {
            word_length(rest)
        };
        let (token, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        match first {
            '(' | '{' => self.depth += 1,
            ')' | '}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Some(token)
    }
}

/// Bytes up to the end of a word; a backslash takes away the meaning of what follows it.
fn word_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = !escaped && matches!(byte, b' ' | b'\n' | b'(' | b')' | b'{' | b'}');
        escaped = !escaped && byte == b'\\';
        ends
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: u32 = 16385;

    fn origin(column: i16, source: u32, source_column: i16) -> Origin {
        Origin {
            column,
            source,
            source_column,
        }
    }

    fn entry(column: i16, name: &str, source: u32, source_column: i16, junk: bool) -> String {
        format!(
            "{{TARGETENTRY :expr {{VAR :varno 1 :resno 9 :location 15}} :resno {column} \
             :resname {name} :ressortgroupref 0 :resorigtbl {source} :resorigcol {source_column} \
             :resjunk {junk}}}"
        )
    }

    fn tree(entries: &[String]) -> String {
        format!(
            "({{QUERY :commandType 1 :rtable ({{RTE :eref {{ALIAS :colnames (\"a\\ \\)\")}} \
             :subquery {{QUERY :targetList ({})}}}}) :targetList ({}) :returningList <>}})",
            entry(1, "inner", 99, 9, false),
            entries.join(" ")
        )
    }

    #[test]
    fn columns_lead_to_what_they_show() {
        let tree = tree(&[
            entry(1, "id", ORDERS, 1, false),
            entry(2, ":resorigtbl", ORDERS, 3, false),
            entry(3, "computed", 0, 0, false),
            entry(4, "?column?", ORDERS, 2, true),
        ]);
        let expected = [origin(1, ORDERS, 1), origin(2, ORDERS, 3)];
        assert_eq!(origins(&tree), expected);
    }

    #[test]
    fn a_tree_that_ends_early_gives_what_it_held() {
        let whole = tree(&[entry(1, "id", ORDERS, 1, false)]);
        for (end, _) in whole.char_indices() {
            let part = whole.get(..end).unwrap();
            assert!(origins(part).len() <= 1);
        }
    }

    #[test]
    fn views_over_views_lead_to_the_table() {
        let view = |oid, origins: &[Origin]| ViewRow {
            oid,
            origins: origins.to_vec(),
        };
        let views = [
            view(1, &[origin(1, ORDERS, 5), origin(2, ORDERS, 5)]),
            view(2, &[origin(7, 1, 2)]),
        ];
        let origins = resolve(&views);
        let mut of_orders = origins[&ORDERS].clone();
        of_orders.sort_by_key(|(view, _)| *view);
        let expected = [
            (1, Shown::from([(5, vec![1, 2])])),
            (2, Shown::from([(5, vec![7])])),
        ];
        assert_eq!(of_orders, expected);
    }

    #[test]
    fn views_that_show_each_other_end() {
        let view = |oid, source| ViewRow {
            oid,
            origins: vec![origin(1, source, 1)],
        };
        assert_eq!(resolve(&[view(1, 2), view(2, 1)]).len(), 2);
    }
}
