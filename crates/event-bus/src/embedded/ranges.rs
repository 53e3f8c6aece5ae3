//! A set of sequences as ranges: what a consumer has settled above its floor.

use std::ops::RangeInclusive;

/// Ascending ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// What lies between these sequences, from one after the first of them up to `end`; they must ascend.
    pub(super) fn gaps(open: impl Iterator<Item = u64>, end: u64) -> Self {
        let mut ranges = Self::default();
        let mut expected = None;
        for sequence in open {
            ranges.push(expected.unwrap_or(sequence)..=sequence - 1);
            expected = Some(sequence + 1);
        }
        if let Some(expected) = expected {
            ranges.push(expected..=end);
        }
        ranges
    }

    /// Adds a range that begins after all others.
    pub(super) fn push(&mut self, range: RangeInclusive<u64>) {
        if range.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.1 + 1 == *range.start() => last.1 = *range.end(),
            _ => self.0.push(range.into_inner()),
        }
    }

    /// Adds what the others hold from `from` on, which must lie after all of these. What they hold before it is passed
    /// and only waits for the next look.
    pub(super) fn extend(&mut self, later: &Self, from: u64) {
        for (start, end) in &later.0 {
            self.push((*start).max(from)..=*end);
        }
    }

    /// The first sequence from `from` on that is not in the set. Ranges before it are dropped.
    pub(super) fn pass(&mut self, from: u64) -> u64 {
        let passed = self.0.partition_point(|range| range.1 < from);
        self.0.drain(..passed);
        match self.0.first() {
            Some((start, end)) if *start <= from => *end + 1,
            _ => from,
        }
    }

    /// As it is stored: a JSON array of pairs.
    pub(super) fn to_json(&self) -> String {
        let pairs: Vec<_> = self.0.iter().map(|(start, end)| format!("[{start},{end}]")).collect();
        format!("[{}]", pairs.join(","))
    }

    /// Reads what [`Ranges::to_json`] wrote.
    pub(super) fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_is_settled() {
        let ranges = Ranges::gaps([5, 6, 9, 12].into_iter(), 14);
        assert_eq!(ranges.0, [(7, 8), (10, 11), (13, 14)]);
        assert_eq!(Ranges::gaps([5, 6].into_iter(), 6), Ranges::default());
        assert_eq!(Ranges::gaps(std::iter::empty(), 6), Ranges::default());
        assert_eq!(Ranges::from_json(&ranges.to_json()).unwrap(), ranges);
    }

    #[test]
    fn passing_jumps_over_ranges() {
        let mut ranges = Ranges(vec![(7, 8), (10, 11)]);
        assert_eq!(ranges.pass(6), 6);
        assert_eq!(ranges.pass(7), 9);
        assert_eq!(ranges.pass(9), 9);
        assert_eq!(ranges.pass(11), 12);
        assert_eq!(ranges.pass(20), 20);
        assert_eq!(ranges, Ranges::default());
    }
}
