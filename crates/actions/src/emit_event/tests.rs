//! Events of rules, in a real store.

use std::sync::Arc;

use omni_clock::{ManualClock, Random};
use omni_event_bus::EventBus;
use omni_event_log::Parts;
use omni_events::{Event, HOPS_MAX, Org};
use omni_registry::Registry;
use omni_store::Store;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::samples::{call, event, pointers};

/// A log on a temporary store; its loops end with the guard.
async fn open_log() -> (EventLog, DropGuard) {
    let clock = Arc::new(ManualClock::at_unix(1_700_000_000));
    let store = Store::temporary().await;
    let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
    let parts = Parts {
        store,
        bus: EventBus::temporary().await,
        registry,
        clock,
        random: Arc::new(Random::seeded(1)),
        writer: "test".into(),
        config: omni_event_log::Config::default(),
    };
    let (log, appender, publisher) = omni_event_log::open(parts).await.unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(appender.run(stop.clone()));
    tokio::spawn(publisher.run(stop.clone()));
    (log, stop.drop_guard())
}

async fn stored(log: &EventLog, result: &Value) -> Event {
    let id = result["eventId"].as_str().unwrap().parse().unwrap();
    log.get(&Org::default(), id).await.unwrap().unwrap().event
}

#[tokio::test]
async fn the_new_event_names_its_cause() {
    let (log, _running) = open_log().await;
    let parent = event();
    let config = json!({
        "eventType": "custom.alert.vip",
        "payload": { "total": 10.5 },
        "channelType": "whatsapp",
        "instanceId": "wa-1",
    });
    let result = EmitEvent::new(log.clone()).run(&call(&parent), config).await.unwrap();
    assert_eq!(result["repeat"], false);
    let child = stored(&log, &result).await;
    assert_eq!(child.event_type.as_str(), "custom.alert.vip");
    assert_eq!(child.source, "automation:paid");
    assert_eq!(child.payload.to_value(), json!({ "total": 10.5 }));
    assert_eq!(child.metadata.causation_id, Some(parent.id));
    assert_eq!(child.metadata.correlation_id, "c-1");
    assert_eq!(child.metadata.hops, parent.metadata.hops + 1);
    assert_eq!(child.metadata.channel_type.as_deref(), Some("whatsapp"));
    assert_eq!(child.metadata.instance_id.as_deref(), Some("wa-1"));
}

#[tokio::test]
async fn a_second_run_of_one_effect_gives_the_first_event() {
    let (log, _running) = open_log().await;
    let emit = EmitEvent::new(log.clone());
    let parent = event();
    let config = |n| json!({ "eventType": "custom.a", "payload": { "n": n } });
    let first = emit.run(&call(&parent), config(1)).await.unwrap();
    let again = emit.run(&call(&parent), config(2)).await.unwrap();
    assert_eq!(again["eventId"], first["eventId"]);
    assert_eq!(again["sequence"], first["sequence"]);
    assert_eq!((&first["repeat"], &again["repeat"]), (&json!(false), &json!(true)));
    assert_eq!(stored(&log, &again).await.payload.to_value(), json!({ "n": 1 }));

    let other = Call { effect_key: "cd34".into(), ..call(&parent) };
    let second = emit.run(&other, config(2)).await.unwrap();
    assert_ne!(second["eventId"], first["eventId"]);
}

#[tokio::test]
async fn a_chain_is_cut_at_the_hop_limit() {
    let (log, _running) = open_log().await;
    let emit = EmitEvent::new(log.clone());
    let mut parent = event();
    parent.metadata.hops = HOPS_MAX - 1;
    let config = json!({ "eventType": "custom.a", "payload": {} });
    let last = emit.run(&call(&parent), config.clone()).await.unwrap();
    let parent = stored(&log, &last).await;
    let call = Call { effect_key: "cd34".into(), ..call(&parent) };
    let error = emit.run(&call, config).await.unwrap_err();
    assert!(!error.retryable);
    assert!(error.message.contains("hop limit"), "{error}");
}

#[tokio::test]
async fn what_the_registry_refuses_is_permanent() {
    let (log, _running) = open_log().await;
    let parent = event();
    let config = json!({ "eventType": "message.received", "payload": { "wrong": true } });
    let error = EmitEvent::new(log).run(&call(&parent), config).await.unwrap_err();
    assert!(!error.retryable, "{error}");
}

#[tokio::test]
async fn a_payload_past_the_limits_is_refused() {
    let (log, _running) = open_log().await;
    let emit = EmitEvent::new(log);
    let parent = event();
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    for payload in [deep, json!("x".repeat(PAYLOAD_MAX))] {
        let config = json!({ "eventType": "custom.a", "payload": payload });
        let error = emit.run(&call(&parent), config).await.unwrap_err();
        assert!(!error.retryable);
        assert!(error.message.contains("/payload"), "{error}");
    }
}

#[tokio::test]
async fn a_log_that_stopped_may_be_asked_again() {
    let (log, running) = open_log().await;
    let emit = EmitEvent::new(log.clone());
    let parent = event();
    let config = json!({ "eventType": "custom.a", "payload": {} });
    emit.run(&call(&parent), config.clone()).await.unwrap();
    drop(running);
    // The appender may still take a little; in the end it takes none.
    let mut index = 0;
    let error = loop {
        index += 1;
        let call = Call { effect_key: format!("{index:x}"), ..call(&parent) };
        if let Err(error) = emit.run(&call, config.clone()).await {
            break error;
        }
    };
    assert!(error.retryable, "{error}");
}

#[tokio::test]
async fn templates_pass_and_faults_are_placed() {
    let (log, _running) = open_log().await;
    let emit = EmitEvent::new(log);
    for good in [
        json!({ "eventType": "custom.a", "payload": "{{ payload }}" }),
        json!({ "eventType": "custom.{{ payload.kind }}", "payload": null, "channelType": "{{ metadata.channelType }}" }),
    ] {
        assert_eq!(emit.check(&good), [], "{good}");
    }
    for (bad, pointer) in [
        (json!({ "eventType": "custom.a" }), ""),
        (json!({ "eventType": "Not A Type", "payload": 1 }), "/eventType"),
        (json!({ "eventType": 7, "payload": 1 }), "/eventType"),
        (json!({ "eventType": "custom.a", "payload": 1, "channelType": "a.b" }), "/channelType"),
        (json!({ "eventType": "custom.a", "payload": 1, "instanceId": "*" }), "/instanceId"),
        (json!({ "eventType": "custom.a", "payload": 1, "type": 1 }), "/type"),
    ] {
        assert_eq!(pointers(&emit.check(&bad)), [pointer], "{bad}");
    }
}

#[tokio::test]
async fn the_built_in_set_has_three_kinds() {
    let (log, _running) = open_log().await;
    let egress = omni_egress::Egress::new(omni_egress::Config::default());
    let clock = Arc::new(ManualClock::at_unix(0));
    let actions = crate::Actions::built_in(log, egress, clock);
    assert_eq!(actions.kinds(), ["emit_event", "log", "webhook"]);
    for action in actions.iter() {
        assert_eq!(actions.get(action.kind()).unwrap().kind(), action.kind());
        assert_eq!(action.config_schema()["type"], "object");
        assert!(!action.describe().is_empty());
    }
    assert!(actions.get("nothing").is_none());
}
