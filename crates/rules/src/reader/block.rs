//! Which bytes of a block of 64 matter, as bits; the first byte is the lowest bit. Everything here is a few vector
//! instructions without a branch.

use wide::u8x16;

/// Bytes that are looked at in one go.
pub(super) const BLOCK: usize = 64;

/// The quotes and the backslashes.
#[inline]
pub(super) fn quotes_and_backslashes(block: &[u8; BLOCK]) -> (u64, u64) {
    let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
    bits(block, |lane| (lane.simd_eq(quote), lane.simd_eq(backslash)))
}

/// What opens and what closes an array or an object, also within texts.
#[inline]
pub(super) fn brackets(block: &[u8; BLOCK]) -> (u64, u64) {
    let (open, close, case) = (u8x16::splat(b'{'), u8x16::splat(b'}'), u8x16::splat(0x20));
    bits(block, |lane| {
        // One bit tells a square bracket from a curly one.
        let lane = lane | case;
        (lane.simd_eq(open), lane.simd_eq(close))
    })
}

/// The bits of the bytes of a number, `true`, `false` or `null` that are not in it: what may follow it.
#[inline]
pub(super) fn after_literal(lane: &[u8; 16]) -> u32 {
    let lane = u8x16::new(*lane);
    let (comma, close, blank) = (u8x16::splat(b','), u8x16::splat(b'}'), u8x16::splat(b' '));
    let end = lane.simd_eq(comma) | (lane | blank).simd_eq(close) | lane.min(blank).simd_eq(lane);
    end.to_bitmask()
}

/// The bits of the bytes that are no white space (nor another control character).
#[inline]
pub(super) fn visible(lane: &[u8; 16]) -> u32 {
    let lane = u8x16::new(*lane);
    lane.min(u8x16::splat(b' ')).simd_eq(lane).to_bitmask() ^ 0xffff
}

/// For each byte whether the number of set bits up to and with it is odd.
#[inline]
pub(super) fn odd(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[inline]
fn bits(block: &[u8; BLOCK], ask: impl Fn(u8x16) -> (u8x16, u8x16)) -> (u64, u64) {
    let (mut one, mut other) = (0, 0);
    let (lanes, _) = block.as_chunks::<16>();
    for (place, lane) in lanes.iter().enumerate() {
        let (a, b) = ask(u8x16::new(*lane));
        one |= u64::from(a.to_bitmask()) << (16 * place);
        other |= u64::from(b.to_bitmask()) << (16 * place);
    }
    (one, other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> u64 {
        bytes.iter().enumerate().map(|(place, &b)| u64::from(wanted(b)) << place).sum()
    }

    #[test]
    fn every_byte_is_told_from_every_other() {
        for byte in 0..=u8::MAX {
            let (block, lane) = ([byte; BLOCK], [byte; 16]);
            let all = |yes: bool| if yes { u64::MAX } else { 0 };
            assert_eq!(quotes_and_backslashes(&block), (all(byte == b'"'), all(byte == b'\\')));
            let (opens, closes) = (matches!(byte, b'{' | b'['), matches!(byte, b'}' | b']'));
            assert_eq!(brackets(&block), (all(opens), all(closes)), "{byte}");
            let ends = closes || byte == b',' || byte <= b' ';
            assert_eq!(after_literal(&lane), if ends { 0xffff } else { 0 }, "{byte}");
            assert_eq!(visible(&lane), if byte > b' ' { 0xffff } else { 0 }, "{byte}");
        }
    }

    proptest! {
        #[test]
        fn bits_stand_where_the_bytes_do(bytes in prop::collection::vec(prop::sample::select(&br#""\{}[], 1a"#[..]), BLOCK)) {
            let block = bytes.first_chunk::<BLOCK>().unwrap();
            prop_assert_eq!(quotes_and_backslashes(block), (plain(block, |b| b == b'"'), plain(block, |b| b == b'\\')));
            prop_assert_eq!(brackets(block), (plain(block, |b| b"{[".contains(&b)), plain(block, |b| b"}]".contains(&b))));
            let lane = block.first_chunk::<16>().unwrap();
            prop_assert_eq!(u64::from(after_literal(lane)), plain(lane, |b| b"]}, ".contains(&b)));
            prop_assert_eq!(u64::from(visible(lane)), plain(lane, |b| b != b' '));
        }

        #[test]
        fn odd_counts_bits(bits in any::<u64>()) {
            let expected = (0..64).map(|place| u64::from((bits << (63 - place)).count_ones() & 1) << place).sum::<u64>();
            prop_assert_eq!(odd(bits), expected);
        }
    }
}
