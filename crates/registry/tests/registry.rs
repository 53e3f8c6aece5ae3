//! The registry over a real store: what is seeded, what is taken, what is refused, and who sees whose types.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{sync::Arc, time::Duration};

use omni_clock::{Clock, ManualClock};
use omni_events::{EventType, Org, Payload, payload::core_types};
use omni_registry::{Checked, Refused, Registry, Validation};
use omni_store::{Store, schemas, schemas::SchemaRow};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

async fn open(store: &Store) -> (Registry, ManualClock) {
    let clock = ManualClock::at_unix(1_700_000_000);
    (Registry::open(store.clone(), Arc::new(clock.clone())).await.unwrap(), clock)
}

fn check(registry: &Registry, org: &str, name: &str, payload: Value) -> Result<Checked, Refused> {
    let event_type = EventType::parse(name).unwrap();
    registry.check(&Org::parse(org).unwrap(), &event_type, &Payload::from_value(&payload))
}

async fn define(store: &Store, org: &str, name: &str, validation: Validation, schema: Value) {
    let row = SchemaRow {
        org: org.to_owned(),
        event_type: name.to_owned(),
        version: 1,
        schema: schema.to_string(),
        description: None,
        stream: None,
        validation: validation.as_str().to_owned(),
        created_by: None,
        created_at: ManualClock::at_unix(1).now(),
    };
    let mut conn = store.write().await.unwrap();
    schemas::insert_if_changed(&mut conn, &row).await.unwrap();
}

async fn rows(store: &Store) -> usize {
    schemas::all(&mut store.read().await.unwrap()).await.unwrap().len()
}

#[tokio::test]
async fn core_types_are_seeded_once() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    assert_eq!(rows(&store).await, core_types().len());
    open(&store).await;
    assert_eq!(rows(&store).await, core_types().len());
    let types = registry.types(&Org::default());
    assert_eq!(types.len(), core_types().len());
    assert!(types.iter().all(|t| t.built_in && t.version == 1), "{types:?}");
    assert!(types.is_sorted_by_key(|t| t.event_type.clone()));
    assert!(registry.get(&Org::default(), "message.received").unwrap().schema.is_object());
}

#[tokio::test]
async fn a_changed_core_type_becomes_a_new_version() {
    let store = Store::temporary().await;
    define(&store, "*", "message.received", Validation::Enforce, json!({ "type": "string" })).await;
    let (registry, _) = open(&store).await;
    assert_eq!(registry.get(&Org::default(), "message.received").unwrap().version, 2);
    let text = check(&registry, "default", "message.received", json!("text"));
    assert!(text.is_err(), "the newest version counts, not the oldest");
}

#[tokio::test]
async fn core_types_are_enforced() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    let good =
        json!({ "from": { "id": "1" }, "content": { "type": "text", "text": "hi" }, "new": 1 });
    let checked = check(&registry, "default", "message.received", good).unwrap();
    assert_eq!(checked, Checked { schema_version: Some(1), warnings: vec![] });

    let bad = json!({ "from": { "id": 7 }, "content": {} });
    let refused = check(&registry, "default", "message.received", bad).unwrap_err();
    let pointers: Vec<&str> = refused.violations().iter().map(|v| v.pointer.as_str()).collect();
    assert_eq!(pointers.len(), 2, "{refused}");
    assert!(pointers.contains(&"/from/id") && pointers.contains(&"/content"), "{refused}");
}

#[tokio::test]
async fn unknown_types_are_refused_unless_custom() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    for name in ["custom.order.paid", "custom.webhook.github.push"] {
        assert_eq!(check(&registry, "default", name, json!([1])), Ok(Checked::default()));
    }
    assert_eq!(registry.unknown_custom(), 2);

    let refused = check(&registry, "default", "message.recieved", json!({})).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("message.received") && text.contains("custom.recieved"), "{text}");
    assert!(check(&registry, "default", "system.made.up", json!({})).is_err());
    assert_eq!(registry.unknown_custom(), 2);
}

#[tokio::test]
async fn tenants_see_their_own_types_and_cannot_loosen_shared_ones() {
    let store = Store::temporary().await;
    let schema = json!({ "required": ["total"] });
    define(&store, "acme", "custom.order.paid", Validation::Enforce, schema.clone()).await;
    define(&store, "acme", "custom.order.sent", Validation::Warn, schema.clone()).await;
    define(&store, "acme", "custom.order.lost", Validation::Off, schema).await;
    define(&store, "acme", "message.received", Validation::Off, json!(true)).await;
    let (registry, _) = open(&store).await;

    assert!(check(&registry, "acme", "custom.order.paid", json!({})).is_err());
    let warned = check(&registry, "acme", "custom.order.sent", json!({})).unwrap();
    assert_eq!((warned.schema_version, warned.warnings.len()), (Some(1), 1));
    let off = check(&registry, "acme", "custom.order.lost", json!({})).unwrap();
    assert_eq!((off.schema_version, off.warnings.len()), (Some(1), 0));
    assert!(check(&registry, "acme", "message.received", json!({})).is_err());

    assert_eq!(check(&registry, "other", "custom.order.paid", json!({})), Ok(Checked::default()));
    let acme = registry.types(&Org::parse("acme").unwrap());
    assert_eq!(acme.len(), core_types().len() + 3);
    assert_eq!(registry.types(&Org::default()).len(), core_types().len());
}

#[tokio::test]
async fn a_schema_that_does_not_compile_stops_nobody() {
    let store = Store::temporary().await;
    define(&store, "acme", "custom.odd", Validation::Enforce, json!({ "type": "nonsense" })).await;
    let (registry, _) = open(&store).await;
    assert!(check(&registry, "acme", "custom.odd", json!({})).is_ok());
    assert!(check(&registry, "acme", "message.received", json!({})).is_err());
}

#[tokio::test]
async fn a_type_from_another_replica_is_known_after_ten_seconds() {
    let store = Store::temporary().await;
    let (registry, clock) = open(&store).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(registry.refresher().run(stop.clone()));
    let org = Org::parse("acme").unwrap();
    define(&store, "acme", "custom.new", Validation::Enforce, json!({})).await;
    assert!(registry.get(&org, "custom.new").is_none());
    while registry.get(&org, "custom.new").is_none() {
        clock.advance(Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap();
}
