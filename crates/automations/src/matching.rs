//! Which automations an event concerns: asked of the index, with the bytes of the event.
//!
//! It must stay true that the work for an event does not grow with the automations that it does not match: those are counted,
//! and only a few of them are looked at to say why.

use std::{
    cmp::Reverse,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use omni_events::Event;
use omni_rules::{RuleIndex, Scratch};
use serde_json::Value;

use crate::{compiled::Compiled, handling::message_of, replaying};

/// Automations that did not match and are looked at for one event; another event looks at others.
const SAMPLE: usize = 32;
/// Skipped executions written per automation and second; more are only counted.
const SKIPS_PER_SECOND: u64 = 5;
/// Why an automation did not run that the limits of work did not allow to decide.
pub(crate) const UNDECIDED: &str = "it could not be decided within the limits of work for one event, and therefore does not \
                                    hold; `omni event explain` says which part took too much";

/// What is to become of an automation that listens to the type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It holds: its actions run.
    Runs,
    /// It does not hold, and that is to be written down.
    Skipped,
    /// It could not be decided, and that is to be written down.
    Undecided,
}

/// An automation and what is to become of it.
pub(crate) type Decision = (Arc<Compiled>, Verdict);

/// What was found out about one event.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    /// Those that run, and some of those that do not, in the order in which they run.
    pub(crate) decisions: Vec<Decision>,
    /// How many listen to the type and do not hold, the undecided among them.
    pub(crate) skipped: usize,
    /// How many could not be decided.
    pub(crate) undecided: usize,
}

/// What matching needs again and again; kept from event to event.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    scratch: Scratch,
    bytes: Vec<u8>,
    /// Where the next sample begins.
    next: usize,
}

impl Desk {
    /// Finds the automations for an event; `second` is by a clock that never goes back.
    pub(crate) fn matching(
        &mut self,
        index: &RuleIndex<Arc<Compiled>>,
        event: &Event,
        second: u64,
    ) -> Result<Matched, String> {
        // What makes one rule panic would do so at every try, so it is an answer and no crash.
        let found = catch_unwind(AssertUnwindSafe(|| self.found(index, event, second)));
        found.unwrap_or_else(|panic| {
            // It was left in the middle of something.
            self.scratch = Scratch::default();
            Err(format!("a rule panicked: {}", message_of(&*panic)))
        })
    }

    fn found(
        &mut self,
        index: &RuleIndex<Arc<Compiled>>,
        event: &Event,
        second: u64,
    ) -> Result<Matched, String> {
        self.bytes.clear();
        serde_json::to_writer(&mut self.bytes, event).map_err(|error| unreadable(&error))?;
        let (org, event_type) = (event.metadata.org.as_str(), event.event_type.as_str());
        let found = index.matching(org, event_type, &self.bytes, &mut self.scratch);
        let found = found.map_err(|error| unreadable(&error))?;
        if found.listening == 0 {
            return Ok(Matched::default());
        }
        if let Some((_, replay)) = replaying::of(event)
            && replay.automation_id.is_some()
        {
            return Ok(for_one(index, event, &found.items, &found.undecided, second));
        }
        let skipped = found.listening.saturating_sub(found.items.len());
        let mut matched =
            Matched { decisions: Vec::new(), skipped, undecided: found.undecided.len() };
        matched.add(found.items.iter().copied(), Verdict::Runs);
        let undecided = found.undecided.iter().take(SAMPLE).copied();
        matched.add(undecided.filter(|one| is_written(one, second)), Verdict::Undecided);
        if skipped > found.undecided.len() {
            let place = (self.next, SAMPLE);
            self.next = self.next.wrapping_add(SAMPLE);
            let sample = index.some(org, event_type, place).into_iter();
            let others = sample.filter(|one| {
                let is_it = |other: &&&Arc<Compiled>| Arc::ptr_eq(one, other);
                let is_decided = found.items.iter().any(|other| is_it(&other));
                !is_decided && !found.undecided.iter().any(|other| is_it(&other))
            });
            let written: Vec<_> = others.filter(|one| is_written(one, second)).collect();
            matched.add(written.into_iter(), Verdict::Skipped);
        }
        matched.rank();
        Ok(matched)
    }
}

/// A replay for one automation: nobody else sees it.
fn for_one(
    index: &RuleIndex<Arc<Compiled>>,
    event: &Event,
    items: &[&Arc<Compiled>],
    undecided: &[&Arc<Compiled>],
    second: u64,
) -> Matched {
    let is_it = |one: &&&Arc<Compiled>| replaying::is_for(event, one.automation.id);
    let mut matched = Matched::default();
    if let Some(one) = items.iter().find(is_it) {
        matched.add(Some(*one).into_iter(), Verdict::Runs);
        return matched;
    }
    let (org, event_type) = (event.metadata.org.as_str(), event.event_type.as_str());
    let (verdict, found) = if let Some(one) = undecided.iter().find(is_it) {
        (Verdict::Undecided, Some(*one))
    } else {
        // It is looked for among all that listen; replays for one automation are rare.
        let all = index.candidates(org, event_type);
        (Verdict::Skipped, all.iter().find(is_it).copied())
    };
    if let Some(one) = found {
        matched.skipped = 1;
        matched.undecided = usize::from(verdict == Verdict::Undecided);
        matched.add(Some(one).into_iter().filter(|one| is_written(one, second)), verdict);
    }
    matched
}

impl Matched {
    /// Whether some automation listens at all.
    pub(crate) fn is_heard(&self) -> bool {
        self.skipped > 0 || !self.decisions.is_empty()
    }

    fn add<'a>(&mut self, found: impl Iterator<Item = &'a Arc<Compiled>>, verdict: Verdict) {
        self.decisions.extend(found.map(|one| (one.clone(), verdict)));
    }

    /// Puts them in the order in which they run. Of one that is just being renamed there may be two; the newer one counts.
    fn rank(&mut self) {
        self.decisions.sort_by_key(|(one, _)| (one.automation.id, Reverse(one.automation.version)));
        self.decisions.dedup_by_key(|(one, _)| one.automation.id);
        self.decisions.sort_by(|(a, _), (b, _)| {
            let (a, b) = (&a.automation.definition, &b.automation.definition);
            b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name))
        });
    }
}

/// Whether one more skipped execution of this automation is written down now.
fn is_written(compiled: &Arc<Compiled>, second: u64) -> bool {
    compiled.skips.admit(second, SKIPS_PER_SECOND)
}

/// The event as explanations and templates see it. Its payload may be valid JSON and still not fit into a tree: a number
/// beyond all floats.
pub(crate) fn document(event: &Event) -> Result<Value, String> {
    serde_json::to_value(event).map_err(|error| unreadable(&error))
}

fn unreadable(error: &dyn std::error::Error) -> String {
    format!("the payload cannot be read: {error}")
}
