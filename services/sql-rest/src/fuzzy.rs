//! Finds the name somebody probably meant.

/// How alike two names must be for one to be suggested in place of the other.
pub(crate) const SIMILAR: f64 = 0.75;
/// How alike lists of arguments or related names must be.
pub(crate) const LOOSELY_SIMILAR: f64 = 0.33;

/// Lengths of the runs of letters that alike names share, the better one first.
const GRAMS: [usize; 2] = [3, 2];

/// The candidate most like `name`, if it is at least `least` like it (1 is the same). Names have to
/// have three letters in a row in common, or two when no others have three. Of names that are
/// equally alike the first in order is meant.
///
/// There may be thousands of candidates, and anybody can ask: most are told from the name by
/// their length or letters alone.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
    least: f64,
) -> Option<(f64, &'a str)> {
    let name = Sought::new(name);
    let mut best: [Option<(f64, &str)>; GRAMS.len()] = [None; GRAMS.len()];
    let mut letters = Vec::new();
    for candidate in candidates {
        let [with_long_runs, _] = best;
        let floor = with_long_runs.map_or(least, |(score, _)| score);
        letters.clear();
        lower(candidate, &mut letters);
        let Some(score) = name.similarity(&letters, floor) else {
            continue;
        };
        for (best, gram) in best.iter_mut().zip(GRAMS) {
            let is_better = best.is_none_or(|(highest, other)| {
                score > highest || (score >= highest && candidate < other)
            });
            if is_better && name.shares_run(&letters, gram) {
                *best = Some((score, candidate));
            }
        }
    }
    best.into_iter().flatten().next()
}

/// A name that nobody has.
struct Sought {
    letters: Vec<char>,
    /// How often each of the common letters is in it.
    counts: [u16; 128],
    marked: Vec<char>,
}

impl Sought {
    fn new(name: &str) -> Self {
        let mut letters = Vec::new();
        lower(name, &mut letters);
        let mut counts = [0; 128];
        for letter in &letters {
            if let Some(count) = counts.get_mut(index(*letter)) {
                *count += 1;
            }
        }
        Self {
            marked: marked(&letters),
            letters,
            counts,
        }
    }

    /// One minus the edit distance in relation to the longer name, unless that is below `least`.
    fn similarity(&self, other: &[char], least: f64) -> Option<f64> {
        let longest = self.letters.len().max(other.len());
        if longest == 0 {
            return Some(1.0);
        }
        let share = |edits: usize| 1.0 - as_float(edits) / as_float(longest);
        let is_near = |edits: usize| share(edits) >= least;
        if !is_near(longest - self.common_letters(other)) {
            return None;
        }
        distance(&self.letters, other, is_near).map(share)
    }

    /// How many letters both have, at the most, wherever they stand.
    fn common_letters(&self, other: &[char]) -> usize {
        let mut counts = self.counts;
        let common = other.iter().filter(|letter| {
            counts
                .get_mut(index(**letter))
                .is_none_or(|count| match count.checked_sub(1) {
                    Some(rest) => {
                        *count = rest;
                        true
                    }
                    None => false,
                })
        });
        common.count().min(self.letters.len())
    }

    /// Whether both names, ends marked and punctuation left out, have a run of letters in common.
    fn shares_run(&self, other: &[char], length: usize) -> bool {
        let other = marked(other);
        let mut runs = self.marked.windows(length);
        runs.any(|run| other.windows(length).any(|candidate| candidate == run))
    }
}

/// Appends the letters of a name in lower case, in the quick way where there is one.
fn lower(name: &str, letters: &mut Vec<char>) {
    for letter in name.chars() {
        if letter.is_ascii() {
            letters.push(letter.to_ascii_lowercase());
        } else {
            letters.extend(letter.to_lowercase());
        }
    }
}

/// Where the letter is counted, if it is.
fn index(letter: char) -> usize {
    usize::try_from(u32::from(letter)).unwrap_or(usize::MAX)
}

fn marked(name: &[char]) -> Vec<char> {
    let kept = name.iter().copied();
    let kept = kept.filter(|letter| letter.is_alphanumeric() || matches!(letter, ',' | ' '));
    let ends = std::iter::once('-');
    ends.clone().chain(kept).chain(ends).collect()
}

/// Names are short: their lengths are exact as floats.
fn as_float(length: usize) -> f64 {
    f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}

/// How many characters must be inserted, removed or replaced to make one name the other; nothing
/// once it is clear that they are too many.
fn distance(one: &[char], other: &[char], is_near: impl Fn(usize) -> bool) -> Option<usize> {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.iter().enumerate() {
        let mut diagonal = line;
        let mut previous = line + 1;
        let mut nearest = previous;
        for (cell, right) in row.iter_mut().skip(1).zip(other) {
            let replaced = diagonal + usize::from(left != right);
            diagonal = *cell;
            *cell = replaced.min(previous + 1).min(*cell + 1);
            previous = *cell;
            nearest = nearest.min(previous);
        }
        if !is_near(nearest) {
            return None;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().filter(|edits| is_near(*edits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(name: &str, names: &[&'a str], least: f64) -> Option<&'a str> {
        closest(name, names.iter().copied(), least).map(|(_, name)| name)
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
        assert_eq!(closest("a", ["a"].into_iter(), SIMILAR), Some((1.0, "a")));
    }

    #[test]
    fn of_names_that_are_equally_alike_the_first_is_meant() {
        for names in [["films_b", "films_a"], ["films_a", "films_b"]] {
            assert_eq!(best("films_c", &names, SIMILAR), Some("films_a"));
        }
    }

    #[test]
    fn letters_beyond_ascii_are_letters() {
        assert_eq!(best("موارد", &["مواردد", "x"], SIMILAR), Some("مواردد"));
        assert_eq!(best("ÄPFEL", &["äpfel", "apfel"], SIMILAR), Some("äpfel"));
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
