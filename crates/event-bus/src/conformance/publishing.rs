//! What publishers can rely on.

use std::time::Duration;

use omni_events::Event;

use super::{Suite, Time, config, consumer, message, messages, next, publish};
use crate::{Error, Stream};

/// Sequences count up in each stream on its own, in the order of publishing, also over a restart.
pub async fn sequences_ascend(suite: &Suite) {
    let bus = suite.open().await;
    let mixed = vec![
        message("custom.a._._", 1),
        message("media.a._._", 2),
        message("custom.b._._", 3),
        message("media.a._._", 4),
        message("custom.c._._", 5),
    ];
    let receipts = bus.publish_raw(mixed).await.expect("published");
    let places: Vec<_> = receipts.iter().map(|r| (r.stream, r.sequence)).collect();
    let (custom, media) = (Stream::Custom, Stream::Media);
    assert_eq!(places, [(custom, 1), (media, 1), (custom, 2), (media, 2), (custom, 3)]);
    assert!(receipts.iter().all(|receipt| !receipt.duplicate));
    assert_eq!(publish(&bus, vec![]).await, Vec::<u64>::new());
    let bus = suite.reopen(bus).await;
    assert_eq!(publish(&bus, messages("custom.a._._", 6..8)).await, [4, 5]);
    assert_eq!(bus.stats().published, 2);
}

/// An id that came within two minutes gets the receipt of the first, also inside a batch and over a restart.
pub async fn repeats_are_recognised(suite: &Suite) {
    let bus = suite.open().await;
    assert_eq!(publish(&bus, messages("custom.a._._", [1, 2])).await, [1, 2]);
    let receipts = bus.publish_raw(messages("custom.a._._", [3, 2, 3])).await.expect("published");
    let seen: Vec<_> = receipts.iter().map(|r| (r.sequence, r.duplicate)).collect();
    assert_eq!(seen, [(3, false), (2, true), (3, true)]);
    assert_eq!(bus.stats().duplicates, 2);
    let bus = suite.reopen(bus).await;
    assert_eq!(publish(&bus, messages("custom.a._._", [1, 4])).await, [1, 4]);
    if let Time::Manual(_) = suite.time {
        suite.time.pass(Duration::from_secs(121)).await;
        assert_eq!(publish(&bus, messages("custom.a._._", [1])).await, [5]);
    }
}

/// A subject or filter of an unknown domain is refused, and nothing of the batch is published.
pub async fn unknown_domains_are_refused(suite: &Suite) {
    let bus = suite.open().await;
    let mixed = vec![message("custom.a._._", 1), message("customer.a._._", 2)];
    let refused = bus.publish_raw(mixed).await;
    assert!(matches!(refused, Err(Error::UnknownDomain { .. })), "{refused:?}");
    let refused = bus.consumer(config("odd", &["custom.>", "customer.>"])).await;
    assert!(matches!(refused, Err(Error::UnknownDomain { .. })), "{refused:?}");
    assert_eq!(publish(&bus, messages("custom.a._._", [1])).await, [1]);
}

/// An event is delivered as it was published, its payload byte for byte.
pub async fn events_arrive_unchanged(suite: &Suite) {
    let bus = suite.open().await;
    let mut consumer = consumer(&bus, config("all", &[">"])).await;
    let event: Event = serde_json::from_str(
        r#"{"id":"01900000-0000-7000-8000-000000000001","type":"message.received","source":"api",
            "time":"2026-11-21T10:00:00.123Z","receivedAt":"2026-11-21T10:00:00.125Z",
            "payload":{ "b": 1.50, "a": 9007199254740993, "é": [ ] },
            "metadata":{"org":"acme","correlationId":"c","channelType":"whatsapp","instanceId":"wa-1"}}"#,
    )
    .expect("an event");
    bus.publish(std::slice::from_ref(&event)).await.expect("published");
    let delivery = next(&mut consumer).await;
    assert_eq!(&*delivery.message.subject, "message.received.whatsapp.wa-1");
    assert_eq!((delivery.stream, delivery.sequence, delivery.attempt), (Stream::Message, 1, 1));
    let arrived = delivery.event().expect("an event");
    assert_eq!(arrived.payload.as_str(), r#"{ "b": 1.50, "a": 9007199254740993, "é": [ ] }"#);
    assert_eq!(arrived, event);
    delivery.ack().await;
    publish(&bus, messages("custom.a._._", [2])).await;
    let broken = next(&mut consumer).await.event();
    assert!(matches!(broken, Err(Error::Decode { sequence: 1, .. })), "{broken:?}");
}
