//! One action that goes wrong: what it means for the actions after it, and for how long it is tried again.

use std::time::Duration;

use omni_store::executions::Filter;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Behaviour, Probe, Process, World, settle_down};

async fn only_execution(process: &Process, event: Uuid) -> Value {
    process.outcome(event).await;
    let executions = process.executions(event).await;
    assert_eq!(executions.len(), 1, "{executions:?}");
    serde_json::to_value(&executions[0]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_fails_its_own_action_only() {
    let panicking = Probe::new("panic", Behaviour::Panic);
    let counting = Probe::counting();
    let world = World::new(&[&panicking, &counting]).await;
    let process = world.start().await;
    let actions = json!([{ "type": "panic", "retry": { "maxAttempts": 5 } }, { "type": "count" }]);
    process.define("a", json!({ "actions": actions })).await;
    let event = process.append("a").await;
    let execution = only_execution(&process, event).await;
    assert_eq!(execution["status"], "failed");
    let results = &execution["actionsExecuted"];
    assert_eq!(
        (&results[0]["status"], &results[1]["status"]),
        (&json!("failed"), &json!("success"))
    );
    let error = results[0]["error"].as_str().unwrap();
    assert!(error.contains("a fault in the action"), "{error}");
    assert_eq!((panicking.keys().len(), counting.keys().len()), (1, 1));
    assert_eq!(process.outcome(event).await.status, "failed");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pauses_between_tries_are_the_clocks() {
    let flaky = Probe::new("flaky", Behaviour::Fail(2, None));
    let world = World::new(&[&flaky]).await;
    let process = world.start().await;
    let retry =
        json!({ "maxAttempts": 3, "initialDelayMs": 10_000, "strategy": "fixed", "jitter": 0.0 });
    process.define("a", json!({ "actions": [{ "type": "flaky", "retry": retry }] })).await;
    let event = process.append("a").await;
    flaky.ran(1).await;
    settle_down().await;
    world.clock.advance(Duration::from_secs(9));
    settle_down().await;
    assert_eq!(flaky.keys().len(), 1);
    world.clock.advance(Duration::from_secs(1));
    flaky.ran(2).await;
    settle_down().await;
    world.clock.advance(Duration::from_secs(10));
    let execution = only_execution(&process, event).await;
    let result = &execution["actionsExecuted"][0];
    assert_eq!((&result["status"], &result["attempts"]), (&json!("success"), &json!(3)));
    assert_eq!(result["durationMs"], 20_000.0);
    process.stop().await;
}

/// Until retries are kept in the store, an event does not wait in memory for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_is_too_long_is_not_waited_for() {
    let flaky = Probe::new("flaky", Behaviour::Fail(9, None));
    let busy = Probe::new("busy", Behaviour::Fail(9, Some(Duration::from_hours(1))));
    let world = World::new(&[&flaky, &busy]).await;
    let process = world.start().await;
    let retry =
        json!({ "maxAttempts": 9, "initialDelayMs": 40_000, "strategy": "fixed", "jitter": 0.0 });
    let quick = json!({ "maxAttempts": 9, "initialDelayMs": 1, "jitter": 0.0 });
    let actions = json!([{ "type": "flaky", "retry": retry }, { "type": "busy", "retry": quick }]);
    process.define("a", json!({ "actions": actions })).await;
    let event = process.append("a").await;
    flaky.ran(1).await;
    world.outcome_in_time(&process, event).await;
    let execution = only_execution(&process, event).await;
    let results = &execution["actionsExecuted"];
    assert_eq!((&results[0]["attempts"], &results[1]["attempts"]), (&json!(2), &json!(1)));
    for result in results.as_array().unwrap() {
        let error = result["error"].as_str().unwrap();
        assert!(error.contains("not today") && error.contains("60 s"), "{error}");
    }
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_hangs_is_cut_by_the_clock() {
    let gated = Probe::gated();
    let world = World::new(&[&gated]).await;
    let process = world.start().await;
    process.define("a", json!({ "actions": [{ "type": "hang", "timeoutMs": 20_000 }] })).await;
    let event = process.append("a").await;
    gated.ran(1).await;
    world.outcome_in_time(&process, event).await;
    let execution = only_execution(&process, event).await;
    let error = execution["error"].as_str().unwrap();
    assert!(error.contains("20000 ms"), "{error}");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skipped_executions_are_a_bounded_sample() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    let never = json!([{ "field": "payload.x", "operator": "eq", "value": 1 }]);
    process
        .define("a", json!({ "triggerConditions": never, "actions": [{ "type": "count" }] }))
        .await;
    for n in 0..40 {
        // A clock that jumps to and fro does not widen it.
        world.set_back(if n % 2 == 0 { 3 } else { -3 });
        let event = process.append("a").await;
        process.outcome(event).await;
    }
    process.idle().await;
    let skipped = process.executions_of(&Filter::default()).await;
    assert!((1..=5).contains(&skipped.len()), "{} rows", skipped.len());
    assert_eq!(skipped[0].status, "skipped");
    process.stop().await;
}

/// What is kept in the execution log is bounded, whatever an action answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_is_not_kept() {
    let wordy = Probe::new("wordy", Behaviour::Answer(1 << 20));
    let world = World::new(&[&wordy]).await;
    let process = world.start().await;
    process.define("a", json!({ "actions": [{ "type": "wordy" }, { "type": "wordy" }] })).await;
    let event = process.append("a").await;
    let execution = only_execution(&process, event).await;
    assert_eq!(execution["status"], "success");
    assert!(execution.to_string().len() < 4096);
    process.stop().await;
}
