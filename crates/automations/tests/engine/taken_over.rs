//! Events of schedules whose next fire came while their work went on, with the overlap policy `cancelOther`.

use omni_clock::Clock as _;
use omni_event_log::Draft;
use omni_events::{EventType, Org, Payload};
use omni_store::{
    Store,
    schedules::{self, FireRow},
};
use serde_json::json;
use uuid::Uuid;

use crate::world::{Probe, World};

/// What the next fire of a schedule leaves behind: the fire of this event, whose further work is cancelled.
async fn take_over(world: &World, store: &Store, event_id: Uuid) {
    let now = world.clock.now();
    let fire = FireRow {
        id: Uuid::from_u128(7),
        schedule_id: Uuid::from_u128(8),
        org: "default".into(),
        nominal: now,
        due_at: now,
        event_id,
        number: Some(1),
        reason: "regular".into(),
        status: schedules::FIRED.into(),
        ready_at: None,
        fence: 1,
        error: None,
        work_cancelled: true,
        triggered_by: None,
        created_at: now,
        fired_at: Some(now),
    };
    schedules::insert_fire(&mut store.write().await.unwrap(), &fire).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_further_action_begins_for_a_fire_that_was_taken_over() {
    let (hanging, counting) = (Probe::gated(), Probe::counting());
    let world = World::new(&[&hanging, &counting]).await;
    let process = world.start().await;
    let actions = json!([{ "type": "hang" }, { "type": "count" }, { "type": "count" }]);
    process.define("a", json!({ "actions": actions })).await;
    let tick = async || {
        let event_type = EventType::parse("custom.a").unwrap();
        let payload = Payload::from_value(&json!({}));
        let draft = Draft::new(Org::default(), event_type, "schedule:a", payload);
        process.log.append(draft).await.unwrap().event_id
    };
    let first = tick().await;
    hanging.ran(1).await;
    take_over(&world, &world.store, first).await;
    let second = tick().await;
    hanging.ran(2).await;
    hanging.open_gate();

    assert_eq!(process.outcome(first).await.status, "completed");
    assert_eq!(process.outcome(second).await.status, "completed");
    let execution = serde_json::to_value(&process.executions(first).await[0]).unwrap();
    let statuses = [0, 1, 2].map(|place| execution["actionsExecuted"][place]["status"].clone());
    assert_eq!(statuses, [json!("success"), json!("skipped"), json!("skipped")]);
    assert!(execution["error"].as_str().unwrap().contains("cancelOther"), "{execution}");
    let execution = serde_json::to_value(&process.executions(second).await[0]).unwrap();
    assert_eq!((&execution["status"], &execution["error"]), (&json!("success"), &json!(null)));
    assert_eq!(counting.keys().len(), 2, "those of the second");
    process.stop().await;
}
