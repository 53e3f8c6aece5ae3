//! Texts that are looked up as a whole. It must stay true that few cost a comparison each, and many one look-up.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::head::{self, Head};
use crate::hash::Hasher;

/// So many texts are compared one by one.
const FEW: usize = 12;

/// Texts, each with what it hits.
#[derive(Debug, Default)]
pub(crate) struct Exact {
    /// All texts, one behind the other.
    bytes: Box<[u8]>,
    entries: Box<[Entry]>,
    /// Places of entries, when there are many, each with a part of its hash: a text is hardly ever compared in vain.
    places: HashTable<(u32, u32)>,
    hasher: Hasher,
}

#[derive(Debug)]
struct Entry {
    head: Head,
    start: u32,
    len: u32,
    hit: u32,
}

impl Exact {
    /// Builds it of different texts.
    pub(crate) fn build(texts: &[(&str, u32)]) -> Self {
        let mut built = Self::default();
        let mut bytes = Vec::new();
        let mut entries = Vec::with_capacity(texts.len());
        for (text, hit) in texts {
            let (start, len) = (bytes.len() as u32, text.len() as u32);
            entries.push(Entry { head: head::first(text.as_bytes()), start, len, hit: *hit });
            bytes.extend_from_slice(text.as_bytes());
        }
        (built.bytes, built.entries) = (bytes.into(), entries.into());
        if built.entries.len() > FEW {
            let Self { bytes, entries, places, hasher } = &mut built;
            let hash = |entry: &Entry| hasher.hash_one(text(bytes, entry));
            let again = |(place, _): &(u32, u32)| hash(&entries[*place as usize]);
            places.reserve(entries.len(), again);
            for (place, entry) in (0..).zip(entries.iter()) {
                let hash = hash(entry);
                places.insert_unique(hash, (place, part(hash)), again);
            }
        }
        built
    }

    /// All texts and what they hit.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.entries.iter().map(|entry| (text(&self.bytes, entry), entry.hit))
    }

    /// What a text hits.
    #[inline]
    pub(crate) fn get(&self, value: &[u8]) -> Option<u32> {
        if self.entries.len() <= FEW {
            let head = head::first(value);
            let found = self.entries.iter().find(|entry| {
                entry.head == head
                    && entry.len as usize == value.len()
                    && (value.len() <= head::LENGTH || text(&self.bytes, entry) == value)
            });
            return found.map(|entry| entry.hit);
        }
        let hash = self.hasher.hash_one(value);
        let own = part(hash);
        let found = self.places.find(hash, |(place, part)| {
            *part == own && text(&self.bytes, &self.entries[*place as usize]) == value
        });
        found.map(|(place, _)| self.entries[*place as usize].hit)
    }
}

/// Bits of a hash that the table itself does not look at.
#[inline]
fn part(hash: u64) -> u32 {
    (hash >> 25) as u32
}

#[inline]
fn text<'a>(bytes: &'a [u8], entry: &Entry) -> &'a [u8] {
    &bytes[entry.start as usize..(entry.start + entry.len) as usize]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        fuel::Fuel,
        predicate::{Literal, Predicate, Scalar},
    };

    proptest! {
        #[test]
        fn it_hits_what_is_equal(
            texts in proptest::collection::btree_set("[ab\u{0}é]{0,10}", 0..40),
            others in proptest::collection::vec("[ab\u{0}é]{0,10}", 0..10),
        ) {
            let texts: Vec<String> = texts.into_iter().collect();
            let numbered: Vec<_> = texts.iter().map(String::as_str).zip(0..).collect();
            let exact = Exact::build(&numbered);
            for value in texts.iter().chain(&others) {
                let scalar = Scalar::Text(value.as_bytes());
                let holds = |text: &str| Predicate::Equals(Literal::Text(text.into())).holds(scalar, &mut Fuel::new());
                let expected = numbered.iter().find(|(text, _)| holds(text).unwrap());
                prop_assert_eq!(exact.get(value.as_bytes()), expected.map(|(_, hit)| *hit));
            }
        }
    }
}
