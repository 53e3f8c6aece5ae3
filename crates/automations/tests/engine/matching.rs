//! Which automations an event runs: patterns beside conditions, changes at once, and few words about those that do not.

use std::collections::BTreeSet;

use omni_automations::{Automation, Definition, Error};
use omni_events::Org;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Probe, Process, World};

fn counting() -> Value {
    json!([{ "type": "count" }])
}

fn with_pattern(pattern: &Value) -> Value {
    json!({ "triggerPattern": pattern, "actions": counting() })
}

/// The definition with changes, as it would be sent.
fn changed(automation: &Automation, changes: &Value) -> Definition {
    let mut whole = serde_json::to_value(&automation.definition).unwrap();
    whole.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

async fn ran(process: &Process, event: Uuid) -> i32 {
    process.outcome(event).await.executions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_and_conditions_must_both_hold() {
    let world = World::new(&[&Probe::counting()]).await;
    let process = world.start().await;
    let both = json!({
        "triggerPattern": { "payload": { "items": { "sku": [{ "prefix": "A-" }], "qty": [{ "numeric": [">", 1] }] } } },
        "triggerConditions": [{ "field": "payload.kind", "operator": "eq", "value": "order" }],
        "actions": counting(),
    });
    let automation = process.define("a", both).await;
    for (payload, runs, why) in [
        (r#"{"kind": "order", "items": [{"sku": "A-1", "qty": 2}]}"#, 1, ""),
        (
            r#"{"kind": "order", "items": [{"sku": "A-1", "qty": 1}, {"sku": "B", "qty": 2}]}"#,
            0,
            "element",
        ),
        (
            r#"{"kind": "offer", "items": [{"sku": "A-1", "qty": 2}]}"#,
            0,
            "payload.kind eq \"order\" does not hold: found \"offer\"",
        ),
        (r#"{"kind": "order", "items": []}"#, 0, "found nothing"),
    ] {
        let event = process.append_as("default", "a", payload).await;
        assert_eq!(ran(&process, event).await, runs, "{payload}");
        let executions = process.executions(event).await;
        assert_eq!(
            (executions.len(), executions[0].automation_id),
            (1, automation.id),
            "{payload}"
        );
        assert_eq!(executions[0].conditions_matched, runs == 1, "{payload}");
        let error = executions[0].error.clone().unwrap_or_default();
        assert!(error.contains(why), "{payload}: {error}");
    }
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_in_force_when_it_returns() {
    let world = World::new(&[&Probe::counting()]).await;
    let process = world.start().await;
    let org = Org::default();
    let fires = async |payload: &str| {
        let event = process.append_as("default", "a", payload).await;
        ran(&process, event).await == 1
    };
    let (one, two) = (r#"{"n": 1}"#, r#"{"n": 2}"#);
    let first = process.define("a", with_pattern(&json!({ "payload": { "n": [1] } }))).await;
    assert!(fires(one).await && !fires(two).await);

    let pattern = json!({ "triggerPattern": { "payload": { "n": [2] } } });
    let second = process.automations.update(&org, first.id, changed(&first, &pattern), None).await;
    let second = second.unwrap().unwrap();
    assert!(!fires(one).await && fires(two).await);

    let renamed = changed(&second, &json!({ "name": "renamed" }));
    process.automations.update(&org, first.id, renamed, Some(2)).await.unwrap().unwrap();
    assert!(!fires(one).await && fires(two).await, "it is there once");

    process.automations.set_enabled(&org, first.id, false).await.unwrap().unwrap();
    assert!(!fires(two).await);
    process.automations.set_enabled(&org, first.id, true).await.unwrap().unwrap();
    assert!(fires(two).await);
    assert!(process.automations.delete(&org, first.id).await.unwrap());
    assert!(!fires(two).await);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_do_not_match_are_many_and_few_are_written() {
    let world = World::new(&[&Probe::counting()]).await;
    let process = world.start().await;
    for number in 0..150 {
        let pattern = json!({ "payload": { "n": [number] } });
        let definition = json!({ "triggerEventType": "custom.many", "triggerPattern": pattern, "actions": counting() });
        process.define(&format!("many-{number:03}"), definition).await;
    }
    let mut seen = BTreeSet::new();
    for _ in 0..6 {
        let event = process.append_as("default", "many", r#"{"n": 77}"#).await;
        assert_eq!(ran(&process, event).await, 1);
        let executions = process.executions(event).await;
        let (matched, skipped): (Vec<_>, Vec<_>) =
            executions.into_iter().partition(|execution| execution.conditions_matched);
        assert_eq!(matched.len(), 1);
        assert!((1..=64).contains(&skipped.len()), "{} are written", skipped.len());
        assert!(skipped.iter().all(|one| one.error.as_deref().unwrap().contains("found 77")));
        seen.extend(skipped.iter().map(|one| one.automation_id));
    }
    assert!(seen.len() > 100, "every event shows others: {} were seen", seen.len());
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_a_pattern_have_their_place_in_the_definition() {
    let world = World::new(&[&Probe::counting()]).await;
    let process = world.start().await;
    let problems = async |pattern: Value, condition: &str| {
        let definition = json!({
            "name": "faulty", "triggerEventType": "custom.a", "triggerPattern": pattern, "actions": counting(),
            "triggerConditions": [{ "field": condition, "operator": "eq", "value": 1 }],
        });
        let definition = serde_json::from_value(definition).unwrap();
        match process.automations.create(&Org::default(), definition, None).await {
            Err(Error::Invalid(problems)) => problems,
            other => panic!("{other:?}"),
        }
    };
    for (pattern, pointer, said) in [
        (json!({ "payload": { "n": 5 } }), "/triggerPattern/payload/n", ""),
        (
            json!({ "payload": { "n": [{ "prefex": "a" }] } }),
            "/triggerPattern/payload/n/0",
            "prefix",
        ),
        (json!({ "total": [5] }), "/triggerPattern/total", r#"{"payload": {"total": …}}"#),
        (
            json!({ "payload.total.net": [5] }),
            "/triggerPattern/payload.total.net",
            r#"{"payload": {"total": {"net": …}}}"#,
        ),
        (
            json!({ "$or": [{ "payload": { "a": [1] } }, { "kind": [2] }] }),
            "/triggerPattern/$or/1/kind",
            "begins with",
        ),
    ] {
        let found = problems(pattern, "payload.n").await;
        let problem = found.iter().find(|problem| problem.pointer.starts_with(pointer));
        let problem = problem.unwrap_or_else(|| panic!("{pointer} is not in {found:?}"));
        assert!(problem.message.contains(said), "{problem:?}");
    }
    let both = problems(json!({ "payload": { "n": 5 } }), "n").await;
    let pointers: Vec<&str> = both.iter().map(|problem| problem.pointer.as_str()).collect();
    assert!(pointers.contains(&"/triggerConditions/0/field"), "{pointers:?}");
    assert!(pointers.iter().any(|pointer| pointer.starts_with("/triggerPattern")), "{pointers:?}");
    process.stop().await;
}
