//! The first or last bytes of a text as a number, for comparisons in one step. It must stay true that heads sort as the
//! texts do, as far as they reach.

/// Bytes of a text in one word, the first in the highest place, with zeros where there are fewer.
pub(crate) type Head = u64;

/// How many bytes that are.
pub(crate) const LENGTH: usize = 8;

/// The first bytes.
#[inline]
pub(crate) fn first(text: &[u8]) -> Head {
    if let Some(start) = text.first_chunk() {
        return u64::from_be_bytes(*start);
    }
    short(text)
}

/// The last bytes, beginning with the last.
#[inline]
pub(crate) fn last(text: &[u8]) -> Head {
    if let Some(end) = text.last_chunk() {
        return u64::from_le_bytes(*end);
    }
    match text.len() {
        0 => 0,
        length => short(text).swap_bytes() << (8 * (LENGTH - length)),
    }
}

/// The bits of a head that a text of this length fills.
#[inline]
pub(crate) fn mask(length: usize) -> Head {
    match length {
        0 => 0,
        1..LENGTH => u64::MAX << (8 * (LENGTH - length)),
        _ => u64::MAX,
    }
}

/// The head of a text with fewer bytes than one, from two parts that may overlap.
#[inline]
fn short(text: &[u8]) -> Head {
    let shift = |length: usize| 8 * (LENGTH - length);
    let length = text.len();
    if let (Some(start), Some(end)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let (start, end) = (u32::from_be_bytes(*start), u32::from_be_bytes(*end));
        return u64::from(start) << 32 | u64::from(end) << shift(length);
    }
    text.iter().fold(0, |head, byte| head << 8 | u64::from(*byte)) << (shift(length) % 64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn heads_are_the_bytes_at_the_ends(text in proptest::collection::vec(any::<u8>(), 0..12)) {
            let head = |text: Vec<u8>| {
                let mut bytes = text;
                bytes.resize(LENGTH.max(bytes.len()), 0);
                u64::from_be_bytes(*bytes.first_chunk().unwrap())
            };
            let filled = vec![255; text.len()];
            prop_assert_eq!(first(&text), head(text.clone()));
            prop_assert_eq!(last(&text), head(text.iter().rev().copied().collect()));
            prop_assert_eq!(mask(text.len()), head(filled));
        }
    }
}
