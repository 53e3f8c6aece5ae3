//! The names that rules ask for in one object. It must stay true that a name is found by its bytes alone, at a cost that no
//! choice of names makes large.

use std::hash::{BuildHasher, RandomState};

/// Up to so many names are compared one by one, which is quicker than a hash.
const FEW: usize = 8;

/// Names, each with a place from 0 and the number of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    entries: Vec<Entry>,
    /// Which lengths, modulo 64, occur.
    lengths: u64,
    /// Where there are many names: places of entries plus one by hash, 0 for none; at most half of it is in use.
    table: Box<[u32]>,
    seed: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    /// The first eight bytes, with zeros behind a shorter name.
    head: u64,
    length: u32,
    node: u32,
    /// The bytes behind the first eight.
    rest: Box<[u8]>,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a name that is not there yet.
    pub(super) fn add(&mut self, name: &[u8], node: u32) {
        let rest = name.get(8..).unwrap_or_default().into();
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { head: head(name, name.len()), length, node, rest });
        self.lengths |= 1 << (name.len() & 63);
        if self.entries.len() <= FEW {
            return;
        }
        if self.table.len() < 2 * self.entries.len() {
            self.grow();
        } else {
            self.file(self.entries.len() - 1);
        }
    }

    /// The place and the node of the name that is `text[start..end]`.
    #[inline]
    pub(super) fn find(&self, text: &[u8], start: usize, end: usize) -> Option<(usize, u32)> {
        let length = end - start;
        if self.lengths >> (length & 63) & 1 == 0 {
            return None;
        }
        let name = text.get(start..)?;
        let head = head(name, length);
        let rest = if length > 8 { text.get(start + 8..end)? } else { &[] };
        if self.table.is_empty() {
            let place = self.entries.iter().position(|entry| entry.is(head, length, rest))?;
            return Some((place, self.entries[place].node));
        }
        let mut slot = hash(self.seed, head, rest) as usize;
        loop {
            let place = (self.table[slot & (self.table.len() - 1)] as usize).checked_sub(1)?;
            if self.entries[place].is(head, length, rest) {
                return Some((place, self.entries[place].node));
            }
            slot += 1;
        }
    }

    fn grow(&mut self) {
        if self.seed == 0 {
            self.seed = RandomState::new().hash_one(0) | 1;
        }
        self.table = vec![0; (4 * self.entries.len()).next_power_of_two()].into();
        for place in 0..self.entries.len() {
            self.file(place);
        }
    }

    fn file(&mut self, place: usize) {
        let entry = &self.entries[place];
        let mut slot = hash(self.seed, entry.head, &entry.rest) as usize;
        while self.table[slot & (self.table.len() - 1)] != 0 {
            slot += 1;
        }
        let slot = slot & (self.table.len() - 1);
        self.table[slot] = u32::try_from(place + 1).unwrap_or(u32::MAX);
    }
}

impl Entry {
    #[inline]
    fn is(&self, head: u64, length: usize, rest: &[u8]) -> bool {
        self.head == head && self.length as usize == length && (length <= 8 || *self.rest == *rest)
    }
}

/// The first eight of `length` bytes, with zeros behind them if there are fewer. More bytes may follow them.
#[inline]
fn head(text: &[u8], length: usize) -> u64 {
    let bits = u64::MAX.checked_shr(64_u32.saturating_sub(8 * length as u32)).unwrap_or(0);
    if let Some(head) = text.first_chunk() {
        return u64::from_le_bytes(*head) & bits;
    }
    let mut head = [0; 8];
    head[..text.len()].copy_from_slice(text);
    u64::from_le_bytes(head) & bits
}

#[inline]
fn hash(seed: u64, head: u64, rest: &[u8]) -> u64 {
    let mut sum = mix(seed ^ head, seed);
    let (words, last) = rest.as_chunks::<8>();
    for word in words {
        sum = mix(sum ^ u64::from_le_bytes(*word), seed);
    }
    if last.is_empty() { sum } else { mix(sum ^ self::head(last, last.len()), seed) }
}

/// Both halves of a product: each bit of the factors has a part in every bit of the outcome.
#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}
