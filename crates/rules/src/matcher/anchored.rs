//! Texts that begin or end in some way, or both: prefixes, suffixes and `a*b`. It must stay true that a start with many
//! ends costs no more than the ends that a text has.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::affix::Affixes;
use crate::hash::{Hasher, Map};

/// Starts and ends, each with what they hit alone and together.
#[derive(Debug, Default)]
pub(crate) struct Anchored {
    starts: Affixes<false>,
    ends: Affixes<true>,
    /// By the number of a start.
    of_start: Box<[Side]>,
    of_end: Box<[Side]>,
    /// Sorted by start.
    pairs: Box<[Pair]>,
    places: HashTable<u32>,
    hasher: Hasher,
}

/// What is known of a start or an end.
#[derive(Debug, Clone, Default)]
struct Side {
    length: u32,
    /// What it hits alone.
    hit: Option<u32>,
    /// With how many it is a pair.
    pairs: u32,
    /// The first of its pairs; those of a start are next to each other.
    first: u32,
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    start: u32,
    end: u32,
    hit: u32,
}

/// What a text begins or ends with; kept, so that nothing is allocated.
#[derive(Debug, Default)]
pub(crate) struct Found {
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Found {
    /// What joining starts and ends took at most, in steps.
    #[inline]
    pub(crate) fn steps(&self) -> usize {
        self.starts.len() * self.ends.len()
    }
}

/// Texts, for each a number.
#[derive(Default)]
struct Numbered<'a> {
    numbers: Map<&'a str, u32>,
    sides: Vec<Side>,
}

impl<'a> Numbered<'a> {
    fn of(&mut self, text: &'a str) -> u32 {
        let new = self.sides.len() as u32;
        let number = *self.numbers.entry(text).or_insert(new);
        if number == new {
            self.sides.push(Side { length: text.len() as u32, ..Side::default() });
        }
        number
    }

    fn affixes<const END: bool>(&self) -> Affixes<END> {
        Affixes::build(self.numbers.iter().map(|(text, number)| (*text, *number)).collect())
    }
}

impl Anchored {
    /// Builds it of different starts, different ends and different pairs of both.
    pub(crate) fn build(
        prefixes: &[(&str, u32)],
        suffixes: &[(&str, u32)],
        pairs: &[(&str, &str, u32)],
    ) -> Self {
        let (mut starts, mut ends) = (Numbered::default(), Numbered::default());
        for (text, hit) in prefixes {
            let number = starts.of(text);
            starts.sides[number as usize].hit = Some(*hit);
        }
        for (text, hit) in suffixes {
            let number = ends.of(text);
            ends.sides[number as usize].hit = Some(*hit);
        }
        let pairs = pairs.iter().map(|(start, end, hit)| {
            let (start, end) = (starts.of(start), ends.of(end));
            starts.sides[start as usize].pairs += 1;
            ends.sides[end as usize].pairs += 1;
            Pair { start, end, hit: *hit }
        });
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_unstable_by_key(|pair| (pair.start, pair.end));
        let mut first = 0;
        for side in &mut starts.sides {
            side.first = first;
            first += side.pairs;
        }
        let hasher = Hasher::default();
        let hash = |place: &u32| {
            let pair = pairs[*place as usize];
            hasher.hash_one(key(pair.start, pair.end))
        };
        let mut places = HashTable::with_capacity(pairs.len());
        for place in 0..pairs.len() as u32 {
            places.insert_unique(hash(&place), place, hash);
        }
        Self {
            starts: starts.affixes(),
            ends: ends.affixes(),
            of_start: starts.sides.into(),
            of_end: ends.sides.into(),
            pairs: pairs.into(),
            places,
            hasher,
        }
    }

    /// Adds what a text hits.
    #[inline]
    pub(crate) fn look_up(&self, value: &[u8], found: &mut Found, hits: &mut Vec<u32>) {
        found.starts.clear();
        self.starts.each(value, |number| {
            let side = &self.of_start[number as usize];
            hits.extend(side.hit);
            if side.pairs > 0 {
                found.starts.push(number);
            }
        });
        let has_starts = !found.starts.is_empty();
        found.ends.clear();
        self.ends.each(value, |number| {
            let side = &self.of_end[number as usize];
            hits.extend(side.hit);
            if has_starts && side.pairs > 0 {
                found.ends.push(number);
            }
        });
        if !found.ends.is_empty() {
            self.join(value.len(), found, hits);
        }
    }

    fn join(&self, length: usize, found: &Found, hits: &mut Vec<u32>) {
        let fits = |pair: &Pair| {
            let start = self.of_start[pair.start as usize].length;
            (start + self.of_end[pair.end as usize].length) as usize <= length
        };
        for &start in &found.starts {
            let side = &self.of_start[start as usize];
            if side.pairs as usize <= found.ends.len() {
                let pairs = &self.pairs[side.first as usize..(side.first + side.pairs) as usize];
                let fitting =
                    pairs.iter().filter(|pair| found.ends.contains(&pair.end) && fits(pair));
                hits.extend(fitting.map(|pair| pair.hit));
                continue;
            }
            for &end in &found.ends {
                let hash = self.hasher.hash_one(key(start, end));
                let is_same = |place: &u32| {
                    let pair = self.pairs[*place as usize];
                    (pair.start, pair.end) == (start, end)
                };
                let pair =
                    self.places.find(hash, is_same).map(|place| &self.pairs[*place as usize]);
                hits.extend(pair.filter(|pair| fits(pair)).map(|pair| pair.hit));
            }
        }
    }

    /// All starts that hit alone.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let hit = |number: u32| self.of_start[number as usize].hit;
        self.starts.iter().filter_map(move |(text, number)| Some((text, hit(number)?)))
    }

    /// All ends that hit alone.
    pub(crate) fn suffixes(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let hit = |number: u32| self.of_end[number as usize].hit;
        self.ends.iter().filter_map(move |(text, number)| Some((text, hit(number)?)))
    }
}

fn key(start: u32, end: u32) -> u64 {
    u64::from(start) << 32 | u64::from(end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        fuel::Fuel,
        predicate::{Predicate, Scalar, glob::Glob},
    };

    proptest! {
        #[test]
        fn it_hits_what_holds(
            prefixes in proptest::collection::btree_set("[ab]{0,4}", 0..12),
            suffixes in proptest::collection::btree_set("[ab]{0,4}", 0..12),
            pairs in proptest::collection::btree_set(("[ab]{1,4}", "[ab]{1,4}"), 0..30),
            values in proptest::collection::vec("[ab]{0,7}", 1..10),
        ) {
            let starts: Vec<_> = prefixes.iter().map(String::as_str).zip(0..).collect();
            let ends: Vec<_> = suffixes.iter().map(String::as_str).zip(100..).collect();
            let both: Vec<_> = pairs.iter().zip(200..).map(|((a, b), hit)| (a.as_str(), b.as_str(), hit)).collect();
            let anchored = Anchored::build(&starts, &ends, &both);
            let mut all: Vec<(Predicate, u32)> = Vec::new();
            all.extend(starts.iter().map(|(text, hit)| (Predicate::Prefix((*text).into()), *hit)));
            all.extend(ends.iter().map(|(text, hit)| (Predicate::Suffix((*text).into()), *hit)));
            all.extend(both.iter().map(|(a, b, hit)| {
                let parts = [Box::from(*a), Box::from(*b)].into();
                (Predicate::Wildcard(Glob { parts }), *hit)
            }));
            for value in values {
                let mut hits = Vec::new();
                anchored.look_up(value.as_bytes(), &mut Found::default(), &mut hits);
                let scalar = Scalar::Text(value.as_bytes());
                let holding = all.iter().filter(|(p, _)| p.holds(scalar, &mut Fuel::new()).unwrap());
                let expected: BTreeSet<u32> = holding.map(|(_, hit)| *hit).collect();
                prop_assert_eq!(hits.len(), expected.len());
                prop_assert_eq!(hits.into_iter().collect::<BTreeSet<_>>(), expected);
            }
        }
    }
}
