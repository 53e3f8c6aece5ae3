//! The audit after the kills: what was acknowledged, what the server holds, and what arrived, laid
//! beside each other.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use serde::Deserialize;

use crate::load::error::Error;
use crate::load::http::rest;
use crate::load::receiver::Effect;

/// Type of the event that the automation of the kill run emits.
pub(crate) const EMITTED: &str = "custom.load.seen";

/// An event as the audit needs it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Held {
    id: String,
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
    /// Events without an outcome, or with a bad one.
    pub(crate) stuck: u64,
    /// Deliveries that became two events; effects under two keys; events emitted twice.
    pub(crate) dup_events: u64,
    pub(crate) dup_effects: u64,
    /// Effects that should have happened and did not.
    pub(crate) missing_effects: u64,
    /// Requests that came again under the key of their first, which is allowed.
    pub(crate) redelivered: u64,
}

impl Verdict {
    /// Whether every promise was kept.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.stuck + self.dup_events + self.dup_effects + self.missing_effects == 0
    }
}

/// Joins the three lists.
pub(crate) fn audit(
    acknowledged: &HashMap<u64, String>,
    held: &[Held],
    effects: &[Effect],
) -> Verdict {
    let ids: HashSet<&str> = held.iter().map(|event| event.id.as_str()).collect();
    let mut verdict = Verdict {
        acknowledged: acknowledged.len() as u64,
        lost: acknowledged.values().filter(|id| !ids.contains(id.as_str())).count() as u64,
        ..Verdict::default()
    };
    let mut deliveries = HashSet::new();
    let mut emitted: HashMap<&str, u64> = HashMap::new();
    for event in held {
        let done = event.outcome.as_ref().is_some_and(|outcome| outcome.status == "completed");
        verdict.stuck += u64::from(!done);
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    fn push(id: &str, delivery: &str, effect: bool) -> serde_json::Value {
        json!({ "id": id, "type": "custom.webhook.github.push", "payload": { "effect": effect },
                "metadata": { "providerEventId": delivery }, "outcome": { "status": "completed" } })
    }

    fn emitted(id: &str, cause: &str) -> serde_json::Value {
        json!({ "id": id, "type": EMITTED, "payload": {}, "metadata": { "causationId": cause },
                "outcome": { "status": "completed" } })
    }

    fn effect(event_id: &str, key: &str) -> Effect {
        Effect { event_id: event_id.into(), key: key.into(), at: Instant::now() }
    }

    fn verdict(
        acknowledged: &[(u64, &str)],
        held: serde_json::Value,
        effects: &[Effect],
    ) -> Verdict {
        let acknowledged =
            acknowledged.iter().map(|(number, id)| (*number, (*id).to_owned())).collect();
        audit(&acknowledged, &serde_json::from_value::<Vec<Held>>(held).unwrap(), effects)
    }

    #[test]
    fn a_run_that_kept_every_promise() {
        let held = json!([push("a", "1", true), push("b", "2", false), emitted("e", "a")]);
        let effects = [effect("a", "k"), effect("a", "k")];
        let verdict = verdict(&[(1, "a"), (2, "b")], held, &effects);
        assert_eq!(verdict, Verdict { acknowledged: 2, redelivered: 1, ..Verdict::default() });
        assert!(verdict.is_clean());
    }

    #[test]
    fn every_broken_promise_is_counted() {
        let mut stuck = push("d", "4", false);
        stuck["outcome"] = json!(null);
        let held = json!([
            push("a", "1", true),
            emitted("e", "a"),
            emitted("f", "a"),     // emitted twice
            push("b", "1", false), // one delivery, two events
            push("c", "3", true),  // no effects
            stuck,
        ]);
        let effects = [effect("a", "k"), effect("a", "other")];
        let verdict = verdict(&[(1, "a"), (9, "gone")], held, &effects);
        assert_eq!(
            verdict,
            Verdict {
                acknowledged: 2,
                lost: 1,
                stuck: 1,
                dup_events: 1,
                dup_effects: 2,
                missing_effects: 2,
                redelivered: 0,
            }
        );
        assert!(!verdict.is_clean());
    }
}
