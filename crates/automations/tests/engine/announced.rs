//! Executions that are told by an event: once, whoever dies, and without end only when nobody counts.

use omni_events::{Org, TypePattern};
use omni_store::events::{Filter as Events, Page as EventPage, StoredEvent};
use serde_json::{Value, json};

use crate::world::{Behaviour, Probe, Process, World, eventually};

async fn told(process: &Process) -> Vec<StoredEvent> {
    let filter = Events {
        types: vec![TypePattern::parse("system.automation.executed").unwrap()],
        ..Events::default()
    };
    let page = EventPage { after: None, limit: 100, ascending: true };
    process.log.list(&Org::default(), &filter, &page).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_automation_that_announces_tells_what_each_action_did() {
    let counting = Probe::counting();
    let failing = Probe::new("fail", Behaviour::Fail(9, None));
    let world = World::new(&[&counting, &failing]).await;
    let process = world.start().await;
    let actions = json!([{ "type": "count" }, { "type": "fail" }]);
    process.define("a", json!({ "announce": true, "actions": actions })).await;
    let silent = json!({ "name": "silent", "actions": [{ "type": "count" }] });
    process.define("a", silent).await;
    let event = process.append("a").await;
    process.outcome(event).await;
    let told = told(&process).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let (metadata, payload) = (&told[0].event.metadata, told[0].event.payload.to_value());
    assert_eq!(metadata.causation_id, Some(event));
    assert_eq!((&payload["eventId"], &payload["status"]), (&json!(event), &json!("failed")));
    assert_eq!(payload["automationName"], "a");
    let ended: Vec<[&Value; 2]> = payload["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| [&a["action"], &a["status"]])
        .collect();
    assert_eq!(ended, [[&json!("count"), &json!("success")], [&json!("fail"), &json!("failed")]]);
    let execution = process.executions(event).await;
    assert!(execution.iter().any(|row| payload["executionId"] == json!(row.id)));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_before_a_crash_is_not_told_again() {
    let (counting, gated) = (Probe::counting(), Probe::gated());
    let world = World::new(&[&counting, &gated]).await;
    let process = world.start().await;
    let first = json!({ "name": "first", "priority": 2, "announce": true, "actions": [{ "type": "count" }] });
    process.define("a", first).await;
    process.define("a", json!({ "actions": [{ "type": "hang" }] })).await;
    let event = process.append("a").await;
    // The first automation has told what it did, and none of it is recorded while the second hangs.
    gated.ran(1).await;
    assert_eq!(told(&process).await.len(), 1);
    process.kill().await;

    let process = world.start().await;
    gated.ran(2).await;
    gated.open_gate();
    process.outcome(event).await;
    assert_eq!(counting.keys().len(), 2, "it ran again, under the same key");
    assert_eq!(told(&process).await.len(), 1);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_automation_on_what_is_told_is_not_told_itself() {
    let counting = Probe::counting();
    let world = World::new(&[&counting]).await;
    let process = world.start().await;
    let count = json!([{ "type": "count" }]);
    process.define("a", json!({ "announce": true, "actions": count })).await;
    let watching = json!({ "name": "watching", "triggerEventType": "system.automation.executed", "announce": true, "actions": count });
    process.define("b", watching).await;
    process.append("a").await;
    let ran = async || (counting.keys().len() == 2).then_some(());
    eventually("the watching automation ran", ran).await;
    process.idle().await;
    assert_eq!(told(&process).await.len(), 1);
    process.stop().await;
}
