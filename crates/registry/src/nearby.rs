//! Names that come near a mistyped one. Pure.

/// Most names that are suggested; a longer list helps nobody.
const NEAR_MAX: usize = 3;

/// The names that differ from `name` by few letters, nearest first.
///
/// A third of the letters may differ: enough for a transposition or another ending, too few for another word.
pub(crate) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let furthest = (name.len() / 3).clamp(1, 6);
    let mut found: Vec<(usize, &str)> = known
        .filter(|other| other.len().abs_diff(name.len()) <= furthest)
        .map(|other| (distance(name.as_bytes(), other.as_bytes()), other))
        .filter(|(distance, _)| *distance <= furthest)
        .collect();
    found.sort_unstable();
    found.into_iter().take(NEAR_MAX).map(|(_, other)| other.to_owned()).collect()
}

/// How many single letters must be put in, taken out or changed to turn one text into the other.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_letters() {
        for (from, to, expected) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("message", "mesage", 1)]
        {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), expected, "{from} {to}");
            assert_eq!(distance(to.as_bytes(), from.as_bytes()), expected, "{to} {from}");
        }
    }

    #[test]
    fn suggests_typing_errors_and_not_other_words() {
        let known = ["message.received", "message.sent", "access.denied"];
        let near = |name| near(name, known.iter().copied());
        assert_eq!(near("message.recieved"), ["message.received"]);
        assert_eq!(near("message.send"), ["message.sent"]);
        assert!(near("identity.merged").is_empty());
    }
}
