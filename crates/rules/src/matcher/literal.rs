//! Parts that texts must have, searched for all at once.

use aho_corasick::{AhoCorasick, automaton::OverlappingState};
use memchr::memmem::Finder;
use regex_syntax::hir::{Hir, HirKind};

use crate::fuel::{Exhausted, Fuel};

/// So many are searched one by one.
const FEW: usize = 4;

/// Parts of texts, each with what it hits.
#[derive(Debug, Default)]
pub(crate) struct Literals {
    few: Box<[(Finder<'static>, u32)]>,
    many: Option<Box<AhoCorasick>>,
    /// What each of many hits.
    hits: Box<[u32]>,
}

impl Literals {
    /// Builds it of different parts, none of them empty. `None` when that would take too much memory.
    pub(crate) fn build(parts: &[(&str, u32)]) -> Option<Self> {
        if parts.len() <= FEW {
            let finders = parts.iter().map(|(part, hit)| (Finder::new(part).into_owned(), *hit));
            return Some(Self { few: finders.collect(), ..Self::default() });
        }
        let many = AhoCorasick::new(parts.iter().map(|(part, _)| part)).ok()?;
        let hits = parts.iter().map(|(_, hit)| *hit).collect();
        Some(Self { few: Box::default(), many: Some(Box::new(many)), hits })
    }

    /// Adds what a text hits.
    pub(crate) fn look_up(
        &self,
        text: &[u8],
        fuel: &mut Fuel,
        hits: &mut Vec<u32>,
    ) -> Result<(), Exhausted> {
        for (finder, hit) in &self.few {
            fuel.spend(text.len() / 16)?;
            if finder.find(text).is_some() {
                hits.push(*hit);
            }
        }
        let Some(many) = &self.many else { return Ok(()) };
        fuel.spend(1 + text.len() / 4)?;
        let mut state = OverlappingState::start();
        loop {
            many.find_overlapping(text, &mut state);
            let Some(found) = state.get_match() else { return Ok(()) };
            fuel.spend(1)?;
            hits.push(self.hits[found.pattern().as_usize()]);
        }
    }
}

/// The longest text without which a regular expression cannot match, if there is one.
pub(crate) fn required(pattern: &str) -> Option<String> {
    let hir = regex_automata::util::syntax::parse(pattern).ok()?;
    let mut longest = String::new();
    collect(&hir, &mut longest);
    (!longest.is_empty()).then_some(longest)
}

/// Looks for a longer literal in what every match has to contain.
fn collect(hir: &Hir, longest: &mut String) {
    match hir.kind() {
        HirKind::Literal(literal) => {
            if let Ok(text) = std::str::from_utf8(&literal.0)
                && text.len() > longest.len()
            {
                text.clone_into(longest);
            }
        }
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect(part, longest)),
        HirKind::Capture(capture) => collect(&capture.sub, longest),
        HirKind::Repetition(repetition) if repetition.min > 0 => collect(&repetition.sub, longest),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::predicate::{Predicate, Scalar};

    #[test]
    fn a_match_needs_its_longest_literal() {
        for (pattern, expected) in [
            ("^order-[0-9]+-eu$", Some("order-")),
            ("a(bcd)+e", Some("bcd")),
            ("(ab|abc)d", Some("d")),
            ("a?b*", None),
            ("(?i)order", None),
            ("a{2,3}", Some("a")),
            (r"x\.y", Some("x.y")),
            ("[", None),
            ("é+", Some("é")),
        ] {
            assert_eq!(required(pattern).as_deref(), expected, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn it_hits_what_holds(
            parts in proptest::collection::btree_set("[ab\u{e9}]{1,4}", 0..12),
            value in "[ab\u{e9}]{0,9}",
        ) {
            let numbered: Vec<_> = parts.iter().map(String::as_str).zip(0..).collect();
            let literals = Literals::build(&numbered).unwrap();
            let (mut hits, mut fuel) = (Vec::new(), Fuel::new());
            literals.look_up(value.as_bytes(), &mut fuel, &mut hits).unwrap();
            let scalar = Scalar::Text(value.as_bytes());
            let holding = numbered.iter().filter(|(part, _)| {
                Predicate::Contains((*part).into()).holds(scalar, &mut Fuel::new()).unwrap()
            });
            let expected: BTreeSet<u32> = holding.map(|(_, hit)| *hit).collect();
            prop_assert_eq!(hits.into_iter().collect::<BTreeSet<_>>(), expected);
        }

        #[test]
        fn a_text_that_matches_has_the_literal(
            pattern in "(\\^|\\(\\?i\\))?([ab]{1,2}|\\(a\\|b\\)|[ab][?*+]|\\[ab\\]|a\\{2\\}){1,4}",
            value in "[abAB]{0,8}",
        ) {
            let regular = crate::regular::Regular::compile(&pattern, &mut crate::regular::Budget::new());
            let Ok(regular) = regular else { return Ok(()) };
            if regular.is_match(value.as_bytes(), &mut Fuel::new()).unwrap() {
                prop_assert!(value.contains(&required(&pattern).unwrap_or_default()), "{pattern}");
            }
        }
    }
}
