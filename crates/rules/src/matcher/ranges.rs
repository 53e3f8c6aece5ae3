//! Ranges with two ends, in a segment tree: a number passes one node of each level, and all ranges of a node hold for it.
//! It must stay true that the ranges of a node are walked once an event.

use super::scratch::Marks;
use crate::predicate::number::{Bound, Number, Range};

/// Where ranges begin and end: just before a number, or just after it.
type Cut = (Number, bool);

#[derive(Debug, Default)]
pub(crate) struct Ranges {
    /// Sorted, each once.
    cuts: Box<[Cut]>,
    /// Leaves of the tree: the gaps between the cuts, and before and after all.
    gaps: usize,
    /// What a node hits, as parts of `hits`: where its part ends.
    ends: Box<[u32]>,
    hits: Box<[u32]>,
    /// The number of the first node among those of all trees.
    first_node: u32,
}

impl Ranges {
    /// Builds it of ranges; `nodes` are numbered on.
    pub(crate) fn build(ranges: &[(Range, u32)], nodes: &mut usize) -> Self {
        if ranges.is_empty() {
            return Self::default();
        }
        let mut cuts: Vec<Cut> =
            ranges.iter().flat_map(|(range, _)| [lower(*range), upper(*range)]).flatten().collect();
        cuts.sort_unstable();
        cuts.dedup();
        let gaps = cuts.len() + 1;
        let mut placed = Vec::new();
        for (range, hit) in ranges {
            let after = |cut: Cut| cuts.partition_point(|own| *own <= cut);
            let first = lower(*range).map_or(0, after);
            let last = upper(*range).map_or(gaps, after);
            place(first, last, gaps, |node| placed.push((node, *hit)));
        }
        placed.sort_unstable();
        let mut ends = vec![0; gaps * 2];
        for (node, _) in &placed {
            ends[*node as usize] += 1;
        }
        let mut end = 0;
        for count in &mut ends {
            end += *count;
            *count = end;
        }
        let first_node = *nodes as u32;
        *nodes += ends.len();
        let hits = placed.into_iter().map(|(_, hit)| hit).collect();
        Self { cuts: cuts.into(), gaps, ends: ends.into(), hits, first_node }
    }

    /// Adds what a number hits and no number of the event has hit before.
    pub(crate) fn look_up(&self, number: Number, marks: &mut Marks, hits: &mut Vec<u32>) {
        if self.hits.is_empty() {
            return;
        }
        let gap = self
            .cuts
            .partition_point(|(cut, is_after)| *cut < number || (*cut == number && !is_after));
        let mut node = gap + self.gaps;
        while node > 0 {
            let (start, end) = (self.ends[node - 1] as usize, self.ends[node] as usize);
            if start < end && marks.reaches(self.first_node + node as u32) {
                hits.extend(&self.hits[start..end]);
            }
            node /= 2;
        }
    }
}

fn lower(range: Range) -> Option<Cut> {
    range.lower.map(|Bound { number, inclusive }| (number, !inclusive))
}

fn upper(range: Range) -> Option<Cut> {
    range.upper.map(|Bound { number, inclusive }| (number, inclusive))
}

/// Calls for the nodes that together have the gaps from the first to before the last.
fn place(first: usize, last: usize, gaps: usize, mut on: impl FnMut(u32)) {
    let (mut first, mut last) = (first + gaps, last + gaps);
    while first < last {
        if first % 2 == 1 {
            on(first as u32);
            first += 1;
        }
        if last % 2 == 1 {
            last -= 1;
            on(last as u32);
        }
        first /= 2;
        last /= 2;
    }
}
