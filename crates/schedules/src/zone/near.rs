//! What to say about a name that is no time zone: names that are near.

use jiff::tz;

/// Most names that are proposed.
const NEAR_MAX: usize = 3;
/// Letters to change, add or leave out for a name to be near.
const EDITS_MAX: usize = 3;
/// Longest text that is compared with every name; each comparison costs the product of both lengths.
const COMPARED_LEN_MAX: usize = 64;
/// What people write that is an abbreviation and no name, and a zone that it stands for.
const ABBREVIATIONS: [(&str, &str); 10] = [
    ("pst", "America/Los_Angeles"),
    ("pdt", "America/Los_Angeles"),
    ("mdt", "America/Denver"),
    ("cst", "America/Chicago"),
    ("cdt", "America/Chicago"),
    ("edt", "America/New_York"),
    ("cest", "Europe/Berlin"),
    ("bst", "Europe/London"),
    ("ist", "Asia/Kolkata"),
    ("jst", "Asia/Tokyo"),
];

/// A sentence for the user.
pub(super) fn advice(name: &str) -> String {
    if name.starts_with(['+', '-']) || name.starts_with(|first: char| first.is_ascii_digit()) {
        return "an offset is not a time zone; use the IANA name of a place, as Europe/Berlin, or UTC"
            .to_owned();
    }
    let near = near(name);
    let shown: String = name.chars().take(COMPARED_LEN_MAX).collect();
    if near.is_empty() {
        return format!(
            "there is no time zone `{shown}`; use the IANA name of a place, as Europe/Berlin, or UTC"
        );
    }
    format!("there is no time zone `{shown}`; did you mean {}?", near.join(" or "))
}

/// The names nearest to a text, the nearest first.
fn near(name: &str) -> Vec<String> {
    let wanted = name.trim().to_ascii_lowercase().replace(' ', "_");
    if wanted.is_empty() || wanted.len() > COMPARED_LEN_MAX {
        return Vec::new();
    }
    if let Some((_, zone)) = ABBREVIATIONS.iter().find(|(short, _)| *short == wanted) {
        return vec![(*zone).to_owned()];
    }
    let mut scored: Vec<(usize, String)> = tz::db()
        .available()
        .filter_map(|zone| Some((distance(&wanted, zone.as_str())?, zone.as_str().to_owned())))
        .collect();
    scored.sort();
    scored.dedup_by(|a, b| a.1 == b.1);
    let nearest = scored.first().map_or(0, |(edits, _)| *edits);
    let shown = scored.into_iter().take_while(|(edits, _)| *edits <= nearest + 1);
    shown.take(NEAR_MAX).map(|(_, zone)| zone).collect()
}

/// How far a text in lower case is from a zone or from its last part, the city; `None` if too far.
fn distance(wanted: &str, zone: &str) -> Option<usize> {
    let zone = zone.to_ascii_lowercase();
    let city = zone.rsplit('/').next().unwrap_or_default();
    let wanted_city = wanted.rsplit('/').next().unwrap_or_default();
    // A wrong continent with the right city counts as one mistake.
    let by_city = edits(wanted_city, city) + usize::from(city != zone);
    let edits = edits(wanted, &zone).min(by_city);
    let most = EDITS_MAX.min(wanted_city.len() / 2);
    (edits <= most).then_some(edits)
}

/// Letters to change, add or leave out to come from one text to the other (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = diagonal + usize::from(left != right);
            diagonal = *cell;
            before = changed.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_proposed() {
        for (wrong, right) in [
            ("Europe/Berlln", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("Europa/Berlin", "Europe/Berlin"),
            ("America/Newyork", "America/New_York"),
            ("new york", "America/New_York"),
            ("PST", "America/Los_Angeles"),
            ("Asia/Calcuta", "Asia/Calcutta"),
        ] {
            let advice = advice(wrong);
            assert!(advice.contains(&format!("did you mean {right}")), "{wrong}: {advice}");
        }
        for nowhere in ["Moon/Tranquility", "", "x", &"a".repeat(1000)] {
            assert!(advice(nowhere).contains("IANA"), "{nowhere}");
        }
        assert!(advice("+02:00").contains("an offset is not a time zone"));
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, expected) in
            [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("berlin", "berlin", 0)]
        {
            assert_eq!(edits(a, b), expected, "{a} {b}");
            assert_eq!(edits(b, a), expected, "{b} {a}");
        }
    }
}
