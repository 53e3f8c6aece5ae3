//! The manual trigger: the same door, the same checks.

use omni_event_log::AppendError;
use omni_events::{EventType, Org, Payload, Priority};
use omni_sources::manual::{Metadata, Trigger, trigger};

use super::world::World;

fn event(event_type: &str, payload: &str) -> Trigger {
    Trigger {
        org: Org::default(),
        event_type: EventType::parse(event_type).unwrap(),
        payload: Payload::parse(payload.to_owned().into()).unwrap(),
        metadata: Metadata::default(),
        priority: None,
        idempotency_key: None,
        correlation_id: None,
        traceparent: None,
    }
}

#[tokio::test]
async fn what_is_triggered_is_stored_as_said() {
    let world = World::new().await;
    let metadata = Metadata {
        channel_type: Some("whatsapp".into()),
        instance_id: Some("wa-001".into()),
        triggered_by: Some("ann".into()),
        ..Metadata::default()
    };
    let said = Trigger {
        metadata,
        priority: Some(Priority::High),
        correlation_id: Some("c-1".into()),
        ..event("custom.order.paid", "{ \"total\": 10.50 }")
    };
    let appended = trigger(&world.log, said).await.unwrap();
    let stored = world.log.get(&Org::default(), appended.event_id).await.unwrap().unwrap();
    assert_eq!(stored.sequence, appended.sequence);
    let event = stored.event;
    assert_eq!(event.payload.as_str(), "{ \"total\": 10.50 }");
    assert_eq!((event.source.as_str(), event.metadata.hops), ("api", 0));
    assert_eq!(event.metadata.channel_type.as_deref(), Some("whatsapp"));
    assert_eq!(event.metadata.correlation_id, "c-1");
    assert_eq!(event.metadata.priority, Some(Priority::High));
}

#[tokio::test]
async fn an_event_says_who_triggered_it_and_in_which_family_and_trace_it_is() {
    let world = World::new().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let by = |who: Option<&str>| Metadata {
        triggered_by: who.map(str::to_owned),
        ..Metadata::default()
    };
    let said = Trigger {
        metadata: by(Some("admin-user-123")),
        traceparent: Some(trace.into()),
        ..event("custom.trigger.vip-alert", "{}")
    };
    let silent = event("custom.trigger.vip-alert", "{}");
    for (trigger_, who, traced) in [(said, "admin-user-123", Some(trace)), (silent, "api", None)] {
        let appended = trigger(&world.log, trigger_).await.unwrap();
        let stored = world.log.get(&Org::default(), appended.event_id).await.unwrap().unwrap();
        let metadata = stored.event.metadata;
        assert_eq!(metadata.triggered_by.as_deref(), Some(who));
        assert_eq!(metadata.traceparent.as_deref(), traced);
        // It begins a family of its own, and nothing caused it but its caller.
        assert_eq!(metadata.correlation_id, appended.event_id.to_string());
        assert_eq!(metadata.causation_id, None);
    }
}

#[tokio::test]
async fn the_registry_decides() {
    let world = World::new().await;
    for (name, payload) in
        [("message.recieved", "{}"), ("message.received", "{}"), ("system.x", "1")]
    {
        let refused = trigger(&world.log, event(name, payload)).await.unwrap_err();
        assert!(matches!(refused, AppendError::Refused(_)), "{name}: {refused}");
    }
    let metadata = Metadata { channel_type: Some("a.b".into()), ..Metadata::default() };
    let bad = Trigger { metadata, ..event("custom.a", "1") };
    let refused = trigger(&world.log, bad).await.unwrap_err();
    assert!(matches!(refused, AppendError::Metadata { field: "channelType", .. }), "{refused}");
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn a_key_makes_one_event_and_guards_what_it_stands_for() {
    let world = World::new().await;
    let keyed = |payload: &str, priority| Trigger {
        idempotency_key: Some("k-1".into()),
        priority,
        ..event("custom.order.paid", payload)
    };
    let first = trigger(&world.log, keyed("[1]", None)).await.unwrap();
    let again = trigger(&world.log, keyed("[1]", None)).await.unwrap();
    assert_eq!((again.event_id, again.repeat), (first.event_id, true));
    for other in [keyed("[2]", None), keyed("[1]", Some(Priority::Low))] {
        let refused = trigger(&world.log, other).await.unwrap_err();
        assert!(
            matches!(refused, AppendError::Conflict { event_id } if event_id == first.event_id)
        );
    }
    assert_eq!(world.events().await.len(), 1);
}
