//! Questions to numbers: equal ones, and ranges. It must stay true that many values of one event do not multiply with many
//! ranges: each part of the index is walked once an event.

use super::{ranges::Ranges, scratch::Marks};
use crate::predicate::number::{Bound, Number, Range};

/// So many ranges are asked one by one.
const FEW: usize = 8;

/// Numbers and ranges, each with what it hits.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// Sorted.
    equal: Box<[Number]>,
    equal_hits: Box<[u32]>,
    few: Box<[(Range, u32)]>,
    /// Ranges without an upper end: of the first so many hold that begin below a number.
    lower: Box<[(Bound, u32)]>,
    /// Ranges without a lower end: of the last so many hold.
    upper: Box<[(Bound, u32)]>,
    ranges: Ranges,
}

/// The least and the greatest number of a field in an event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extremes(Option<(Number, Number)>);

impl Numbers {
    /// Builds it of different numbers and different ranges; `nodes` are numbered on.
    pub(crate) fn build(
        mut equal: Vec<(Number, u32)>,
        ranges: Vec<(Range, u32)>,
        nodes: &mut usize,
    ) -> Self {
        equal.sort_unstable();
        let (numbers, hits): (Vec<_>, Vec<_>) = equal.into_iter().unzip();
        let mut built = Self { equal: numbers.into(), equal_hits: hits.into(), ..Self::default() };
        if ranges.len() <= FEW {
            built.few = ranges.into();
            return built;
        }
        let (mut lower, mut upper, mut both) = (Vec::new(), Vec::new(), Vec::new());
        for (range, hit) in ranges {
            match (range.lower, range.upper) {
                (Some(bound), None) => lower.push((bound, hit)),
                (None, Some(bound)) => upper.push((bound, hit)),
                _ => both.push((range, hit)),
            }
        }
        lower.sort_unstable_by_key(|(bound, _)| (bound.number, !bound.inclusive));
        upper.sort_unstable_by_key(|(bound, _)| (bound.number, bound.inclusive));
        built.lower = lower.into();
        built.upper = upper.into();
        built.ranges = Ranges::build(&both, nodes);
        built
    }

    /// Adds what a number hits, but for the ranges with one end, which [`Numbers::finish`] adds.
    #[inline]
    pub(crate) fn look_up(
        &self,
        literal: &[u8],
        extremes: &mut Extremes,
        marks: &mut Marks,
        hits: &mut Vec<u32>,
    ) {
        let Some(number) = Number::parse(literal) else { return };
        if let Ok(place) = self.equal.binary_search(&number) {
            hits.push(self.equal_hits[place]);
        }
        for (range, hit) in &self.few {
            if range.contains(number) {
                hits.push(*hit);
            }
        }
        self.ranges.look_up(number, marks, hits);
        let (least, greatest) = extremes.0.unwrap_or((number, number));
        extremes.0 = Some((least.min(number), greatest.max(number)));
    }

    /// Adds what the numbers of the field hit together.
    pub(crate) fn finish(&self, extremes: Extremes, hits: &mut Vec<u32>) {
        let Some((least, greatest)) = extremes.0 else { return };
        let lower = self.lower.partition_point(|(bound, _)| {
            bound.number < greatest || (bound.number == greatest && bound.inclusive)
        });
        hits.extend(self.lower[..lower].iter().map(|(_, hit)| hit));
        let upper = self.upper.partition_point(|(bound, _)| {
            bound.number < least || (bound.number == least && !bound.inclusive)
        });
        hits.extend(self.upper[upper..].iter().map(|(_, hit)| hit));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        fuel::Fuel,
        matcher::scratch::Sizes,
        predicate::{Literal, Predicate, Scalar},
    };

    fn number(value: i32) -> Number {
        Number::parse(value.to_string().as_bytes()).unwrap()
    }

    fn bound() -> impl Strategy<Value = Option<(i32, bool)>> {
        proptest::option::weighted(0.7, (-9..9, any::<bool>()))
    }

    proptest! {
        #[test]
        fn it_hits_what_holds(
            equal in proptest::collection::btree_set(-9..9, 0..9),
            ranges in proptest::collection::btree_set((bound(), bound()), 0..40),
            values in proptest::collection::vec(-10..10_i32, 0..8),
        ) {
            let bound = |of: Option<(i32, bool)>| of.map(|(value, inclusive)| Bound { number: number(value), inclusive });
            let ranges = ranges.into_iter().map(|(lower, upper)| Range { lower: bound(lower), upper: bound(upper) });
            let ranges: Vec<_> = ranges.zip(100..).collect();
            let equal: Vec<_> = equal.into_iter().map(number).zip(0..).collect();
            let mut all: Vec<_> = ranges.iter().map(|(range, hit)| (Predicate::Range(*range), *hit)).collect();
            all.extend(equal.iter().map(|(n, hit)| (Predicate::Equals(Literal::Number(*n)), *hit)));
            let mut nodes = 3;
            let numbers = Numbers::build(equal, ranges, &mut nodes);
            let mut marks = Marks::default();
            marks.begin(Sizes { nodes, ..Sizes::default() });
            let (mut extremes, mut hits) = (Extremes::default(), Vec::new());
            for value in &values {
                numbers.look_up(value.to_string().as_bytes(), &mut extremes, &mut marks, &mut hits);
            }
            numbers.finish(extremes, &mut hits);
            let holds = |predicate: &Predicate| values.iter().any(|value| {
                let literal = value.to_string();
                predicate.holds(Scalar::Number(literal.as_bytes()), &mut Fuel::new()).unwrap()
            });
            let expected: BTreeSet<u32> = all.iter().filter(|(p, _)| holds(p)).map(|(_, hit)| *hit).collect();
            prop_assert_eq!(hits.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}
