//! Questions to texts without regard to case. It must stay true that a text is folded once, whatever is asked of it.

use super::{
    anchored::{Anchored, Found},
    exact::Exact,
};
use crate::predicate::fold;

/// Folded texts, starts and ends, each with what it hits.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    pub(crate) exact: Exact,
    pub(crate) anchored: Anchored,
}

impl Folded {
    /// Adds what a text hits; `folded` is room for a copy.
    pub(crate) fn look_up(
        &self,
        value: &[u8],
        folded: &mut Vec<u8>,
        found: &mut Found,
        hits: &mut Vec<u32>,
    ) {
        folded.clear();
        if value.is_ascii() {
            folded.extend(value.iter().map(u8::to_ascii_lowercase));
        } else if let Ok(text) = std::str::from_utf8(value) {
            let mut buffer = [0; 4];
            for lower in text.chars().flat_map(char::to_lowercase) {
                folded.extend_from_slice(lower.encode_utf8(&mut buffer).as_bytes());
            }
        } else {
            self.ask(value, hits);
            return;
        }
        hits.extend(self.exact.get(folded));
        self.anchored.look_up(folded, found, hits);
    }

    /// Asks one by one about what is no text.
    fn ask(&self, value: &[u8], hits: &mut Vec<u32>) {
        let is = |asks: fn(&str, &[u8]) -> bool, own: &[u8]| {
            std::str::from_utf8(own).is_ok_and(|own| asks(own, value))
        };
        let (starts, ends) = (self.anchored.prefixes(), self.anchored.suffixes());
        hits.extend(self.exact.iter().filter(|(own, _)| is(fold::equals, own)).map(|(_, hit)| hit));
        hits.extend(starts.filter(|(own, _)| is(fold::begins, own)).map(|(_, hit)| hit));
        hits.extend(ends.filter(|(own, _)| is(fold::ends, own)).map(|(_, hit)| hit));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        fuel::Fuel,
        predicate::{Predicate, Scalar},
    };

    proptest! {
        #[test]
        fn it_hits_what_holds(
            texts in proptest::collection::btree_set("[akKİ\u{212A}é]{0,3}", 1..20),
            values in proptest::collection::vec("[aAkKİi\u{307}\u{212A}éÉ]{0,4}", 1..10),
            broken in any::<bool>(),
        ) {
            let texts: BTreeSet<String> = texts.iter().map(|text| fold::fold(text)).collect();
            let numbered = |first: u32| texts.iter().map(String::as_str).zip(first..).collect::<Vec<_>>();
            let folded = Folded {
                exact: Exact::build(&numbered(0)),
                anchored: Anchored::build(&numbered(100), &numbered(200), &[]),
            };
            let mut all = Vec::new();
            all.extend(numbered(0).iter().map(|(t, hit)| (Predicate::EqualsFold((*t).into()), *hit)));
            all.extend(numbered(100).iter().map(|(t, hit)| (Predicate::PrefixFold((*t).into()), *hit)));
            all.extend(numbered(200).iter().map(|(t, hit)| (Predicate::SuffixFold((*t).into()), *hit)));
            for value in values {
                let mut value = value.into_bytes();
                value.extend(broken.then_some(0xff));
                let mut hits = Vec::new();
                folded.look_up(&value, &mut Vec::new(), &mut Found::default(), &mut hits);
                let holding = all.iter().filter(|(p, _)| p.holds(Scalar::Text(&value), &mut Fuel::new()).unwrap());
                let expected: BTreeSet<u32> = holding.map(|(_, hit)| *hit).collect();
                prop_assert_eq!(hits.into_iter().collect::<BTreeSet<_>>(), expected);
            }
        }
    }
}
