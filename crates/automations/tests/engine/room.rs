//! Who waits for whom: a slow action holds up its own event and at most its own organisation.

use omni_automations::EngineConfig;
use serde_json::json;

use crate::world::{Probe, World};

fn one_at_a_time() -> EngineConfig {
    EngineConfig { plans_max: 1, ..EngineConfig::default() }
}

fn slow(kind: &str) -> serde_json::Value {
    json!({ "actions": [{ "type": kind, "timeoutMs": 300_000 }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_nothing_waits_for_flow_past_actions_that_hang() {
    let gated = Probe::gated();
    let world = World::new(&[&gated]).await;
    let process = world.start_with(one_at_a_time()).await;
    process.define("a", slow("hang")).await;
    let (first, second) = (process.append("a").await, process.append("a").await);
    gated.ran(1).await;
    let other = process.append("none").await;
    assert_eq!(process.outcome(other).await.status, "completed");
    // The second waits for room for longer than the bus waits for the engine.
    world.pass(200).await;
    gated.open_gate();
    for event in [first, second] {
        let outcome = process.outcome(event).await;
        assert_eq!((outcome.executions, outcome.retry_count), (1, 0));
    }
    assert_eq!(gated.keys().len(), 2);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_whose_actions_hang_holds_up_no_other() {
    let (counting, gated) = (Probe::counting(), Probe::gated());
    let world = World::new(&[&counting, &gated]).await;
    let process = world.start_with(EngineConfig { plans_max: 4, ..EngineConfig::default() }).await;
    process.define_for("noisy", "a", slow("hang")).await;
    process.define_for("quiet", "a", json!({ "actions": [{ "type": "count" }] })).await;
    for _ in 0..20 {
        process.append_as("noisy", "a", "{}").await;
    }
    gated.ran(1).await;
    let event = process.append_as("quiet", "a", "{}").await;
    assert_eq!(process.outcome_in("quiet", event).await.executions, 1);
    gated.open_gate();
    process.idle().await;
    assert_eq!(gated.keys().len(), 20);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_ever() {
    let (counting, gated) = (Probe::counting(), Probe::gated());
    let world = World::new(&[&counting, &gated]).await;
    let mut process = world.start().await;
    process.define("a", slow("hang")).await;
    process.define("b", json!({ "actions": [{ "type": "count" }] })).await;
    let hanging = process.append("a").await;
    let done = process.append("b").await;
    gated.ran(1).await;
    counting.ran(1).await;
    let stopping = process.stop_engine();
    let stopped = async {
        while !stopping.is_finished() {
            world.pass(5).await;
        }
    };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(10), stopped).await;
    assert!(in_time.is_ok(), "the engine waits for an action that hangs");
    assert_eq!(process.outcome(done).await.executions, 1);
    process.kill().await;
    // It is taken up again by the next.
    let process = world.start().await;
    gated.open_gate();
    assert_eq!(process.outcome(hanging).await.executions, 1);
    process.stop().await;
}
