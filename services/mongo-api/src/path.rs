//! Paths of fields, such as `address.city` or `items.0.price`.

use crate::Error;

/// Longest path, in bytes.
const MAX_PATH_BYTES: usize = 512;

/// Accepts a path of plain names; `$`, `$[]` and other operators are no names.
pub(crate) fn check(path: &str) -> Result<(), Error> {
    let is_name = |name: &str| !name.is_empty() && !name.starts_with('$');
    if path.len() > MAX_PATH_BYTES || path.contains('\0') || !path.split('.').all(is_name) {
        return Err(Error::InvalidKey(format!(
            "{path:?} is not a path of fields"
        )));
    }
    Ok(())
}

/// The first name of a path.
pub(crate) fn root(path: &str) -> &str {
    path.split_once('.').map_or(path, |(root, _)| root)
}

/// Whether `inner` lies inside `outer`, or is the same.
pub(crate) fn is_within(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_make_a_path() {
        for path in ["a", "a.b", "items.0.price", "ключ", "_id"] {
            assert!(check(path).is_ok(), "{path}");
        }
        for path in ["", ".", "a.", ".a", "a..b", "$a", "a.$", "a.$[].b", "a\0b"] {
            assert!(check(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_longer_name_is_not_inside_a_shorter_one() {
        assert!(is_within("a.b", "a"));
        assert!(is_within("a", "a"));
        assert!(!is_within("ab", "a"));
    }
}
