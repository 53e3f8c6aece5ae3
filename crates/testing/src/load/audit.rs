//! The audit after the faults: what was acknowledged, what the server holds, and what arrived, laid
//! beside each other.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use serde::Deserialize;

use crate::load::error::Error;
use crate::load::http::rest;
use crate::load::ledger::Ack;
use crate::load::receiver::Effect;

/// Type of the event that the automation of a campaign emits.
pub(crate) const EMITTED: &str = "custom.load.seen";

/// An event as the audit needs it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Held {
    id: String,
    sequence: i64,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    payload: Payload,
    metadata: Metadata,
    outcome: Option<Outcome>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    effect: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    causation_id: Option<String>,
    #[serde(default)]
    provider_event_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Held>,
    next_cursor: Option<String>,
}

/// Everything the server holds, page by page.
pub(crate) async fn read_all(addr: SocketAddr) -> Result<Vec<Held>, Error> {
    let mut held = Vec::new();
    let mut cursor = None::<String>;
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/api/events?order=asc&limit=500{after}");
        let page: Page = serde_json::from_value(rest(addr, &path, None).await?)?;
        held.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(held);
        }
    }
}

/// What must be none, and how much there was to go wrong.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: u64,
    /// Acknowledged, but no event.
    pub(crate) lost: u64,
    /// Events without an outcome.
    pub(crate) stuck: u64,
    /// Events whose handling failed for good; nothing that the campaign does may make it fail.
    pub(crate) failed: u64,
    /// Deliveries that became two events; effects under two keys; events emitted twice.
    pub(crate) dup_events: u64,
    pub(crate) dup_effects: u64,
    /// Effects that should have happened and did not.
    pub(crate) missing_effects: u64,
    /// Events that stand in the log before one that was acknowledged before they were sent.
    pub(crate) out_of_order: u64,
    /// Requests that came again under the key of their first, which is allowed.
    pub(crate) redelivered: u64,
}

impl Verdict {
    /// Whether every promise was kept.
    pub(crate) fn is_clean(&self) -> bool {
        let broken = self.lost + self.stuck + self.failed + self.out_of_order;
        broken + self.dup_events + self.dup_effects + self.missing_effects == 0
    }
}

/// Joins the three lists.
pub(crate) fn audit(acks: &[Ack], held: &[Held], effects: &[Effect]) -> Verdict {
    let places: HashMap<&str, i64> =
        held.iter().map(|event| (event.id.as_str(), event.sequence)).collect();
    let mut verdict = Verdict {
        acknowledged: acks.len() as u64,
        lost: acks.iter().filter(|ack| !places.contains_key(ack.event_id.as_str())).count() as u64,
        out_of_order: out_of_order(acks, &places),
        ..Verdict::default()
    };
    let mut deliveries = HashSet::new();
    let mut emitted: HashMap<&str, u64> = HashMap::new();
    for event in held {
        match &event.outcome {
            None => verdict.stuck += 1,
            Some(outcome) => verdict.failed += u64::from(outcome.status != "completed"),
        }
        if let Some(delivery) = &event.metadata.provider_event_id {
            verdict.dup_events += u64::from(!deliveries.insert(delivery.as_str()));
        }
        if event.event_type == EMITTED {
            let cause = event.metadata.causation_id.as_deref().unwrap_or_default();
            *emitted.entry(cause).or_default() += 1;
        }
    }
    let mut keys: HashMap<&str, HashSet<&str>> = HashMap::new();
    for effect in effects {
        let fresh = keys.entry(&effect.event_id).or_default().insert(&effect.key);
        verdict.redelivered += u64::from(!fresh);
    }
    // One automation with one webhook action: one key for each event.
    verdict.dup_effects += keys.values().map(|keys| keys.len() as u64 - 1).sum::<u64>();
    verdict.dup_effects += emitted.values().map(|count| count - 1).sum::<u64>();
    for event in held.iter().filter(|event| event.payload.effect) {
        verdict.missing_effects += u64::from(!keys.contains_key(event.id.as_str()));
        verdict.missing_effects += u64::from(!emitted.contains_key(event.id.as_str()));
    }
    verdict
}

/// What was acknowledged before an event was first sent stands before it in the log.
fn out_of_order(acks: &[Ack], places: &HashMap<&str, i64>) -> u64 {
    let place = |ack: &Ack| places.get(ack.event_id.as_str()).copied();
    let mut highest = Vec::with_capacity(acks.len() + 1);
    highest.push(i64::MIN);
    for ack in acks {
        let before = highest.last().copied().unwrap_or(i64::MIN);
        highest.push(place(ack).map_or(before, |place| place.max(before)));
    }
    let broken = |ack: &&Ack| place(ack).is_some_and(|place| place < highest[ack.sent_after]);
    acks.iter().filter(broken).count() as u64
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    fn push(sequence: i64, id: &str, delivery: &str, effect: bool) -> serde_json::Value {
        json!({ "id": id, "sequence": sequence, "type": "custom.webhook.github.push",
                "payload": { "effect": effect }, "metadata": { "providerEventId": delivery },
                "outcome": { "status": "completed" } })
    }

    fn emitted(id: &str, cause: &str) -> serde_json::Value {
        json!({ "id": id, "sequence": 9, "type": EMITTED, "payload": {},
                "metadata": { "causationId": cause }, "outcome": { "status": "completed" } })
    }

    fn effect(event_id: &str, key: &str) -> Effect {
        Effect { event_id: event_id.into(), key: key.into(), at: Instant::now() }
    }

    fn ack(event_id: &str, sent_after: usize) -> Ack {
        Ack { event_id: event_id.into(), sent_after }
    }

    fn verdict(acks: &[Ack], held: serde_json::Value, effects: &[Effect]) -> Verdict {
        audit(acks, &serde_json::from_value::<Vec<Held>>(held).unwrap(), effects)
    }

    #[test]
    fn a_run_that_kept_every_promise() {
        let held = json!([push(1, "a", "1", true), push(2, "b", "2", false), emitted("e", "a")]);
        let effects = [effect("a", "k"), effect("a", "k")];
        let verdict = verdict(&[ack("a", 0), ack("b", 1)], held, &effects);
        assert_eq!(verdict, Verdict { acknowledged: 2, redelivered: 1, ..Verdict::default() });
        assert!(verdict.is_clean());
    }

    #[test]
    fn every_broken_promise_is_counted() {
        let mut stuck = push(4, "d", "4", false);
        stuck["outcome"] = json!(null);
        let mut failed = push(5, "e", "5", false);
        failed["outcome"]["status"] = json!("failed");
        let held = json!([
            push(1, "a", "1", true),
            emitted("x", "a"),
            emitted("y", "a"),        // emitted twice
            push(2, "b", "1", false), // one delivery, two events
            push(3, "c", "3", true),  // no effects
            stuck,
            failed,
        ]);
        let effects = [effect("a", "k"), effect("a", "other")];
        let verdict = verdict(&[ack("a", 0), ack("gone", 0)], held, &effects);
        assert_eq!(
            verdict,
            Verdict {
                acknowledged: 2,
                lost: 1,
                stuck: 1,
                failed: 1,
                dup_events: 1,
                dup_effects: 2,
                missing_effects: 2,
                out_of_order: 0,
                redelivered: 0,
            }
        );
        assert!(!verdict.is_clean());
    }

    #[test]
    fn events_may_change_places_only_while_both_are_on_their_way() {
        let held = json!([push(1, "a", "1", false), push(2, "b", "2", false)]);
        let together = verdict(&[ack("b", 0), ack("a", 0)], held.clone(), &[]);
        assert!(together.is_clean(), "{together:?}");
        let one_after_the_other = verdict(&[ack("b", 0), ack("a", 1)], held, &[]);
        assert_eq!(one_after_the_other.out_of_order, 1);
        assert!(!one_after_the_other.is_clean());
    }
}
