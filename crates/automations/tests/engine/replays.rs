//! An event that is brought back: what succeeded does not happen again, what failed does under its old key, and what is
//! given up is one dead letter.

use bytes::Bytes;
use omni_event_log::Draft;
use omni_events::{EventType, Org, Payload, Replay};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Behaviour, Probe, Process, World};

fn replay() -> Replay {
    let id = Uuid::from_u128(77);
    Replay { id, automation_id: None, repeat_effects: false, dead_letter: false }
}

async fn only_execution(process: &Process, event: Uuid) -> Value {
    process.outcome(event).await;
    let executions = process.executions(event).await;
    assert_eq!(executions.len(), 1, "{executions:?}");
    serde_json::to_value(&executions[0]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_spares_what_succeeded_and_tries_the_rest_under_its_old_key() {
    let (counting, flaky) = (Probe::counting(), Probe::new("flaky", Behaviour::Fail(2, None)));
    let world = World::new(&[&counting, &flaky]).await;
    let process = world.start().await;
    process.define("a", json!({ "actions": [{ "type": "count" }, { "type": "flaky" }] })).await;
    let event = process.append("a").await;
    assert_eq!(process.outcome(event).await.status, "failed");

    // Fails again, then succeeds, then has nothing left to do.
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let again = process.replay(event, replay()).await;
        let execution = only_execution(&process, again).await;
        let results = &execution["actionsExecuted"];
        assert_eq!(results[0]["status"], "success");
        assert_eq!(results[0]["attempts"], 0);
        assert_eq!(results[0]["result"], json!({ "times": 1 }), "the result is the earlier one");
        statuses.push((execution["status"].clone(), results[1]["attempts"].clone()));
    }
    let expected = [("failed", 1), ("success", 1), ("success", 0)];
    assert_eq!(statuses, expected.map(|(status, tries)| (json!(status), json!(tries))));
    assert_eq!(counting.keys().len(), 1);
    let keys = flaky.keys();
    assert_eq!(keys, vec![keys[0].clone(); 3], "the effect is the same one each time");
    assert!(keys[0].starts_with(&event.simple().to_string()));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn effects_are_repeated_under_new_keys_when_asked() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    process.define("a", json!({ "actions": [{ "type": "count" }] })).await;
    let event = process.append("a").await;
    process.outcome(event).await;
    for _ in 0..2 {
        let again = process.replay(event, Replay { repeat_effects: true, ..replay() }).await;
        let execution = only_execution(&process, again).await;
        assert_eq!(execution["actionsExecuted"][0]["attempts"], 1);
    }
    let mut keys = counting.keys();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_for_one_automation_is_seen_by_no_other() {
    let (counting, other) = (Probe::counting(), Probe::new("other", Behaviour::Count));
    let world = World::new(&[&counting, &other]).await;
    let process = world.start().await;
    let on_a =
        |kind: &str| json!({ "triggerEventType": "custom.a", "actions": [{ "type": kind }] });
    let event = process.append("a").await;
    process.outcome(event).await;
    // Both were made after the event, so a replay is the first that they see of it.
    let wanted = process.define("wanted", on_a("count")).await;
    process.define("unwanted", on_a("other")).await;
    let only = Replay { automation_id: Some(wanted.id), ..replay() };
    let again = process.replay(event, only).await;
    assert_eq!(process.outcome(again).await.executions, 1);
    assert_eq!((counting.keys().len(), other.keys().len()), (1, 0));
    let again = process.replay(event, replay()).await;
    assert_eq!(process.outcome(again).await.executions, 2);
    assert_eq!((counting.keys().len(), other.keys().len()), (1, 1));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_actions_see_the_earlier_result_of_one_that_was_spared() {
    let (counting, echo) = (Probe::counting(), Probe::new("echo", Behaviour::Echo));
    let flaky = Probe::new("flaky", Behaviour::Fail(1, None));
    let world = World::new(&[&counting, &flaky, &echo]).await;
    let process = world.start().await;
    let seen = json!({ "type": "echo", "config": { "seen": "{{ actions[0].result.times }}" } });
    let actions = json!([{ "type": "count" }, { "type": "flaky", "onError": "stop" }, seen]);
    process.define("a", json!({ "actions": actions })).await;
    let event = process.append("a").await;
    process.outcome(event).await;
    let again = process.replay(event, replay()).await;
    let execution = only_execution(&process, again).await;
    assert_eq!(execution["status"], "success", "{execution}");
    assert_eq!(execution["actionsExecuted"][2]["result"], json!({ "seen": 1 }));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_of_another_kind_in_the_same_place_is_not_spared() {
    let (counting, other) = (Probe::counting(), Probe::new("other", Behaviour::Count));
    let world = World::new(&[&counting, &other]).await;
    let process = world.start().await;
    let automation = process.define("a", json!({ "actions": [{ "type": "count" }] })).await;
    let event = process.append("a").await;
    process.outcome(event).await;
    let mut definition = automation.definition.clone();
    definition.actions[0].kind = "other".into();
    let org = omni_events::Org::default();
    process.automations.update(&org, automation.id, definition, None).await.unwrap();
    let again = process.replay(event, replay()).await;
    process.outcome(again).await;
    assert_eq!((counting.keys().len(), other.keys().len()), (1, 1));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_automation_gives_up_is_one_dead_letter() {
    let flaky = Probe::new("flaky", Behaviour::Fail(9, None));
    let world = World::new(&[&flaky]).await;
    let process = world.start().await;
    let retry = json!({ "maxAttempts": 2, "initialDelayMs": 0, "jitter": 0.0 });
    let automation =
        process.define("a", json!({ "actions": [{ "type": "flaky", "retry": retry }] })).await;
    let event = process.append("a").await;
    assert_eq!(process.outcome(event).await.status, "failed");
    let again = process.replay(event, replay()).await;
    assert_eq!(process.outcome(again).await.status, "failed");
    let letters = world.texts(
        "SELECT json_array(lower(hex(id)), lower(hex(event_id)), consumer, version, attempts, json(errors), status,
         next_retry_at - dead_at, told) FROM dead_letters",
    );
    let consumer = format!("automation:{}", automation.id);
    let id = omni_store::dead_letters::id_of(&consumer, event);
    let expected = json!([
        id.simple().to_string(),
        event.simple().to_string(),
        consumer,
        1,
        2,
        ["flaky: not today"],
        "pending",
        3_600_000_000_i64,
        0
    ]);
    assert_eq!(letters, [expected.to_string()]);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_failure_of_a_retry_makes_no_new_dead_letter() {
    let flaky = Probe::new("flaky", Behaviour::Fail(9, None));
    let world = World::new(&[&flaky]).await;
    let process = world.start().await;
    let event = process.append("a").await;
    process.outcome(event).await;
    process.define("a", json!({ "actions": [{ "type": "flaky" }] })).await;
    let again = process.replay(event, Replay { dead_letter: true, ..replay() }).await;
    assert_eq!(process.outcome(again).await.status, "failed");
    assert_eq!(world.texts("SELECT consumer FROM dead_letters"), Vec::<String>::new());
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_retry_of_a_dead_letter_whose_automation_is_off_fails() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    let event = process.append("a").await;
    process.outcome(event).await;
    let gone = Replay { automation_id: Some(Uuid::from_u128(5)), ..replay() };
    let again = process.replay(event, Replay { dead_letter: true, ..gone.clone() }).await;
    let outcome = process.outcome(again).await;
    assert_eq!(outcome.status, "failed");
    assert!(outcome.error.unwrap().contains("is off"));
    let again = process.replay(event, gone).await;
    assert_eq!(
        process.outcome(again).await.status,
        "completed",
        "many events of a replay are for nobody"
    );
    process.stop().await;
}

/// A text of two letters without a pattern in it.
fn noise(length: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state & 1 == 0 { 'a' } else { 'b' }
    };
    (0..length).map(|_| letter()).collect()
}

/// A letter of which nobody knows whether it was handled must stay open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_automation_that_cannot_be_decided_is_told_and_a_retry_for_it_fails() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    // Each of them has to keep dozens of places in mind at every letter.
    let costly: Vec<Value> =
        (10..40).map(|n| json!({ "matches": format!("[ab]*a[ab]{{{n}}}c") })).collect();
    let automation = process
        .define("a", json!({ "triggerPattern": { "payload": { "t": costly } }, "actions": [{ "type": "count" }] }))
        .await;
    let payload = json!({ "t": format!("c{}", noise(60_000)) }).to_string();
    let event = process.append_as("default", "a", &payload).await;
    let outcome = process.outcome(event).await;
    assert_eq!(outcome.status, "completed");
    let error = outcome.error.expect("it says that something was not decided");
    assert!(error.starts_with("automation `a` could not be decided"), "{error}");

    let only = Replay { automation_id: Some(automation.id), ..replay() };
    let again = process.replay(event, only.clone()).await;
    assert_eq!(process.outcome(again).await.status, "completed");
    let again = process.replay(event, Replay { dead_letter: true, ..only }).await;
    let outcome = process.outcome(again).await;
    assert_eq!(outcome.status, "failed", "it is no success");
    assert!(outcome.error.unwrap().contains("could not be decided"));
    process.stop().await;
}

/// Records of earlier releases have such payloads; what judges them and what acts on them must see the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_name_that_is_there_twice_rules_and_actions_see_the_last() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    process
        .define("a", json!({ "triggerPattern": { "payload": { "n": [2] } }, "actions": [{ "type": "count" }] }))
        .await;
    let original = process.append("a").await;
    let bring_back = async |payload: &'static str| {
        let event_type = EventType::parse("custom.a").unwrap();
        let payload = Payload::kept(Bytes::from_static(payload.as_bytes())).unwrap();
        let mut draft = Draft::new(Org::default(), event_type, "replay", payload);
        draft.metadata.replay_of = Some(original);
        draft.metadata.replay = Some(Box::new(replay()));
        let event = process.log.append(draft).await.unwrap().event_id;
        process.outcome(event).await.executions
    };
    assert_eq!(bring_back(r#"{"n": 1, "n": 2}"#).await, 1);
    assert_eq!(bring_back(r#"{"n": 2, "n": 1}"#).await, 0);
    process.stop().await;
}
