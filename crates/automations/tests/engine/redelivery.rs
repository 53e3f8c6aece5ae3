//! An event that comes again: after a crash, while it is still in hand, with automations that have changed.

use omni_event_bus::{Message, Start};
use omni_store::executions::{Done, ExecutionRow, Filter, NewOutcome, commit_batch};
use serde_json::json;
use uuid::Uuid;

use crate::world::{Behaviour, Probe, World, eventually};

fn count() -> serde_json::Value {
    json!({ "actions": [{ "type": "count" }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_the_middle_repeats_with_the_same_keys() {
    let (counting, gated) = (Probe::counting(), Probe::gated());
    let world = World::new(&[&counting, &gated]).await;
    let process = world.start().await;
    process.define("a", json!({ "actions": [{ "type": "count" }, { "type": "hang" }] })).await;
    let event = process.append("a").await;
    gated.ran(1).await;
    process.kill().await;

    let process = world.start().await;
    gated.ran(2).await;
    gated.open_gate();
    let outcome = process.outcome(event).await;
    assert_eq!((outcome.status.as_str(), outcome.executions), ("completed", 1));
    let (first, second) = (counting.keys(), gated.keys());
    assert_eq!(first, [first[0].clone(), first[0].clone()]);
    assert_eq!(second, [second[0].clone(), second[0].clone()]);
    assert_ne!(first[0], second[0]);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_recorded_is_not_done_again_though_the_clock_was_set_back() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    process.define("a", count()).await;
    let event = process.append("a").await;
    process.outcome(event).await;
    process.idle().await;
    process.stop().await;

    world.set_back(3600);
    let process = world.start().await;
    process.append("none").await;
    process.idle().await;
    process.bus.seek("automations", Start::First).await.unwrap();
    process.idle().await;
    assert_eq!(counting.keys().len(), 1);
    process.stop().await;
}

/// Executions and outcome are one commit, but whoever wrote half of it must not be made to do it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_half_recorded_is_completed_and_counted_whole() {
    let (counting, gated) = (Probe::counting(), Probe::gated());
    let world = World::new(&[&counting, &gated]).await;
    let process = world.start().await;
    let first = process
        .define(
            "first",
            json!({ "triggerEventType": "custom.a", "priority": 9,
        "actions": [{ "type": "count" }] }),
        )
        .await;
    process
        .define(
            "second",
            json!({ "triggerEventType": "custom.a", "actions": [{ "type": "hang" }] }),
        )
        .await;
    let event = process.append("a").await;
    gated.ran(1).await;
    process.kill().await;

    record_failure(&world, event, first.id).await;
    let process = world.start().await;
    gated.open_gate();
    let outcome = process.outcome(event).await;
    assert_eq!(counting.keys().len(), 1, "the first automation ran again");
    assert_eq!((outcome.status.as_str(), outcome.executions), ("failed", 2));
    assert_eq!(outcome.error.as_deref(), Some("it was like that"));
    process.stop().await;
}

async fn record_failure(world: &World, event: Uuid, automation: Uuid) {
    let now = omni_clock::Clock::now(&world.clock);
    let row = ExecutionRow {
        id: Uuid::from_u128(1),
        org: "default".into(),
        automation_id: automation,
        automation_version: 1,
        event_id: event,
        event_type: "custom.a".into(),
        status: "failed".into(),
        conditions_matched: true,
        actions: "[]".into(),
        error: Some("it was like that".into()),
        execution_time_ms: 1,
        created_at: now,
    };
    let outcome = NewOutcome {
        event_id: Uuid::from_u128(2),
        org: "default".into(),
        status: "completed".into(),
        retry_count: 0,
        processed_at: now,
        executions: 0,
        error: None,
        received_at: row.created_at,
    };
    let mut conn = world.store.write().await.unwrap();
    commit_batch(&mut conn, &[Done { outcome, executions: vec![row], dead: Vec::new() }])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_automation_made_later_does_not_run_on_what_is_done() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    let never = json!([{ "field": "payload.x", "operator": "eq", "value": 1 }]);
    process
        .define("a", json!({ "triggerConditions": never, "actions": [{ "type": "count" }] }))
        .await;
    let event = process.append("a").await;
    process.outcome(event).await;
    process.idle().await;
    process
        .define(
            "later",
            json!({ "triggerEventType": "custom.a", "actions": [{ "type": "count" }] }),
        )
        .await;
    process.stop().await;

    let process = world.start().await;
    process.append("none").await;
    process.idle().await;
    process.bus.seek("automations", Start::First).await.unwrap();
    process.idle().await;
    assert!(counting.keys().is_empty());
    assert_eq!(process.outcome(event).await.executions, 0);
    process.stop().await;
}

/// The store is away after the actions have run: they must not run again when the ack wait is over, and the event is no
/// dead letter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_to_be_recorded_is_not_done_again() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    process.define("a", count()).await;
    let event = process.append("a").await;
    let other = process.append("none").await;
    counting.ran(1).await;
    // More events than are taken at once, so that some wait on each step of the way.
    process.idle().await;
    let event_2 = process.append("a").await;
    let writing = world.store.write().await.unwrap();
    counting.ran(2).await;
    world.pass(200).await;
    drop(writing);
    for event in [event, event_2, other] {
        let outcome = world.outcome_in_time(&process, event).await;
        assert_eq!((outcome.status.as_str(), outcome.retry_count), ("completed", 0));
    }
    process.idle().await;
    assert_eq!(counting.keys().len(), 2);
    assert!(process.bus.dead_letters(10).await.unwrap().is_empty());
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_may_take_longer_than_the_bus_waits() {
    let gated = Probe::gated();
    let world = World::new(&[&gated]).await;
    let process = world.start().await;
    let action = json!({ "type": "hang", "timeoutMs": 300_000 });
    process.define("a", json!({ "actions": [action] })).await;
    let event = process.append("a").await;
    gated.ran(1).await;
    world.pass(200).await;
    gated.open_gate();
    let outcome = process.outcome(event).await;
    assert_eq!((outcome.status.as_str(), outcome.retry_count), ("completed", 0));
    assert_eq!(gated.keys().len(), 1);
    process.stop().await;
}

/// As when the whole process stood still for longer than the ack wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_still_in_hand_is_not_taken_twice() {
    let gated = Probe::gated();
    let world = World::new(&[&gated]).await;
    let process = world.start().await;
    let action = json!({ "type": "hang", "timeoutMs": 300_000 });
    process.define("a", json!({ "actions": [action] })).await;
    let event = process.append("a").await;
    gated.ran(1).await;
    process.bus.seek("automations", Start::First).await.unwrap();
    let again = async || (process.bus.stats().delivered == 2).then_some(());
    eventually("the bus hands it out again", again).await;
    world.pass(120).await;
    gated.open_gate();
    assert_eq!(process.outcome(event).await.executions, 1);
    process.idle().await;
    assert_eq!(gated.keys().len(), 1);
    assert!(process.bus.dead_letters(10).await.unwrap().is_empty());
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_no_event_is_set_aside() {
    let counting = Probe::new("count", Behaviour::Count);
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    process.define("a", count()).await;
    let poison = Message {
        id: Uuid::from_u128(7),
        subject: "custom.a._._".into(),
        data: bytes::Bytes::from_static(b"{\"no\":\"event\"}"),
    };
    process.bus.publish_raw(vec![poison]).await.unwrap();
    let event = process.append("a").await;
    assert_eq!(process.outcome(event).await.status, "completed");
    process.idle().await;
    assert_eq!(process.bus.dead_letters(10).await.unwrap().len(), 1);
    assert_eq!(process.executions_of(&Filter::default()).await.len(), 1);
    process.stop().await;
}

/// One row that the database refuses keeps back no other event, and is not forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_keeps_back_no_other() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    process.define("a", count()).await;
    process.define("b", count()).await;
    world.sql(
        "CREATE TRIGGER refuse BEFORE INSERT ON automation_logs WHEN new.event_type = 'custom.a'
         BEGIN SELECT RAISE(ABORT, 'refused'); END",
    );
    let bad = process.append("a").await;
    counting.ran(1).await;
    for n in 0..12 {
        let good = process.append("b").await;
        counting.ran(n + 2).await;
        assert_eq!(world.outcome_in_time(&process, good).await.status, "completed");
    }
    process.idle().await;
    let dead = process.bus.dead_letters(10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].message.id, bad);
    assert!(dead[0].reasons.iter().any(|r| r.contains("cannot be recorded")), "{dead:?}");
    assert_eq!(counting.keys().len(), 13);
    process.stop().await;
}

/// The store cannot say whether an event was handled before: the event waits, and is no dead letter however long it
/// takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_waits_for_the_store() {
    let (counting, gated) = (Probe::counting(), Probe::gated());
    let world = World::new(&[&counting, &gated]).await;
    let process = world.start().await;
    process.define("a", json!({ "actions": [{ "type": "hang" }, { "type": "count" }] })).await;
    let event = process.append("a").await;
    gated.ran(1).await;
    process.kill().await;
    world.sql("ALTER TABLE event_outcomes RENAME TO away");
    gated.open_gate();
    let process = world.start().await;
    world.pass(400).await;
    assert_eq!(counting.keys().len(), 0);
    world.sql("ALTER TABLE away RENAME TO event_outcomes");
    assert_eq!(world.outcome_in_time(&process, event).await.executions, 1);
    process.idle().await;
    assert!(process.bus.dead_letters(10).await.unwrap().is_empty());
    process.stop().await;
}
