//! Patterns that select subjects. It must stay true that `covers` and `overlaps` agree with `matches`.

use std::{fmt, sync::Arc};

use crate::InvalidSubject;

/// Selects subjects part by part: `*` stands for one part, a last `>` for one or more.
///
/// To select by type, channel and instance use [`Select`](crate::Select): types differ in their number of parts, and a
/// pattern written by hand easily means another depth than was thought of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectPattern(Arc<str>);

impl SubjectPattern {
    /// Reads a pattern such as `message.received.whatsapp.>` or `custom.>`.
    ///
    /// # Errors
    /// When a part is empty or has a blank, or `>` is not last.
    pub fn parse(pattern: &str) -> Result<Self, InvalidSubject> {
        if pattern.split('.').any(|p| p.is_empty() || p.contains(char::is_whitespace)) {
            return Err(InvalidSubject::new(pattern, "has an empty part or a blank"));
        }
        if pattern.split('.').rev().skip(1).any(|part| part == ">") {
            return Err(InvalidSubject::new(pattern, "has `>` before its last part"));
        }
        Ok(Self(pattern.into()))
    }

    /// Everything: `>`.
    pub fn all() -> Self {
        Self(">".into())
    }

    /// Parts that are known to be a pattern.
    pub(crate) fn of_parts(parts: &[&str]) -> Self {
        Self(parts.join(".").into())
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the subject is selected.
    pub fn matches(&self, subject: &str) -> bool {
        tokens_match(&self.0, subject)
    }

    /// Whether every subject that `other` selects is selected by this pattern, too.
    pub fn covers(&self, other: &Self) -> bool {
        let mut parts = other.0.split('.');
        for mine in self.0.split('.') {
            match (mine, parts.next()) {
                (">", Some(_)) => return true,
                // Only `>` selects any number of parts.
                (_, None | Some(">")) => return false,
                ("*", Some(_)) => {}
                (mine, Some(theirs)) if mine == theirs => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }

    /// Whether there can be a subject that both select.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (self.0.split('.'), other.0.split('.'));
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
                (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
                _ => return false,
            }
        }
    }

    /// The same selection with as few of these patterns as do: none that another one covers. The order is kept.
    pub fn minimal(patterns: &[Self]) -> Vec<Self> {
        let needless = |index: usize, pattern: &Self| {
            patterns.iter().enumerate().any(|(other_index, other)| {
                // Of equal ones the first stays.
                other.covers(pattern) && (other_index < index || !pattern.covers(other))
            })
        };
        let needed = patterns.iter().enumerate().filter(|(index, p)| !needless(*index, p));
        needed.map(|(_, pattern)| pattern.clone()).collect()
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn tokens_match(pattern: &str, text: &str) -> bool {
    let mut parts = text.split('.');
    for wanted in pattern.split('.') {
        match (wanted, parts.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(part)) if wanted == part => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> SubjectPattern {
        SubjectPattern::parse(text).unwrap()
    }

    /// All texts of 1 to `most` parts out of `words`.
    fn texts(words: &[&str], most: usize) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut longest = vec![String::new()];
        for _ in 0..most {
            let longer = |text: &String| {
                let join =
                    |w: &&str| if text.is_empty() { (*w).into() } else { format!("{text}.{w}") };
                words.iter().map(join).collect::<Vec<String>>()
            };
            longest = longest.iter().flat_map(longer).collect();
            all.extend_from_slice(&longest);
        }
        all
    }

    #[test]
    fn patterns_select_subjects() {
        let matches = |p: &str, s: &str| pattern(p).matches(s);
        assert!(matches("message.received.whatsapp.wa-001", "message.received.whatsapp.wa-001"));
        assert!(matches("message.*.whatsapp.>", "message.sent.whatsapp.wa-001"));
        assert!(!matches("message.*.whatsapp.>", "message.sent.discord.dc-1"));
        assert!(!matches("message.>", "message"));
        assert!(SubjectPattern::parse("a.>.b").is_err());
        assert!(SubjectPattern::parse("a..b").is_err());
    }

    /// Every pair of patterns of up to four parts, against every subject of up to five. The subjects know one word more
    /// than the patterns, which stands for all the words that no pattern names.
    #[test]
    fn covers_and_overlaps_agree_with_every_subject() {
        let patterns: Vec<SubjectPattern> = texts(&["a", "b", "*", ">"], 4)
            .iter()
            .filter_map(|text| SubjectPattern::parse(text).ok())
            .collect();
        let subjects = texts(&["a", "b", "c"], 5);
        let selected: Vec<Vec<bool>> = patterns
            .iter()
            .map(|pattern| subjects.iter().map(|subject| pattern.matches(subject)).collect())
            .collect();
        assert_eq!(patterns.len(), 160);
        for (a, by_a) in patterns.iter().zip(&selected) {
            for (b, by_b) in patterns.iter().zip(&selected) {
                let covers = by_a.iter().zip(by_b).all(|(a, b)| *a || !*b);
                assert_eq!(a.covers(b), covers, "{a} covers {b}");
                let overlaps = by_a.iter().zip(by_b).any(|(a, b)| *a && *b);
                assert_eq!(a.overlaps(b), overlaps, "{a} overlaps {b}");
            }
        }
    }

    proptest! {
        /// A subject always selects itself, and so does every prefix of it followed by `>`.
        #[test]
        fn a_subject_selects_itself(parts in prop::collection::vec("[a-z0-9_-]{1,6}", 2..8), cut in 1usize..7) {
            let subject = parts.join(".");
            prop_assert!(tokens_match(&subject, &subject));
            let cut = cut.min(parts.len() - 1);
            let prefix = format!("{}.>", parts[..cut].join("."));
            prop_assert!(tokens_match(&prefix, &subject));
        }

        #[test]
        fn the_minimal_patterns_select_the_same_and_none_is_covered(
            chosen in prop::collection::vec(prop::sample::select(texts(&["a", "b", "*", ">"], 3)), 0..6),
        ) {
            let patterns: Vec<SubjectPattern> =
                chosen.iter().filter_map(|text| SubjectPattern::parse(text).ok()).collect();
            let minimal = SubjectPattern::minimal(&patterns);
            for subject in texts(&["a", "b", "c"], 4) {
                let by = |patterns: &[SubjectPattern]| patterns.iter().any(|p| p.matches(&subject));
                prop_assert_eq!(by(&patterns), by(&minimal), "{}", subject);
            }
            for (i, a) in minimal.iter().enumerate() {
                for (j, b) in minimal.iter().enumerate() {
                    prop_assert!(i == j || !a.covers(b), "{} covers {}", a, b);
                }
            }
        }
    }
}
