//! Finds the name somebody probably meant.

/// How alike two names must be for one to be suggested in place of the other.
pub(crate) const SIMILAR: f64 = 0.75;
/// How alike lists of arguments or related names must be.
pub(crate) const LOOSELY_SIMILAR: f64 = 0.33;

/// The candidate most like `name`, if it is at least `least` like it (1 is the same). Names have to
/// have three letters in a row in common, or two when no others have three.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: &(impl Iterator<Item = &'a str> + Clone),
    least: f64,
) -> Option<(f64, &'a str)> {
    let name = name.to_lowercase();
    [3, 2].into_iter().find_map(|gram| {
        let mut best: Option<(f64, &str)> = None;
        for candidate in candidates.clone() {
            let lower = candidate.to_lowercase();
            let score = similarity(&name, &lower, least);
            if score >= least
                && best.is_none_or(|(highest, _)| score > highest)
                && share_gram(&name, &lower, gram)
            {
                best = Some((score, candidate));
            }
        }
        best
    })
}

/// One minus the edit distance in relation to the longer name; zero when that cannot reach `least`.
fn similarity(one: &str, other: &str, least: f64) -> f64 {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let longest = one.len().max(other.len());
    if longest == 0 {
        return 1.0;
    }
    let share = |part: usize| 1.0 - as_float(part) / as_float(longest);
    if share(one.len().abs_diff(other.len())) < least {
        return 0.0;
    }
    share(distance(&one, &other))
}

/// Names are short: their lengths are exact as floats.
fn as_float(length: usize) -> f64 {
    f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}

/// How many characters must be inserted, removed or replaced to make one name the other.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.iter().enumerate() {
        let mut diagonal = line;
        let mut previous = line + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(other) {
            let replaced = diagonal + usize::from(left != right);
            diagonal = *cell;
            *cell = replaced.min(previous + 1).min(*cell + 1);
            previous = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Whether both names, ends marked and punctuation left out, have a run of letters in common.
fn share_gram(one: &str, other: &str, length: usize) -> bool {
    let marked = |name: &str| -> Vec<char> {
        let kept = name
            .chars()
            .filter(|character| character.is_alphanumeric() || matches!(character, ',' | ' '));
        std::iter::once('-')
            .chain(kept)
            .chain(std::iter::once('-'))
            .collect()
    };
    let one = marked(one);
    let other = marked(other);
    one.windows(length)
        .any(|gram| other.windows(length).any(|candidate| candidate == gram))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(name: &str, names: &[&'a str], least: f64) -> Option<&'a str> {
        closest(name, &names.iter().copied(), least).map(|(_, name)| name)
    }

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(best("testt", &["test", "another"], SIMILAR), Some("test"));
        assert_eq!(
            best("Proyects", &["projects", "clients"], SIMILAR),
            Some("projects")
        );
        assert_eq!(
            best("role", &["directors", "roles", "actors"], LOOSELY_SIMILAR),
            Some("roles")
        );
    }

    #[test]
    fn what_is_too_different_is_not_suggested() {
        assert_eq!(
            best("noclosealternative", &["films", "roles"], LOOSELY_SIMILAR),
            None
        );
        assert_eq!(best("film", &["directors"], SIMILAR), None);
        assert_eq!(best("", &[], SIMILAR), None);
    }

    #[test]
    fn the_same_name_is_wholly_similar() {
        assert_eq!(closest("a", &["a"].into_iter(), SIMILAR), Some((1.0, "a")));
    }

    #[test]
    fn argument_lists_are_compared_as_text() {
        let lists = ["(name, param, val)", "(attr, id)"];
        assert_eq!(
            best("(nam, pqaram, vall)", &lists, LOOSELY_SIMILAR),
            Some("(name, param, val)")
        );
        assert_eq!(best("(id)", &lists, LOOSELY_SIMILAR), Some("(attr, id)"));
        assert_eq!(best("(noclosealternative)", &lists, LOOSELY_SIMILAR), None);
    }
}
