//! Names that are nearly another one.

/// Longer names are not compared: the table of the comparison would grow with the square.
const LENGTH_MAX: usize = 64;

/// The name that is most probably meant: one that differs in at most two letters, or in case only.
pub(crate) fn nearest<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let ranked = names.into_iter().filter(|name| *name != wanted).filter_map(|name| {
        let same = name.to_lowercase() == wanted.to_lowercase();
        let distance = if same { 0 } else { distance(wanted, name)? };
        // In a short name two other letters make another word.
        let limit = if wanted.chars().count() < 5 { 1 } else { 2 };
        (distance <= limit).then_some((distance, name))
    });
    ranked.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > LENGTH_MAX || b.len() > LENGTH_MAX || a.len().abs_diff(b.len()) > 2 {
        return None;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    Some(rows[a.len()][b.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_found_and_another_word_is_not() {
        let names = ["total", "currency", "customerId", "id"];
        for (wanted, meant) in [
            ("totl", Some("total")),
            ("toatl", Some("total")),
            ("curency", Some("currency")),
            ("CustomerID", Some("customerId")),
            ("is", Some("id")),
            ("ab", None),
            ("amount", None),
            ("total", None),
        ] {
            assert_eq!(nearest(wanted, names), meant, "{wanted}");
        }
    }
}
