//! What is seeded, what is taken, what is refused, and who sees whose types.

use omni_events::{Org, payload::core_types};
use omni_registry::{Checked, Validation};
use omni_store::{Store, schemas};
use serde_json::json;

use crate::world::{check, define, open, opened, org, register, with};

async fn revision(store: &Store) -> i64 {
    schemas::revision(&mut store.read().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn core_types_are_seeded_once() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    let before = revision(&store).await;
    open(&store).await;
    assert_eq!(revision(&store).await, before, "nothing was written again");
    let types = registry.types(&Org::default());
    assert_eq!(types.len(), core_types().len());
    assert!(types.iter().all(|t| t.built_in && t.version == 1), "{types:?}");
    assert!(types.is_sorted_by_key(|t| t.event_type.clone()));
    assert!(registry.get(&Org::default(), "message.received").unwrap().schema.is_object());
}

#[tokio::test]
async fn a_changed_core_type_becomes_a_new_version() {
    let store = Store::temporary().await;
    define(&store, "*", "message.received", Validation::Off, json!({ "type": "string" })).await;
    let (registry, _) = open(&store).await;
    let info = registry.get(&Org::default(), "message.received").unwrap();
    assert_eq!((info.version, info.validation), (2, Validation::Enforce));
    let text = check(&registry, "default", "message.received", &json!("text"));
    assert!(text.is_err(), "the newest version counts, not the oldest");
    let versions = registry.versions(&org("acme"), "message.received", None).await.unwrap();
    assert_eq!(versions.iter().map(|one| one.version).collect::<Vec<_>>(), [2, 1]);
    let first = registry.version(&org("acme"), "message.received", 1).await.unwrap().unwrap();
    assert_eq!(first.schema, json!({ "type": "string" }));
}

#[tokio::test]
async fn core_types_are_enforced() {
    let registry = opened().await;
    let good =
        json!({ "from": { "id": "1" }, "content": { "type": "text", "text": "hi" }, "new": 1 });
    let checked = check(&registry, "default", "message.received", &good).unwrap();
    assert_eq!(checked, Checked { schema_version: Some(1), warnings: vec![] });

    let bad = json!({ "from": { "id": 7 }, "content": {} });
    let refused = check(&registry, "default", "message.received", &bad).unwrap_err();
    let pointers: Vec<&str> = refused.violations().iter().map(|v| v.pointer.as_str()).collect();
    assert_eq!(pointers.len(), 2, "{refused}");
    assert!(pointers.contains(&"/from/id") && pointers.contains(&"/content"), "{refused}");
}

#[tokio::test]
async fn unknown_types_are_refused_unless_custom() {
    let registry = opened().await;
    for name in ["custom.order.paid", "custom.webhook.github.push"] {
        assert_eq!(check(&registry, "default", name, &json!([1])), Ok(Checked::default()));
    }
    assert_eq!(registry.unknown_custom(), 2);

    let refused = check(&registry, "default", "message.recieved", &json!({})).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("message.received") && text.contains("custom.recieved"), "{text}");
    assert!(check(&registry, "default", "system.made.up", &json!({})).is_err());
    assert_eq!(registry.unknown_custom(), 2);
}

#[tokio::test]
async fn a_deleted_type_is_an_unknown_one() {
    let registry = opened().await;
    for name in ["custom.gone", "system.gone"] {
        register(&registry, with(name, json!({ "required": ["total"] }))).await.unwrap();
        assert!(check(&registry, "acme", name, &json!({})).is_err());
        registry.delete(&org("acme"), &crate::world::kind(name)).await.unwrap();
    }
    assert_eq!(check(&registry, "acme", "custom.gone", &json!({})), Ok(Checked::default()));
    assert_eq!(registry.unknown_custom(), 1);
    let refused = check(&registry, "acme", "system.gone", &json!({ "total": 1 })).unwrap_err();
    assert!(refused.violations().is_empty() && refused.to_string().contains("registered"));
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

    assert!(check(&registry, "acme", "custom.order.paid", &json!({})).is_err());
    let warned = check(&registry, "acme", "custom.order.sent", &json!({})).unwrap();
    assert_eq!((warned.schema_version, warned.warnings.len()), (Some(1), 1));
    check(&registry, "acme", "custom.order.sent", &json!({ "total": 1 })).unwrap();
    assert_eq!(registry.warned(), 1, "what fits and what is refused does not count");
    let off = check(&registry, "acme", "custom.order.lost", &json!({})).unwrap();
    assert_eq!((off.schema_version, off.warnings.len()), (Some(1), 0));
    assert!(check(&registry, "acme", "message.received", &json!({})).is_err());

    assert_eq!(check(&registry, "other", "custom.order.paid", &json!({})), Ok(Checked::default()));
    assert_eq!(registry.types(&org("acme")).len(), core_types().len() + 3);
    assert_eq!(registry.types(&Org::default()).len(), core_types().len());
}

#[tokio::test]
async fn a_namespace_is_whole_words() {
    let registry = opened().await;
    for name in ["custom.order", "custom.order.paid", "custom.orders.lost"] {
        register(&registry, with(name, json!(true))).await.unwrap();
    }
    let names = |namespace| -> Vec<String> {
        let types = registry.types_in(&org("acme"), namespace);
        types.into_iter().map(|info| info.event_type).collect()
    };
    assert_eq!(names("custom.order"), ["custom.order", "custom.order.paid"]);
    assert_eq!(names("custom").len(), 3);
    assert!(names("custom.orde").is_empty());
    assert!(names("message").contains(&"message.received".to_owned()));
}

#[tokio::test]
async fn a_schema_that_cannot_be_used_any_more_stops_nobody() {
    let store = Store::temporary().await;
    define(&store, "acme", "custom.odd", Validation::Enforce, json!({ "type": "nonsense" })).await;
    let (registry, _) = open(&store).await;
    assert!(check(&registry, "acme", "custom.odd", &json!({})).is_ok());
    assert!(check(&registry, "acme", "message.received", &json!({})).is_err());
}
