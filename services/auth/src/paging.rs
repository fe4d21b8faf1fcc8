//! Pages of long lists, described in headers.

use crate::{
    error::{Error, Result},
    request::Params,
};

/// Items of a page unless a request says otherwise.
const DEFAULT_PER_PAGE: u32 = 50;

/// Most items of a page.
const MAX_PER_PAGE: u32 = 1000;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    number: u32,
    size: u32,
}

impl Page {
    /// Reads `page` and `per_page`.
    pub fn from_params(params: &Params) -> Result<Self> {
        let read = |name: &str, default: u32| {
            let parsed = params.get(name).map_or(Ok(default), str::parse);
            let bad = |text: &str| Error::invalid(format!("Bad Pagination Parameters: {text}"));
            match parsed {
                Ok(0) => Err(bad(&format!("{name} must be at least 1"))),
                Ok(number) => Ok(number),
                Err(error) => Err(bad(&format!("{name}: {error}"))),
            }
        };
        Ok(Self {
            number: read("page", 1)?,
            size: read("per_page", DEFAULT_PER_PAGE)?.min(MAX_PER_PAGE),
        })
    }

    /// Limit and offset.
    pub fn range(self) -> (i64, i64) {
        let size = i64::from(self.size);
        (size, size * i64::from(self.number - 1))
    }

    /// The `Link` header. Clients read the number as the first parameter's value.
    pub fn links(self, path: &str, params: &Params, total: i64) -> String {
        let last = total.div_euclid(i64::from(self.size))
            + i64::from(total.rem_euclid(i64::from(self.size)) > 0);
        let link = |number: i64, relation: &str| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("page", &number.to_string());
            let others = params.iter().filter(|(name, _)| *name != "page");
            let query = query.extend_pairs(others).finish();
            format!("<{path}?{query}>; rel=\"{relation}\"")
        };
        let next = i64::from(self.number) + 1;
        if last >= next {
            format!("{}, {}", link(next, "next"), link(last, "last"))
        } else {
            link(last, "last")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page> {
        Page::from_params(&Params::parse(query.as_bytes()).unwrap())
    }

    #[test]
    fn the_first_page_has_fifty_items() {
        assert_eq!(page("").unwrap().range(), (50, 0));
        assert_eq!(page("page=3&per_page=10").unwrap().range(), (10, 20));
        assert_eq!(page("per_page=1000000").unwrap().range().0, 1000);
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for query in [
            "page=x",
            "page=-1",
            "page=0",
            "per_page=0",
            "page=99999999999",
        ] {
            let error = page(query).unwrap_err().to_string();
            assert!(error.starts_with("Bad Pagination Parameters: "), "{error}");
        }
    }

    #[test]
    fn links_lead_on_until_the_last_page() {
        let params = Params::parse(b"per_page=2&filter=a%26b&page=1").unwrap();
        let page = Page::from_params(&params).unwrap();
        assert_eq!(
            page.links("/admin/users", &params, 5),
            "</admin/users?page=2&filter=a%26b&per_page=2>; rel=\"next\", \
             </admin/users?page=3&filter=a%26b&per_page=2>; rel=\"last\""
        );
        let last = Page { number: 3, size: 2 };
        assert!(!last.links("/admin/users", &params, 5).contains("next"));
    }
}
