//! Why nothing happened: the version that was in force, what stood against it, and whose automations are told.

use std::time::Duration;

use omni_automations::{Automation, Definition, Explained, Explanation, ReasonKind, Subject};
use omni_events::Org;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Probe, Process, World};

fn when(n: i32) -> Value {
    json!({ "triggerPattern": { "payload": { "n": [n] } }, "actions": [{ "type": "count" }] })
}

/// The subject of an event once it was handled.
async fn handled(process: &Process, event: Uuid) -> Subject {
    let outcome = process.outcome(event).await;
    let event = process.log.get(&Org::default(), event).await.unwrap().unwrap().event;
    let (status, processed_at) = (Some(outcome.status), Some(outcome.processed_at));
    Subject { event, status, processed_at, notes: Vec::new() }
}

async fn explained(process: &Process, subject: &Subject, automation: Option<&str>) -> Explained {
    let found = process.automations.explain(subject.clone(), automation).await.unwrap();
    found.unwrap_or_else(|| panic!("{automation:?} is not found"))
}

async fn one(process: &Process, subject: &Subject, automation: &str) -> Explanation {
    let mut found = explained(process, subject, Some(automation)).await.items;
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn kinds(explanation: &Explanation) -> Vec<ReasonKind> {
    explanation.reasons.iter().map(|reason| reason.kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_that_was_in_force_is_compared() {
    let world = World::new(&[&Probe::counting()]).await;
    let process = world.start().await;
    let org = Org::default();
    let ran = process.define("a", when(1)).await;
    let silent = process.define("b", json!({ "triggerEventType": "custom.a", "triggerPattern": { "payload": { "n": [2] } }, "actions": [{ "type": "count" }] })).await;
    let event = process.append_as("default", "a", r#"{"n": 1}"#).await;
    let subject = handled(&process, event).await;
    world.clock.advance(Duration::from_mins(1));
    for automation in [&ran, &silent] {
        let mut definition: Value = serde_json::to_value(&automation.definition).unwrap();
        let n = if automation.id == ran.id { 3 } else { 1 };
        definition["triggerPattern"] = json!({ "payload": { "n": [n] } });
        let definition: Definition = serde_json::from_value(definition).unwrap();
        process.automations.update(&org, automation.id, definition, None).await.unwrap().unwrap();
    }
    let found = one(&process, &subject, "a").await;
    assert!(found.matched && found.proof.as_ref().unwrap().matched, "{found:?}");
    assert_eq!((found.version, found.current_version), (1, Some(2)));
    assert_eq!(found.execution.as_ref().unwrap().status, "success");
    assert!(found.notes.iter().any(|note| note.contains("now it has version 2")), "{found:?}");
    let found = one(&process, &subject, "b").await;
    assert!(!found.matched, "version 2 would have matched, but was not there: {found:?}");
    assert_eq!((found.version, found.current_version), (1, Some(2)));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reason_before_matching_is_told() {
    let world = World::new(&[&Probe::counting()]).await;
    let process = world.start().await;
    let org = Org::default();
    let off = process.define("off", json!({ "triggerEventType": "custom.a", "enabled": false, "actions": [{ "type": "count" }] })).await;
    process
        .define(
            "other",
            json!({ "triggerEventType": "custom.ab", "actions": [{ "type": "count" }] }),
        )
        .await;
    let gone = process
        .define("gone", json!({ "triggerEventType": "custom.a", "actions": [{ "type": "count" }] }))
        .await;
    process
        .define_for(
            "acme",
            "theirs",
            json!({ "triggerEventType": "custom.a", "actions": [{ "type": "count" }] }),
        )
        .await;
    let event = process.append("a").await;
    let subject = handled(&process, event).await;
    world.clock.advance(Duration::from_mins(1));
    assert!(process.automations.delete(&org, gone.id).await.unwrap());
    process
        .define("late", json!({ "triggerEventType": "custom.a", "actions": [{ "type": "count" }] }))
        .await;

    let found = one(&process, &subject, "off").await;
    assert_eq!((found.automation_id, kinds(&found)), (off.id, vec![ReasonKind::Disabled]));
    assert!(
        found.summary.starts_with("it is off; its pattern and conditions hold"),
        "{}",
        found.summary
    );
    let found = one(&process, &subject, "other").await;
    assert_eq!(kinds(&found), [ReasonKind::WrongType]);
    assert!(found.summary.contains("`custom.ab`"), "{}", found.summary);
    let found = one(&process, &subject, "late").await;
    assert_eq!(kinds(&found), [ReasonKind::CreatedLater]);
    let found = one(&process, &subject, &gone.id.to_string()).await;
    assert_eq!((kinds(&found), found.current_version), (vec![ReasonKind::Deleted], None));
    assert_eq!(found.execution.unwrap().status, "success", "what it did stays");
    for unknown in ["theirs", "nobody", "0193aa11-0000-7000-8000-00000000000a"] {
        assert!(
            process.automations.explain(subject.clone(), Some(unknown)).await.unwrap().is_none()
        );
    }
    let all = explained(&process, &subject, None).await;
    let names: Vec<&str> = all.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["gone", "late", "off", "other"], "{all:?}");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nearest_miss_comes_first_and_the_list_ends() {
    let world = World::new(&[&Probe::counting()]).await;
    let process = world.start().await;
    for number in 0..30 {
        let fields: Value = (0..=number % 3)
            .map(|field| (format!("f{field}"), json!(["no"])))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let definition = json!({ "triggerEventType": "custom.a", "triggerPattern": { "payload": fields }, "actions": [{ "type": "count" }] });
        process.define(&format!("miss-{number:02}"), definition).await;
    }
    process.define("a", json!({ "actions": [{ "type": "count" }] })).await;
    let event = process.append_as("default", "a", r#"{"f0": "yes"}"#).await;
    let all = explained(&process, &handled(&process, event).await, None).await;
    assert_eq!((all.items.len(), all.more), (20, 11));
    assert!(all.items[0].matched && all.items[0].name == "a", "{:?}", all.items[0]);
    assert!(
        all.items[1..11]
            .iter()
            .all(|item| item.proof.as_ref().unwrap().branches[0].leaves.len() == 1)
    );
    assert_eq!(all.items[1].summary, "payload.f0 \"no\" does not hold: found \"yes\"");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_is_tried_out_and_nothing_is_done() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    let event = process.append_as("default", "a", r#"{"n": 1, "who": "Mona"}"#).await;
    let event = handled(&process, event).await.event;
    let tried = async |changes: Value| {
        let mut whole = json!({ "name": "a", "triggerEventType": "custom.a", "actions": [
            { "type": "count", "config": { "who": "{{ payload.who }}" } }, { "type": "count", "config": { "x": "{{ actions[0].result.times }}" } }] });
        whole.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let definition = serde_json::from_value(whole).unwrap();
        process.automations.try_out(definition, event.clone(), None).await.unwrap()
    };
    let trial = tried(json!({ "triggerPattern": { "payload": { "n": [1] } } })).await;
    assert!(trial.matched && trial.reasons.is_empty(), "{trial:?}");
    assert_eq!(trial.actions[0].config, json!({ "who": "Mona" }));
    assert!(
        trial.actions[1].error.is_some(),
        "what another action answers is not known: {trial:?}"
    );
    let trial = tried(json!({ "triggerPattern": { "payload": { "n": [2] } } })).await;
    assert_eq!(
        (trial.matched, trial.summary.as_str()),
        (false, "payload.n 2 does not hold: found 1")
    );
    let trial = tried(json!({ "enabled": false, "triggerEventType": "custom.b" })).await;
    let kinds: Vec<ReasonKind> = trial.reasons.iter().map(|reason| reason.kind).collect();
    assert_eq!((trial.matched, kinds), (false, vec![ReasonKind::Disabled, ReasonKind::WrongType]));
    assert!(counting.keys().is_empty());
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_long_history_the_newest_versions_are_looked_at() {
    let world = World::new(&[&Probe::counting()]).await;
    let process = world.start().await;
    let busy = process.define("a", when(2)).await;
    let young = process.define("young", when(2)).await;
    let event = process.append_as("default", "a", r#"{"n": 1}"#).await;
    let before = handled(&process, event).await;
    let org = Org::default();
    let change = async |automation: &Automation, n: i32| {
        world.clock.advance(Duration::from_secs(1));
        let mut definition: Value = serde_json::to_value(&automation.definition).unwrap();
        definition["triggerPattern"] = json!({ "payload": { "n": [n] } });
        let definition: Definition = serde_json::from_value(definition).unwrap();
        let changed = process.automations.update(&org, automation.id, definition, None);
        changed.await.unwrap().unwrap();
    };
    for n in 0..20 {
        change(&busy, 100 + n).await;
        change(&young, 100 + n).await;
    }
    world.clock.advance(Duration::from_secs(1));
    let event = process.append_as("default", "none", r#"{"n": 1}"#).await;
    let between = handled(&process, event).await;
    for n in 0..40 {
        change(&busy, 200 + n).await;
    }
    let found = one(&process, &before, "young").await;
    assert_eq!((found.version, found.current_version), (1, Some(21)), "{found:?}");
    let found = one(&process, &between, "a").await;
    assert_eq!((found.version, found.current_version), (21, Some(61)), "{found:?}");
    // What ran or was skipped is found however old it is.
    let found = one(&process, &before, "a").await;
    assert_eq!(found.version, 1, "{found:?}");
    let mut elsewhere = before.clone();
    elsewhere.event.id = Uuid::from_u128(9);
    let found = one(&process, &elsewhere, "a").await;
    assert_eq!((found.version, kinds(&found)), (61, vec![]), "{found:?}");
    assert!(
        found.notes.iter().any(|note| note.contains("older ones were not looked at")),
        "{found:?}"
    );
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_test_shows_is_bounded() {
    let world = World::new(&[&Probe::counting()]).await;
    let process = world.start().await;
    let payload = json!({ "text": "x".repeat(200_000) }).to_string();
    let event = process.append_as("default", "a", &payload).await;
    let event = handled(&process, event).await.event;
    let large = json!({ "type": "count", "config": { "all": vec!["{{ payload.text }}"; 8] } });
    let small = json!({ "type": "count", "config": { "one": 1 } });
    let mut actions = vec![large; 4];
    actions.push(small);
    let definition = json!({ "name": "a", "triggerEventType": "custom.a", "actions": actions });
    let definition = serde_json::from_value(definition).unwrap();
    let trial = process.automations.try_out(definition, event, None).await.unwrap();
    let shown: Vec<bool> = trial.actions.iter().map(|action| !action.config.is_null()).collect();
    assert_eq!(shown, [true, true, false, false, true]);
    let error = trial.actions[2].error.as_deref().unwrap();
    assert!(error.contains("too large to show"), "{error}");
    process.stop().await;
}
