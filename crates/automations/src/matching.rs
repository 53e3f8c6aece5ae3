//! Which automations an event concerns: asked of the index, with the bytes of the event.
//!
//! It must stay true that the work for an event does not grow with the automations that it does not match: those are counted,
//! and only a few of them are looked at to say why.

use std::{
    cmp::Reverse,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use omni_events::{Event, Payload};
use omni_rules::{RuleIndex, Scratch};
use serde_json::Value;
use uuid::Uuid;

use crate::{cache::Cache, compiled::Compiled, handling::message_of, replaying};

/// Automations that did not match and are looked at for one event; another event looks at others.
const SAMPLE: usize = 32;
/// Skipped executions written per automation and second; more are only counted.
const SKIPS_PER_SECOND: u64 = 5;
/// Why an automation did not run that the limits of work did not allow to decide.
pub(crate) const UNDECIDED: &str = "it could not be decided within the limits of work for one event, and therefore does not \
                                    hold; `omni event explain` says which part took too much";

/// The same of some automations, in what became of the event.
const UNDECIDED_MANY: &str = "could not be decided within the limits of work for one event and did not run; \
                              `omni event explain` says which part took too much";

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
    /// The name of one of them.
    pub(crate) undecided_name: Option<String>,
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
    /// Finds the automations for an event; `known` has those of the index by their ids, and `second` is by a clock that never
    /// goes back.
    pub(crate) fn matching(
        &mut self,
        index: &RuleIndex<Arc<Compiled>>,
        known: &Cache,
        event: &Event,
        second: u64,
    ) -> Result<Matched, String> {
        // What makes one rule panic would do so at every try, so it is an answer and no crash.
        let found = catch_unwind(AssertUnwindSafe(|| self.found(index, known, event, second)));
        found.unwrap_or_else(|panic| {
            // It was left in the middle of something.
            self.scratch = Scratch::default();
            Err(format!("a rule panicked: {}", message_of(&*panic)))
        })
    }

    fn found(
        &mut self,
        index: &RuleIndex<Arc<Compiled>>,
        known: &Cache,
        event: &Event,
        second: u64,
    ) -> Result<Matched, String> {
        self.bytes.clear();
        let written = match is_ambiguous(event).then(|| document(event)) {
            Some(Ok(document)) => serde_json::to_writer(&mut self.bytes, &document),
            // Without a document no action runs either.
            _ => serde_json::to_writer(&mut self.bytes, event),
        };
        written.map_err(|error| unreadable(&error))?;
        let (org, event_type) = (event.metadata.org.as_str(), event.event_type.as_str());
        let found = index.matching(org, event_type, &self.bytes, &mut self.scratch);
        let found = found.map_err(|error| unreadable(&error))?;
        if found.listening == 0 {
            return Ok(Matched::default());
        }
        if let Some((_, replay)) = replaying::of(event)
            && let Some(id) = replay.automation_id
        {
            let known = known.known(id);
            return Ok(for_one((id, known), event, &found.items, &found.undecided, second));
        }
        let skipped = found.listening.saturating_sub(found.items.len());
        let mut matched = Matched { skipped, ..Matched::default() };
        matched.note_undecided(&found.undecided);
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

/// A replay for one automation: nobody else sees it. It is given as it is in force, if it is.
fn for_one(
    (id, known): (Uuid, Option<Arc<Compiled>>),
    event: &Event,
    items: &[&Arc<Compiled>],
    undecided: &[&Arc<Compiled>],
    second: u64,
) -> Matched {
    let is_it = |one: &&&Arc<Compiled>| one.automation.id == id;
    let mut matched = Matched::default();
    if let Some(one) = items.iter().find(is_it) {
        matched.add(Some(*one).into_iter(), Verdict::Runs);
        return matched;
    }
    let undecided = undecided.iter().find(is_it).copied();
    let listens = |one: &&Arc<Compiled>| {
        one.automation.org == event.metadata.org
            && one.automation.definition.trigger_event_type.matches(&event.event_type)
    };
    let (verdict, found) = match undecided {
        Some(one) => (Verdict::Undecided, Some(one)),
        None => (Verdict::Skipped, known.as_ref().filter(listens)),
    };
    if let Some(one) = found {
        matched.skipped = 1;
        matched.note_undecided(undecided.as_slice());
        matched.add(Some(one).into_iter().filter(|one| is_written(one, second)), verdict);
    }
    matched
}

impl Matched {
    /// Whether some automation listens at all.
    pub(crate) fn is_heard(&self) -> bool {
        self.skipped > 0 || !self.decisions.is_empty()
    }

    /// What is to be told of those that could not be decided, if there are any.
    pub(crate) fn undecided_fault(&self) -> Option<String> {
        let name = self.undecided_name.as_ref()?;
        let which = match self.undecided {
            1 => format!("automation `{name}`"),
            count => format!("{count} automations, `{name}` among them,"),
        };
        Some(format!("{which} {UNDECIDED_MANY}"))
    }

    fn note_undecided(&mut self, undecided: &[&Arc<Compiled>]) {
        self.undecided = undecided.len();
        let first = undecided.first().map(|one| one.automation.definition.name.clone());
        self.undecided_name = first;
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

/// Whether its rules and its actions could see different values. Records of earlier releases have payloads with one name
/// twice in an object; the reader of the rules takes the first, the document of the actions the last. What was brought back
/// from the record is therefore matched by the document.
fn is_ambiguous(event: &Event) -> bool {
    event.metadata.replay_of.is_some() && Payload::parse(event.payload.as_bytes().clone()).is_err()
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
