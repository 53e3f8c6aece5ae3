//! Which types are nearly what an automation listens to: written wrongly, or a part too few.

/// So many letters of a part may be wrong.
const LETTERS_MAX: usize = 2;
/// Parts longer than this are compared as a whole only, in bytes.
const PART_MAX: usize = 64;

/// Whether somebody who wrote this type or pattern may have meant the type of the event.
pub(super) fn is_near(pattern: &str, event_type: &str) -> bool {
    let (mine, theirs): (Vec<&str>, Vec<&str>) =
        (pattern.split('.').collect(), event_type.split('.').collect());
    let fits = |(a, b): (&&str, &&str)| a == b || *a == "*";
    let is_open = mine.last() == Some(&">");
    let mine = &mine[..mine.len() - usize::from(is_open)];
    let (short, long) = (mine.len().min(theirs.len()), mine.len().max(theirs.len()));
    let is_shifted =
        if is_open { mine.len() == theirs.len() } else { long == short + 1 && short >= 2 };
    if is_shifted {
        // A part too few, or too many.
        return mine.iter().zip(&theirs).all(fits);
    }
    if mine.len() > theirs.len() || (mine.len() != theirs.len() && !is_open) {
        return false;
    }
    let mut wrong = mine.iter().zip(&theirs).filter(|pair| !fits(*pair));
    let (first, second) = (wrong.next(), wrong.next());
    first.is_some_and(|(a, b)| second.is_none() && is_misspelt(a, b))
}

fn is_misspelt(a: &str, b: &str) -> bool {
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    if a.len().max(b.len()) > PART_MAX || a.len().abs_diff(b.len()) > LETTERS_MAX {
        return false;
    }
    // A short word with two wrong letters is another word.
    let allowed = if a.len().min(b.len()) <= 3 { 1 } else { LETTERS_MAX };
    distance(a.as_bytes(), b.as_bytes()) <= allowed
}

/// How many letters have to be put in, taken out or changed, or change places with their neighbour.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = rows[i][j] + usize::from(x != y);
            let mut best = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_siblings_are_not() {
        for (pattern, event_type) in [
            ("custom.order.payed", "custom.order.paid"),
            ("custom.oredr.paid", "custom.order.paid"),
            ("custom.Order.paid", "custom.order.paid"),
            ("custom.webhook.github", "custom.webhook.github.push"),
            ("custom.webhook.*", "custom.webhook.github.push"),
            ("custom.webhook.github.push.>", "custom.webhook.github.push"),
            ("custom.webhok.>", "custom.webhook.github.push"),
        ] {
            assert!(is_near(pattern, event_type), "{pattern} for {event_type}");
        }
        for (pattern, event_type) in [
            ("custom.order.created", "custom.order.paid"),
            ("custom.order.paid", "custom.order.paid"),
            ("message.received", "custom.order.paid"),
            ("custom.a", "custom.b.c"),
            ("custom.user.paid", "custom.order.paid"),
        ] {
            assert!(!is_near(pattern, event_type), "{pattern} for {event_type}");
        }
    }
}
