//! Schemas held against stored events, and schemas proposed from them.

use std::{pin::pin, task::Poll, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use omni_events::{Event, Metadata, Payload};
use omni_registry::{Evidence, InferOptions, Progress, Schema};
use omni_store::{
    Store,
    events::{self, NewEvent},
    expunges, outbox,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{kind, open, org, postgres};

const PAID: &str = "custom.order.paid";

fn id(number: usize) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number as u128)
}

fn at(number: usize) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::seconds(number as i64)
}

fn event(number: usize, owner: &str, name: &str, payload: &Value) -> Event {
    Event {
        id: id(number),
        event_type: kind(name),
        source: "test".into(),
        time: at(number),
        received_at: at(number),
        payload: Payload::from_value(payload),
        schema_version: None,
        metadata: Metadata {
            org: org(owner),
            correlation_id: id(number).to_string(),
            ..Metadata::default()
        },
    }
}

async fn store(store: &Store, made: impl IntoIterator<Item = Event>) {
    let mut conn = store.write().await.unwrap();
    let writer = outbox::claim_writer(&mut conn, "test", at(0)).await.unwrap();
    let made: Vec<NewEvent> =
        made.into_iter().map(|event| NewEvent::new(event, None, None)).collect();
    for batch in made.chunks(500) {
        events::commit_batch(&mut conn, writer, 0, at(0), batch).await.unwrap();
    }
}

fn total_is_a_number() -> Schema {
    let schema = json!({ "required": ["total"], "properties": { "total": { "type": "number" } } });
    Schema::new(schema).unwrap()
}

/// The evidence for a schema, and how it came about.
async fn hold(store: &Store, schema: &Schema, limit: u64) -> (Evidence, Vec<Progress>) {
    let (registry, _) = open(store).await;
    let mut steps = Vec::new();
    let progress = |step| steps.push(step);
    let found = registry.evidence(&org("acme"), &kind(PAID), (schema, limit), progress).await;
    (found.unwrap(), steps)
}

async fn what_does_not_fit_is_counted_and_named(stored: Store) {
    // Each 150th does not fit; the payload of another one is taken out, and one is a replay.
    let payload = |n: usize| match n % 150 {
        7 => json!({ "total": "secret words", "n": n }),
        _ => json!({ "total": n }),
    };
    store(&stored, (0..1000).map(|n| event(n, "acme", PAID, &payload(n)))).await;
    let mut replay = event(1000, "acme", PAID, &payload(7));
    replay.metadata.replay_of = Some(id(7));
    let others = [("other", PAID), ("acme", "custom.order.paid.late"), ("acme", "custom.order")];
    let others = (1001..).zip(others).map(|(n, (owner, name))| event(n, owner, name, &json!({})));
    store(&stored, others.chain([replay])).await;
    let mut conn = stored.write().await.unwrap();
    expunges::expunge(&mut conn, "acme", id(307), ("asked", at(0))).await.unwrap().unwrap();
    drop(conn);

    let (found, steps) = hold(&stored, &total_is_a_number(), 100_000).await;
    assert_eq!((found.checked, found.failing, found.left_out), (999, 6, 1));
    assert_eq!((found.total, found.complete), (1000, true));
    let failures = [907, 757, 607, 457, 157];
    assert_eq!(found.failures.iter().map(|f| f.event_id).collect::<Vec<_>>(), failures.map(id));
    let newest = &found.failures[0];
    assert_eq!((newest.received_at, newest.violations.len()), (at(907), 1));
    assert_eq!(newest.violations[0].pointer, "/total");
    assert!(!serde_json::to_string(&found).unwrap().contains("secret"), "{found:?}");

    assert!(steps.len() > 2, "{steps:?}");
    assert!(steps.is_sorted_by_key(|step| step.checked), "{steps:?}");
    assert!(steps.iter().all(|step| step.checked <= step.total), "{steps:?}");
    assert_eq!(steps.last(), Some(&Progress { checked: 1000, total: 1000 }));

    let (found, steps) = hold(&stored, &total_is_a_number(), 100).await;
    assert_eq!((found.checked, found.failing, found.complete), (100, 1, false));
    assert_eq!(found.total, 1000, "{found:?}");
    assert_eq!(steps.last(), Some(&Progress { checked: 100, total: 100 }));
    let (found, _) = hold(&stored, &total_is_a_number(), 1000).await;
    assert!(found.complete, "the limit is just enough: {found:?}");
}

#[tokio::test]
async fn what_does_not_fit_is_counted_and_named_on_sqlite() {
    what_does_not_fit_is_counted_and_named(Store::temporary().await).await;
}

#[tokio::test]
async fn what_does_not_fit_is_counted_and_named_on_postgres() {
    what_does_not_fit_is_counted_and_named(postgres().await).await;
}

#[tokio::test]
async fn without_events_there_is_no_evidence() {
    let (found, steps) = hold(&Store::temporary().await, &total_is_a_number(), 100).await;
    assert_eq!(found, Evidence { complete: true, ..Evidence::default() });
    assert_eq!(steps, [Progress { checked: 0, total: 0 }]);
}

#[tokio::test]
async fn replays_do_not_use_up_the_limit() {
    let stored = Store::temporary().await;
    store(&stored, (0..10).map(|n| event(n, "acme", PAID, &json!({ "total": 1 })))).await;
    let again = (10..2000).map(|n| {
        let mut replay = event(n, "acme", PAID, &json!({ "total": 1 }));
        replay.metadata.replay_of = Some(id(n % 10));
        replay
    });
    store(&stored, again).await;
    let (found, _) = hold(&stored, &total_is_a_number(), 10).await;
    assert_eq!((found.checked, found.total, found.complete), (10, 10, true));
}

#[tokio::test]
async fn large_schemas_and_payloads_of_every_size_are_held_against_each_other() {
    let stored = Store::temporary().await;
    let names: Vec<String> = (0..2000).map(|n| format!("property-{n}")).collect();
    let all = |value: Value| -> Value {
        names
            .iter()
            .map(|name| (name.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let made = (0..60).map(|n| match n % 3 {
        0 => event(n, "acme", PAID, &all(json!(n))),
        1 => event(n, "acme", PAID, &all(json!("text"))),
        _ => event(n, "acme", PAID, &json!({ "small": true })),
    });
    store(&stored, made).await;
    let schema = Schema::new(json!({ "properties": all(json!({ "type": "integer" })) })).unwrap();
    let (found, _) = hold(&stored, &schema, 100).await;
    assert_eq!((found.checked, found.failing), (60, 20));
    assert!(found.failures.iter().all(|failure| failure.violations.len() <= 5));
}

#[tokio::test]
async fn a_walk_ends_when_its_time_is_over() {
    let stored = Store::temporary().await;
    store(&stored, (0..2000).map(|n| event(n, "acme", PAID, &json!({ "total": n })))).await;
    let (registry, clock) = open(&stored).await;
    let progress = |step: Progress| {
        if step.checked > 0 {
            clock.advance(Duration::from_secs(61));
        }
    };
    let schema = total_is_a_number();
    let found = registry.evidence(&org("acme"), &kind(PAID), (&schema, 9999), progress).await;
    let found = found.unwrap();
    assert!((1..2000).contains(&found.checked) && !found.complete, "{found:?}");
    assert_eq!(found.total, 2000);
}

#[tokio::test]
async fn who_stops_waiting_leaves_room_for_others() {
    let stored = Store::temporary().await;
    store(&stored, (0..1500).map(|n| event(n, "acme", PAID, &json!({ "total": n })))).await;
    let (registry, _) = open(&stored).await;
    let schema = total_is_a_number();
    let (owner, name) = (org("acme"), kind(PAID));
    for _ in 0..4 {
        // Polled once, so that it has read something, then dropped.
        let mut walk = pin!(registry.evidence(&owner, &name, (&schema, 9999), |_| {}));
        std::future::poll_fn(|cx| match walk.as_mut().poll(cx) {
            Poll::Pending => Poll::Ready(()),
            Poll::Ready(done) => panic!("it was to be dropped half-way: {done:?}"),
        })
        .await;
    }
    let found = registry.evidence(&owner, &name, (&schema, 9999), |_| {}).await.unwrap();
    assert_eq!(found.checked, 1500);
}

#[tokio::test]
async fn a_schema_is_proposed_from_what_was_sent() {
    let stored = Store::temporary().await;
    let payload = |n: usize| match n {
        0..50 => json!({ "old": true }),
        _ => json!({ "total": n, "from": { "id": format!("id {n}") } }),
    };
    store(&stored, (0..100).map(|n| event(n, "acme", PAID, &payload(n)))).await;
    let (registry, _) = open(&stored).await;
    let (owner, name) = (org("acme"), kind(PAID));
    let all = registry.infer(&owner, &name, InferOptions::default()).await.unwrap();
    assert_eq!(all.documents, 100);
    assert!(all.schema["properties"]["old"].is_object(), "{}", all.schema);

    let newest = InferOptions { limit: Some(30), ..InferOptions::default() };
    let some = registry.infer(&owner, &name, newest).await.unwrap();
    assert_eq!(some.documents, 30);
    assert!(some.schema["properties"]["old"].is_null(), "{}", some.schema);
    let schema = Schema::new(some.schema).unwrap();
    assert!(schema.validator().is_valid(&payload(60)));
    assert!(!schema.validator().is_valid(&payload(1)));

    let between = InferOptions { from: Some(at(10)), to: Some(at(20)), limit: None };
    assert_eq!(registry.infer(&owner, &name, between).await.unwrap().documents, 10);
    let other = registry.infer(&org("other"), &name, InferOptions::default()).await.unwrap();
    assert_eq!(other.documents, 0);
}
