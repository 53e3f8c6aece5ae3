//! The matchers that are measured, with one face.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use omni_rules::{Filter, Matcher, Pattern, Scratch};
use quamina::{MatcherBuildMode, Quamina, QuaminaBuilder};

/// What a matcher does with one event: says how many rules hold.
pub(crate) trait Engine {
    fn count(&mut self, event: &[u8]) -> usize;
}

/// Whether the other one is left out.
pub(crate) static ALONE: AtomicBool = AtomicBool::new(false);

/// Ours.
pub(crate) struct Ours {
    matcher: Matcher<u32>,
    scratch: Scratch,
}

impl Ours {
    /// Panics on a pattern that is refused, with what is wrong with it.
    pub(crate) fn build<'a>(patterns: impl IntoIterator<Item = &'a String>) -> Self {
        Self::of(patterns.into_iter().map(|pattern| compile(pattern)))
    }

    pub(crate) fn of(filters: impl IntoIterator<Item = Filter>) -> Self {
        let numbered = filters.into_iter().zip(0..);
        Self { matcher: numbered.collect(), scratch: Scratch::default() }
    }

    pub(crate) fn matcher(&self) -> &Matcher<u32> {
        &self.matcher
    }
}

impl Engine for Ours {
    fn count(&mut self, event: &[u8]) -> usize {
        count(&self.matcher, event, &mut self.scratch)
    }
}

pub(crate) fn count(matcher: &Matcher<u32>, event: &[u8], scratch: &mut Scratch) -> usize {
    matcher.matching(event, scratch).unwrap().items().len()
}

pub(crate) fn compile(pattern: &str) -> Filter {
    let pattern = Pattern(serde_json::from_str(pattern).unwrap());
    Filter::compile(Some(&pattern), &[]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The other one. Its two modes of building are two matchers here.
pub(crate) struct Peer {
    quamina: Quamina<u32>,
}

/// The modes, by the names under which figures are noted.
pub(crate) const MODES: [(&str, MatcherBuildMode); 2] =
    [("comfort", MatcherBuildMode::BuiltForComfort), ("speed", MatcherBuildMode::BuiltForSpeed)];

impl Peer {
    /// Adds patterns, of which those with the same number are one rule. Matches the event once, because the first time
    /// finishes the build. `None` when adding takes longer than it may, or the other one is
    /// left out; its own limits are lifted.
    pub(crate) fn build(
        mode: MatcherBuildMode,
        patterns: &[(u32, String)],
        event: &[u8],
        at_most: Duration,
    ) -> Option<Self> {
        if ALONE.load(Ordering::Relaxed) {
            return None;
        }
        let builder = QuaminaBuilder::new().with_arena_byte_budget(1 << 30);
        let mut quamina = builder.build().unwrap();
        quamina.set_matcher_build_mode(mode);
        let started = Instant::now();
        for (number, pattern) in patterns {
            if let Err(refusal) = quamina.add_pattern(*number, pattern) {
                println!("  quamina refuses {pattern}: {refusal}");
                return None;
            }
            if started.elapsed() > at_most {
                println!("  quamina has not added {} patterns in {at_most:?}", patterns.len());
                return None;
            }
        }
        quamina.matches_for_event(event).unwrap();
        Some(Self { quamina })
    }
}

impl Engine for Peer {
    fn count(&mut self, event: &[u8]) -> usize {
        self.quamina.matches_for_event(event).unwrap().len()
    }
}

/// The same patterns for the other one, each a rule of its own.
pub(crate) fn numbered(patterns: &[String]) -> Vec<(u32, String)> {
    (0..).zip(patterns.iter().cloned()).collect()
}
