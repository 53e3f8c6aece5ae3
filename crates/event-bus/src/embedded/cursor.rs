//! How far a consumer has looked in one stream. It must stay true that everything below `next` was either handed out,
//! is settled, is not selected by the filters, or was removed by retention.

use std::ops::ControlFlow;

use omni_events::SubjectPattern;

use super::{
    log::{Ends, Log, Stored},
    ranges::Ranges,
};
use crate::Stream;

/// A stretch of a stream, read from the database for one consumer.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The first and last sequence that were looked at.
    pub(super) from: u64,
    pub(super) through: u64,
    /// Those of them that the filters select.
    pub(super) messages: Vec<Stored>,
}

impl Page {
    fn covers(&self, sequence: u64) -> bool {
        (self.from..=self.through).contains(&sequence)
    }
}

/// The position in one stream.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) stream: Stream,
    /// The next sequence to look at.
    pub(super) next: u64,
    /// What is settled at or above `next`, from an earlier run.
    pub(super) settled: Ranges,
    /// Read ahead, when the consumer is behind what is in memory. Only a copy, it may be dropped at any time.
    page: Option<Page>,
}

impl Cursor {
    pub(super) fn new(stream: Stream, next: u64, settled: Ranges) -> Self {
        Self { stream, next, settled, page: None }
    }

    /// The range that must be read from the database before anything can be taken, if so.
    pub(super) fn missing(&mut self, log: &Log) -> Option<(u64, u64)> {
        let Ends { kept, in_memory, head } = log.ends(self.stream);
        self.next = self.settled.pass(self.next.max(kept));
        let here = self.page.as_ref().is_some_and(|page| page.covers(self.next));
        (self.next <= head && self.next < in_memory && !here).then_some((self.next, head))
    }

    /// Puts a page that [`Cursor::missing`] asked for in place, unless the cursor has moved elsewhere.
    pub(super) fn put(&mut self, page: Page) {
        if page.covers(self.next) {
            self.page = Some(page);
        }
    }

    /// Takes up to `room` selected messages, and moves past all that was looked at.
    pub(super) fn take(
        &mut self,
        log: &Log,
        filters: &[SubjectPattern],
        room: usize,
        taken: &mut Vec<Stored>,
    ) {
        let full = taken.len() + room;
        if !self.take_from_page(full, taken) {
            return;
        }
        let Self { next, settled, .. } = self;
        *next = settled.pass(*next);
        log.read(self.stream, *next, |stored| {
            if taken.len() == full {
                return ControlFlow::Break(());
            }
            // `next` is ahead of what is shown where settled messages were jumped over.
            if stored.sequence == *next {
                if filters.iter().any(|filter| filter.matches(&stored.message.subject)) {
                    taken.push(stored.clone());
                }
                *next = settled.pass(stored.sequence + 1);
            }
            ControlFlow::Continue(())
        });
    }

    /// Takes from the page if it covers the next message. Returns whether there is room for what comes after it.
    fn take_from_page(&mut self, full: usize, taken: &mut Vec<Stored>) -> bool {
        let Some(page) = &self.page else { return true };
        if page.covers(self.next) {
            let begin = page.messages.partition_point(|stored| stored.sequence < self.next);
            for stored in &page.messages[begin..] {
                if taken.len() == full {
                    return false;
                }
                if self.settled.pass(stored.sequence) == stored.sequence {
                    taken.push(stored.clone());
                }
                self.next = stored.sequence + 1;
            }
            self.next = page.through + 1;
        }
        self.page = None;
        true
    }
}
