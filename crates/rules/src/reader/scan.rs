//! Finds where texts, containers and other values of JSON end, 64 bytes at a time. It must stay true that it only goes
//! forward, for whether a quote is escaped depends on all that comes before it.

use super::{
    Unreadable,
    block::{self, BLOCK},
};

/// Where the reading of an event stands.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    /// Where the block begins that the bits are about; before the first it is past the end.
    block: usize,
    /// Quotes that are not escaped.
    quotes: u64,
    backslashes: u64,
    /// What opens and what closes an array or object in the block, also within texts, once that was asked.
    brackets: Option<(u64, u64)>,
    /// Whether the first byte of the next block is escaped, as its lowest bit.
    escaped: u64,
}

impl<'a> Scan<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut scan =
            Self { bytes, block: 0, quotes: 0, backslashes: 0, brackets: None, escaped: 0 };
        scan.look();
        scan
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The byte at a place; 0 past the end, which JSON has nowhere else.
    #[inline]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The place of the first byte from here that is no white space.
    #[inline]
    pub(super) fn blank(&self, at: usize) -> usize {
        if self.byte(at) > b' ' {
            at
        } else if self.byte(at + 1) > b' ' {
            at + 1
        } else {
            self.blanks(at)
        }
    }

    fn blanks(&self, mut at: usize) -> usize {
        while let Some(lane) = self.bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let visible = block::visible(lane);
            if visible != 0 {
                return at + visible.trailing_zeros() as usize;
            }
            at += lane.len();
        }
        while self.bytes.get(at).is_some_and(|&byte| byte <= b' ') {
            at += 1;
        }
        at
    }

    /// The end of a text whose first byte, behind the quote, is here: the place of the other quote, and whether there is a
    /// backslash in between.
    #[inline]
    pub(super) fn text(&mut self, from: usize) -> Result<(usize, bool), Unreadable> {
        self.reach(from);
        let ahead = u64::MAX.checked_shl((from - self.block) as u32).unwrap_or(0);
        let quotes = self.quotes & ahead;
        if quotes == 0 {
            return self.long_text(self.backslashes & ahead != 0);
        }
        let before = (quotes & quotes.wrapping_neg()) - 1;
        let end = self.block + quotes.trailing_zeros() as usize;
        Ok((end, self.backslashes & ahead & before != 0))
    }

    fn long_text(&mut self, mut escapes: bool) -> Result<(usize, bool), Unreadable> {
        while self.next() {
            if self.quotes != 0 {
                let end = self.block + self.quotes.trailing_zeros() as usize;
                let before = (self.quotes & self.quotes.wrapping_neg()) - 1;
                return Ok((end, escapes || self.backslashes & before != 0));
            }
            escapes |= self.backslashes != 0;
        }
        Err(Unreadable { offset: self.bytes.len(), what: "the end of a text is missing" })
    }

    /// The place behind the array or object that a place is in, outside of texts.
    pub(super) fn close(&mut self, from: usize) -> Result<usize, Unreadable> {
        self.reach(from);
        let mut ahead = u64::MAX.checked_shl((from - self.block) as u32).unwrap_or(0);
        let mut depth = 1;
        // All ones when the block begins within a text.
        let mut within = 0;
        loop {
            let quotes = self.quotes & ahead;
            let texts = if quotes == 0 { within } else { block::odd(quotes) ^ within };
            let outside = ahead & !texts;
            if outside != 0 {
                let (opens, closes) = self.brackets();
                if let Some(end) = count(&mut depth, opens & outside, closes & outside) {
                    return Ok(self.block + end + 1);
                }
            }
            within = 0_u64.wrapping_sub(texts >> 63);
            ahead = u64::MAX;
            if !self.next() {
                let offset = self.bytes.len();
                return Err(Unreadable {
                    offset,
                    what: "the end of an array or object is missing",
                });
            }
        }
    }

    #[inline]
    fn brackets(&mut self) -> (u64, u64) {
        if let Some(brackets) = self.brackets {
            return brackets;
        }
        let brackets = self.with_block(block::brackets);
        self.brackets = Some(brackets);
        brackets
    }

    /// The end of a number, `true`, `false` or `null` that begins here.
    #[inline]
    pub(super) fn literal(&self, mut at: usize) -> usize {
        while let Some(lane) = self.bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let end = block::after_literal(lane);
            if end != 0 {
                return at + end.trailing_zeros() as usize;
            }
            at += lane.len();
        }
        let rest = self.bytes.get(at..).unwrap_or_default();
        let ends = |&byte: &u8| matches!(byte, 0..=b' ' | b',' | b'}' | b']');
        at + rest.iter().position(ends).unwrap_or(rest.len())
    }

    /// The place behind the value that begins here.
    #[inline]
    pub(super) fn skip(&mut self, at: usize) -> Result<usize, Unreadable> {
        match self.byte(at) {
            b'"' => Ok(self.text(at + 1)?.0 + 1),
            b'{' | b'[' => self.close(at + 1),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Ok(self.literal(at + 1)),
            _ => Err(Unreadable { offset: at, what: "a value was expected" }),
        }
    }

    /// Goes on until the block is reached that a place is in.
    #[inline]
    fn reach(&mut self, at: usize) {
        while at >= self.block + BLOCK && self.next() {}
    }

    /// Goes to the next block, if there is one.
    fn next(&mut self) -> bool {
        if self.bytes.len() <= self.block + BLOCK {
            return false;
        }
        self.block += BLOCK;
        self.brackets = None;
        self.look();
        true
    }

    #[inline]
    fn look(&mut self) {
        let (quotes, backslashes) = self.with_block(block::quotes_and_backslashes);
        (self.quotes, self.backslashes) = (quotes, backslashes);
        if backslashes | self.escaped != 0 {
            self.unescape();
        }
    }

    /// Takes the escaped quotes out.
    #[cold]
    fn unescape(&mut self) {
        let (mut escaped, mut left) = (self.escaped, self.backslashes & !self.escaped);
        self.escaped = 0;
        while left != 0 {
            let backslash = left & left.wrapping_neg();
            self.escaped = backslash >> 63;
            escaped |= backslash << 1;
            // What is escaped does not escape what comes next.
            left &= !(backslash | backslash << 1);
        }
        self.quotes &= !escaped;
    }

    /// The last block is filled up with blanks.
    #[inline]
    fn with_block<R>(&self, look: impl Fn(&[u8; BLOCK]) -> R) -> R {
        let rest = self.bytes.get(self.block..).unwrap_or_default();
        if let Some(block) = rest.first_chunk() {
            return look(block);
        }
        let mut block = [b' '; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        look(&block)
    }
}

/// Goes through the brackets of a block; the place of the one that closes the outermost container, if it is there.
#[inline]
fn count(depth: &mut u64, opens: u64, mut closes: u64) -> Option<usize> {
    if closes == 0 {
        *depth += u64::from(opens.count_ones());
        return None;
    }
    // Most blocks cannot end it, whatever the order.
    let ends = u64::from(closes.count_ones());
    if ends < *depth {
        *depth = *depth + u64::from(opens.count_ones()) - ends;
        return None;
    }
    // A bracket ends it when as many close up to there as were open before and have opened up to there.
    let mut closed = 0;
    while closes != 0 {
        let close = closes & closes.wrapping_neg();
        closed += 1;
        if closed == *depth + u64::from((opens & (close - 1)).count_ones()) {
            return Some(close.trailing_zeros() as usize);
        }
        closes &= closes - 1;
    }
    *depth = *depth + u64::from(opens.count_ones()) - closed;
    None
}
