use super::super::{
    Range,
    field::{Field, JsonKey, JsonStep},
    filter::{Connective, Filter, IsValue, Logic, Operation, Operator, Quantifier},
    query::{At, Query},
    range,
    select::{AggregateFunction, Join, SelectColumn, SelectEmbed, SelectItem},
};
use crate::{
    error::{Details, Error},
    options::Limits,
};

fn query(text: &str) -> Result<Query, Error> {
    Query::parse(text, false, Limits::default())
}

fn parsed(text: &str) -> Query {
    query(text).unwrap()
}

/// Message and details of the error a query string gives.
fn refusal(text: &str) -> (String, String) {
    let error = query(text).unwrap_err();
    let Some(Details::Text(details)) = error.body().details else {
        panic!("no details");
    };
    (error.message(), details)
}

fn select(text: &str) -> Vec<SelectItem> {
    parsed(&format!("select={text}")).select
}

fn the_column(text: &str) -> SelectColumn {
    match select(text).pop() {
        Some(SelectItem::Column(column)) => column,
        other => panic!("{other:?}"),
    }
}

fn the_embed(text: &str) -> SelectEmbed {
    match select(text).pop() {
        Some(SelectItem::Embed(embed)) => embed,
        other => panic!("{other:?}"),
    }
}

fn the_filter(text: &str) -> Filter {
    parsed(text).filters.pop().unwrap().item
}

fn equals(column: &str, value: &str) -> Filter {
    Filter {
        field: Field::column(column),
        negated: false,
        operation: Operation::Compare {
            operator: Operator::Equal,
            quantifier: None,
            value: value.to_owned(),
        },
    }
}

fn step(as_text: bool, key: &str) -> JsonStep {
    JsonStep {
        as_text,
        key: JsonKey::Name(key.to_owned()),
    }
}

#[test]
fn syntax_errors_read_as_clients_know_them() {
    let operators = r#"expecting "not" or operator (eq, gt, ...)"#;
    let directions = r#"expecting "asc", "desc", "nullsfirst" or "nullslast""#;
    let nulls = r#"expecting "nullsfirst" or "nullslast""#;
    let table = [
        ("id=0", "filter (0)", 1, format!(r#"unexpected "0" {operators}"#)),
        ("id=noop.0", "filter (noop.0)", 1, format!(r#"unexpected "o" {operators}"#)),
        ("id=eq().1", "filter (eq().1)", 4, r#"unexpected ")" expecting operator (eq, gt, ...)"#.into()),
        ("id=is().1", "filter (is().1)", 3, r#"unexpected "(" expecting operator (eq, gt, ...)"#.into()),
        ("id=fts().1", "filter (fts().1)", 5, r#"unexpected ")" expecting operator (eq, gt, ...)"#.into()),
        ("id=is.nope", "filter (is.nope)", 4, r#"unexpected "n" expecting isVal: (null, not_null, true, false, unknown)"#.into()),
        ("order=id.asc.nullslasttt", "order (id.asc.nullslasttt)", 17, r#"unexpected 't' expecting "," or end of input"#.into()),
        ("order=id.ac", "order (id.ac)", 4, format!(r#"unexpected "c" {directions}"#)),
        ("order=id.smth34", "order (id.smth34)", 4, format!(r#"unexpected "s" {directions}"#)),
        ("order=id.asc.nlsfst", "order (id.asc.nlsfst)", 8, format!(r#"unexpected "l" {nulls}"#)),
        ("order=id.descc", "order (id.descc)", 8, r#"unexpected 'c' expecting delimiter (.), "," or end of input"#.into()),
        ("columns=", "columns parameter ()", 1, "unexpected end of input expecting field name (* or [a..z0..9_$])".into()),
        ("or=()", "logic tree (())", 4, r#"unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)"#.into()),
        ("or=(id.in.1,2,id.eq.3)", "logic tree ((id.in.1,2,id.eq.3))", 10, r#"unexpected "1" expecting "(""#.into()),
        ("or=)(", "logic tree ()()", 3, r#"unexpected ")" expecting "(""#.into()),
        ("and=(ord(id.eq.1,id.eq.1),id.eq.2)", "logic tree ((ord(id.eq.1,id.eq.1),id.eq.2))", 7, r#"unexpected "d" expecting "(""#.into()),
        ("or=(id.eq.1,not.xor(id.eq.2,id.eq.3))", "logic tree ((id.eq.1,not.xor(id.eq.2,id.eq.3)))", 16, r#"unexpected "x" expecting logic operator (and, or)"#.into()),
        ("select=data->(x", "select parameter (data->(x)", 7, r#"unexpected "(" expecting "-", digit or any non reserved character different from: .,>()"#.into()),
        ("select=data->>--34", "select parameter (data->>--34)", 9, r#"unexpected "-" expecting digit"#.into()),
        ("select=data->>-78xy", "select parameter (data->>-78xy)", 11, r#"unexpected 'x' expecting digit, "->", "::", ".", "," or end of input"#.into()),
        ("select=id,clients(name[])", "select parameter (id,clients(name[]))", 16, r#"unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input"#.into()),
        ("%3A=eq.1", "tree path (:)", 1, r#"unexpected ":" expecting field name (* or [a..z0..9_$])"#.into()),
    ];
    for (text, what, column, details) in table {
        let message = format!("\"failed to parse {what}\" (line 1, column {column})");
        assert_eq!(refusal(text), (message, details), "{text}");
    }
}

#[test]
fn columns_have_aliases_paths_and_casts() {
    let column = the_column("alias:data->a->>-1::text");
    assert_eq!(column.alias.as_deref(), Some("alias"));
    assert_eq!(column.cast.as_deref(), Some("text"));
    assert_eq!(column.field.name, "data");
    assert_eq!(
        column.field.path,
        [
            step(false, "a"),
            JsonStep {
                as_text: true,
                key: JsonKey::Index("-1".into())
            }
        ]
    );
}

#[test]
fn only_whole_integers_are_indexes() {
    assert_eq!(the_column("a->0xy1").field.path, [step(false, "0xy1")]);
    assert_eq!(
        the_column("a->0").field.path,
        [JsonStep {
            as_text: false,
            key: JsonKey::Index("0".into())
        }]
    );
}

#[test]
fn a_path_is_named_by_its_last_member() {
    let name = |text: &str| the_column(text).field.path_name().map(str::to_owned);
    assert_eq!(name("data->1->mycol->>2").as_deref(), Some("mycol"));
    assert_eq!(name("data->3").as_deref(), Some("data"));
    assert_eq!(name("data"), None);
}

#[test]
fn names_keep_inner_blanks_and_dashes_and_quotes_keep_everything() {
    assert_eq!(the_column(" a-b c ").field.name, "a-b c");
    assert_eq!(
        the_column("%22:arr-%3Eow::cast%22").field.name,
        ":arr->ow::cast"
    );
    assert_eq!(the_column("%22 a%5C%22b %22").field.name, " a\"b ");
    assert_eq!(the_column("%D9%85%D9%88").field.name, "مو");
}

#[test]
fn aggregates_have_casts_inside_and_outside() {
    let column = the_column("total:amount::int8.sum()::text");
    let aggregate = column.aggregate.unwrap();
    assert_eq!(aggregate.function, AggregateFunction::Sum);
    assert_eq!(aggregate.cast.as_deref(), Some("text"));
    assert_eq!(column.cast.as_deref(), Some("int8"));
    let count = the_column("n:count()::text");
    assert!(count.field.is_star());
    assert_eq!(count.alias.as_deref(), Some("n"));
    assert_eq!(the_column("count").aggregate, None);
}

#[test]
fn embeds_have_aliases_hints_and_joins_in_any_order() {
    for text in ["a:b!h!inner(c)", "a:b!inner!h(c)"] {
        let embed = the_embed(text);
        assert_eq!(embed.alias.as_deref(), Some("a"));
        assert_eq!(embed.target, "b");
        assert_eq!(embed.hint.as_deref(), Some("h"));
        assert_eq!(embed.join, Some(Join::Inner));
        assert_eq!(embed.items.len(), 1);
    }
    assert_eq!(
        the_embed("b!left_hand(c)").hint.as_deref(),
        Some("left_hand")
    );
    assert!(the_embed("...b!inner(*)").spread);
    assert!(the_embed("a(b(c(d())))").items.len() == 1);
}

#[test]
fn an_empty_select_is_kept_apart_from_none() {
    assert_eq!(select(""), []);
    assert_eq!(parsed("").select, [SelectItem::star()]);
}

#[test]
fn what_follows_a_complete_parse_is_ignored() {
    assert_eq!(select("projects(count)'").len(), 1);
    assert_eq!(parsed("and=(id.eq.1,id.neq.2))").logic.len(), 1);
}

#[test]
fn every_operator_is_known() {
    for name in [
        "eq",
        "neq",
        "gt",
        "gte",
        "lt",
        "lte",
        "like",
        "ilike",
        "match",
        "imatch",
        "isdistinct",
        "cs",
        "cd",
        "ov",
        "sl",
        "sr",
        "nxr",
        "nxl",
        "adj",
        "fts",
        "plfts",
        "phfts",
        "wfts",
    ] {
        assert!(query(&format!("a={name}.1")).is_ok(), "{name}");
        assert!(the_filter(&format!("a=not.{name}.1")).negated, "{name}");
    }
}

#[test]
fn quantifiers_belong_to_the_operators_that_take_them() {
    let Operation::Compare { quantifier, .. } = the_filter("a=eq(any).{1,2}").operation else {
        panic!("not a comparison");
    };
    assert_eq!(quantifier, Some(Quantifier::Any));
    assert!(query("a=neq(any).{1,2}").is_err());
}

#[test]
fn a_filter_value_reaches_to_the_end_as_it_is() {
    assert_eq!(the_filter("a=eq.b.c,(%22d"), equals("a", "b.c,(\"d"));
    assert_eq!(the_filter("a=eq."), equals("a", ""));
    assert_eq!(the_filter("a=eq.x+y%2Bz"), equals("a", "x y+z"));
}

#[test]
fn lists_split_at_commas_outside_quotes() {
    let values = |text: &str| match the_filter(text).operation {
        Operation::In(values) => values,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        values(r#"a=in.(1,"b,c","d\"e\\",f"g)"#),
        ["1", "b,c", r#"d"e\"#, "f\"g"]
    );
    assert_eq!(values("a=in.()"), [""]);
    assert_eq!(values("a=in.( )"), [""]);
    assert_eq!(values("a=in.( ,3)"), ["", "3"]);
    assert_eq!(values(r#"a=in.("x"y,z)"#), [r#""x"y"#, "z"]);
}

#[test]
fn is_takes_its_words_in_any_case() {
    assert_eq!(
        the_filter("a=is.NULL").operation,
        Operation::Is(IsValue::Null)
    );
    assert_eq!(
        the_filter("a=is.Not_Null").operation,
        Operation::Is(IsValue::NotNull)
    );
}

#[test]
fn logic_trees_nest_and_negate() {
    let query = parsed("rel.not.or=(a.eq.1,and(b.eq.%22x,y%22,not.or(c.eq.{1,2},d.is.null)))");
    let At { path, item } = query.logic.first().unwrap();
    assert_eq!(path, &["rel"]);
    let Logic::Group {
        negated,
        connective,
        items,
    } = item
    else {
        panic!("{item:?}");
    };
    assert!(*negated);
    assert_eq!(*connective, Connective::Or);
    assert_eq!(items.first(), Some(&Logic::Filter(equals("a", "1"))));
    let Some(Logic::Group { items, .. }) = items.get(1) else {
        panic!("{items:?}");
    };
    assert_eq!(items.first(), Some(&Logic::Filter(equals("b", "x,y"))));
    let Some(Logic::Group {
        items,
        negated: true,
        ..
    }) = items.get(1)
    else {
        panic!("{items:?}");
    };
    assert_eq!(items.first(), Some(&Logic::Filter(equals("c", "{1,2}"))));
}

#[test]
fn paths_lead_to_embedded_resources() {
    let query = parsed("a.b.c->d=eq.1&a.order=x&a.b.limit=3&a.b.offset=1&limit=5");
    let filter = query.filters.first().unwrap();
    assert_eq!(filter.path, ["a", "b"]);
    assert_eq!(filter.item.field.path, [step(false, "d")]);
    assert_eq!(query.order.first().unwrap().path, ["a"]);
    let ranges = range::collect(&query.bounds).unwrap();
    let embedded = ranges
        .iter()
        .find(|range| range.path == ["a", "b"])
        .unwrap();
    assert_eq!(
        embedded.item,
        Range {
            offset: 1,
            limit: Some(3)
        }
    );
}

#[test]
fn called_by_url_a_value_without_operator_is_an_argument() {
    let query = Query::parse("a=1&b=eq.2&a=3&c=not+really", true, Limits::default()).unwrap();
    let argument = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        query.arguments,
        [
            argument("a", "1"),
            argument("a", "3"),
            argument("c", "not really")
        ]
    );
    assert_eq!(query.filters.len(), 1);
    assert!(Query::parse("a=in.oops", true, Limits::default()).is_err());
}

#[test]
fn the_canonical_query_is_sorted_and_encoded_again() {
    assert_eq!(
        parsed("b=eq.1&select=a,b&a=eq.x+y").canonical,
        "a=eq.x%20y&b=eq.1&select=a%2Cb"
    );
    assert_eq!(parsed("c&a=eq.1").canonical, "a=eq.1&c=");
    assert_eq!(parsed("").canonical, "");
}

#[test]
fn nesting_and_length_are_bounded() {
    let deep = format!("select={}x{}", "a(".repeat(10_000), ")".repeat(10_000));
    assert!(query(&deep).is_err());
    let deep = format!("or={}x.eq.1{}", "(and".repeat(10_000), ")".repeat(10_000));
    assert!(query(&deep).is_err());
    let long = format!("select={}", "a".repeat(70_000));
    assert!(query(&long).is_err());
    let fine = format!("select={}x{}", "a(".repeat(40), ")".repeat(40));
    assert!(query(&fine).is_ok());
}
