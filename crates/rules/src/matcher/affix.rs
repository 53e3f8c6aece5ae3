//! Starts or ends of texts. It must stay true that few cost a comparison each, and many some binary searches, however
//! long they are and however much they have in common.

use std::cmp::Ordering;

use super::head::{self, Head};

/// So many are compared one by one.
const FEW: usize = 8;

/// Different starts of texts, or ends when `END` is set, each with what it hits.
///
/// Sorted. If starts of a text are among them, all that sort between such a start and the text begin with it, too: so the
/// longest is the last that sorts before the text, or what that one has in common with the text bounds it.
#[derive(Debug, Default)]
pub(crate) struct Affixes<const END: bool> {
    heads: Box<[Head]>,
    entries: Box<[Entry]>,
    /// All texts, one behind the other.
    bytes: Box<[u8]>,
    filter: Filter,
}

/// Tells most texts that begin with none of the others, by as many bytes as the shortest has.
#[derive(Debug, Default)]
struct Filter {
    /// For each text three bits of one word; at least sixteen times as many as there are texts.
    words: Box<[u64]>,
    shortest: usize,
}

#[derive(Debug)]
struct Entry {
    start: u32,
    len: u32,
    /// The longest of the others that this one begins with.
    shorter: Option<u32>,
    hit: u32,
}

impl<const END: bool> Affixes<END> {
    pub(crate) fn build(mut texts: Vec<(&str, u32)>) -> Self {
        texts.sort_unstable_by(|(a, _), (b, _)| compare::<END>(a.as_bytes(), b.as_bytes()));
        let mut bytes = Vec::new();
        let mut entries: Vec<Entry> = Vec::with_capacity(texts.len());
        let mut heads = Vec::with_capacity(texts.len());
        for (text, hit) in texts {
            let text = text.as_bytes();
            // What this one begins with is the one before it, or one of those that that one begins with.
            let mut shorter = (entries.len() as u32).checked_sub(1);
            while let Some(place) = shorter {
                let entry = &entries[place as usize];
                let own = &bytes[entry.start as usize..(entry.start + entry.len) as usize];
                if common::<END>(text, own) == own.len() {
                    break;
                }
                shorter = entry.shorter;
            }
            heads.push(head::<END>(text));
            entries.push(Entry { start: bytes.len() as u32, len: text.len() as u32, shorter, hit });
            bytes.extend_from_slice(text);
        }
        let shortest = entries.iter().map(|entry| entry.len as usize).min();
        let filter = shortest.map(|shortest| Filter::build(&heads, shortest)).unwrap_or_default();
        Self { heads: heads.into(), entries: entries.into(), bytes: bytes.into(), filter }
    }

    /// All texts and what they hit.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.entries.iter().map(|entry| (self.text(entry), entry.hit))
    }

    /// Calls for all that a text begins with, the longest first.
    #[inline]
    pub(crate) fn each(&self, value: &[u8], mut found: impl FnMut(u32)) {
        let own = head::<END>(value);
        if value.len() < self.filter.shortest || !self.filter.may_have(own) {
            return;
        }
        if self.entries.len() > FEW {
            let mut place = self.longest(value);
            while let Some(entry) = place.and_then(|place| self.entries.get(place as usize)) {
                found(entry.hit);
                place = entry.shorter;
            }
            return;
        }
        for (head, entry) in self.heads.iter().zip(&self.entries).rev() {
            let len = entry.len as usize;
            if len <= value.len()
                && own & head::mask(len) == *head
                && (len <= head::LENGTH || common::<END>(value, self.text(entry)) == len)
            {
                found(entry.hit);
            }
        }
    }

    /// The longest that a text begins with.
    fn longest(&self, value: &[u8]) -> Option<u32> {
        let mut length = value.len();
        loop {
            let start = if END { &value[value.len() - length..] } else { &value[..length] };
            let place = self.last_before(start).checked_sub(1)?;
            let entry = &self.entries[place];
            length = common::<END>(start, self.text(entry));
            if length == entry.len as usize {
                return Some(place as u32);
            }
        }
    }

    /// How many sort before a text or are equal to it.
    fn last_before(&self, value: &[u8]) -> usize {
        let own = head::<END>(value);
        let first = self.heads.partition_point(|head| *head < own);
        let same = self.heads[first..].partition_point(|head| *head == own);
        let entries = &self.entries[first..first + same];
        let before = |entry: &Entry| compare::<END>(self.text(entry), value) != Ordering::Greater;
        first + entries.partition_point(before)
    }

    fn text(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.start as usize..(entry.start + entry.len) as usize]
    }
}

impl Filter {
    fn build(heads: &[Head], shortest: usize) -> Self {
        let words = (heads.len() / 4).next_power_of_two();
        let mut filter = Self { words: vec![0; words].into(), shortest };
        for head in heads {
            let (word, bits) = filter.place(*head);
            filter.words[word] |= bits;
        }
        filter
    }

    /// Whether a text with this head may begin with one of the others.
    #[inline]
    fn may_have(&self, head: Head) -> bool {
        let (word, bits) = self.place(head);
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }

    #[inline]
    fn place(&self, head: Head) -> (usize, u64) {
        let start = head & head::mask(self.shortest);
        // Both halves of the product together depend on all of the factor.
        let product = u128::from(start) * 0x9e37_79b9_7f4a_7c15;
        let hash = (product >> 64) as u64 ^ product as u64;
        let bits = 1 << (hash >> 58) | 1 << (hash >> 52 & 63) | 1 << (hash >> 46 & 63);
        ((hash >> 14) as usize & self.words.len().wrapping_sub(1), bits)
    }
}

fn head<const END: bool>(text: &[u8]) -> Head {
    if END { head::last(text) } else { head::first(text) }
}

fn compare<const END: bool>(a: &[u8], b: &[u8]) -> Ordering {
    if END { a.iter().rev().cmp(b.iter().rev()) } else { a.cmp(b) }
}

/// How many bytes two texts begin with in common.
fn common<const END: bool>(a: &[u8], b: &[u8]) -> usize {
    if END {
        a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
    } else {
        a.iter().zip(b).take_while(|(a, b)| a == b).count()
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
        fn starts_and_ends_are_those_that_hold(
            texts in proptest::collection::btree_set("[ab\u{0}é]{0,12}", 0..40),
            values in proptest::collection::vec("[ab\u{0}é]{0,14}", 0..10),
        ) {
            let numbered: Vec<_> = texts.iter().map(String::as_str).zip(0..).collect();
            let starts = Affixes::<false>::build(numbered.clone());
            let ends = Affixes::<true>::build(numbered.clone());
            for value in texts.iter().chain(&values) {
                let holding = |predicate: fn(Box<str>) -> Predicate| -> BTreeSet<u32> {
                    let scalar = Scalar::Text(value.as_bytes());
                    let holds = |text: &str| predicate(text.into()).holds(scalar, &mut Fuel::new()).unwrap();
                    numbered.iter().filter(|(text, _)| holds(text)).map(|(_, hit)| *hit).collect()
                };
                let (mut found, mut found_ends) = (Vec::new(), Vec::new());
                starts.each(value.as_bytes(), |hit| found.push(hit));
                ends.each(value.as_bytes(), |hit| found_ends.push(hit));
                prop_assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), holding(Predicate::Prefix));
                prop_assert_eq!(found_ends.iter().copied().collect::<BTreeSet<_>>(), holding(Predicate::Suffix));
                prop_assert_eq!(found.len() + found_ends.len(), holding(Predicate::Prefix).len() + holding(Predicate::Suffix).len(), "each once");
            }
        }
    }
}
