//! Automations and their versions.

use omni_store::{
    Error, Store,
    automations::{self, AutomationRow},
};

use crate::fixtures::{id, later, now};

fn automation(number: u128, name: &str) -> AutomationRow {
    AutomationRow {
        id: id(number),
        org: "default".into(),
        name: name.into(),
        version: 1,
        enabled: true,
        priority: 5,
        trigger_event_type: "message.received".into(),
        definition: r#"{"actions":[]}"#.into(),
        created_at: now(),
        updated_at: now(),
        created_by: None,
    }
}

pub(crate) async fn automations_keep_their_versions(store: &Store) {
    let mut conn = store.write().await.unwrap();
    let first = automation(1, "b");
    automations::insert(&mut conn, &first).await.unwrap();
    automations::insert(&mut conn, &automation(2, "a")).await.unwrap();
    assert_eq!(automations::get(&mut conn, "default", id(1)).await.unwrap().unwrap(), first);
    assert_eq!(automations::by_name(&mut conn, "default", "b").await.unwrap().unwrap(), first);
    assert_eq!(automations::get(&mut conn, "acme", id(1)).await.unwrap(), None);

    let change = AutomationRow {
        definition: r#"{"actions":[1]}"#.into(),
        updated_at: later(1),
        created_by: Some("alice".into()),
        ..first.clone()
    };
    assert!(automations::update(&mut conn, &change, 1).await.unwrap());
    let versions = automations::versions(&mut conn, "default", id(1)).await.unwrap();
    let told: Vec<_> = versions.iter().map(|v| (v.version, v.definition.as_str())).collect();
    assert_eq!(told, [(2, r#"{"actions":[1]}"#), (1, r#"{"actions":[]}"#)]);
    assert_eq!((versions[0].created_at, versions[1].created_at), (later(1), now()));

    let names = |rows: Vec<AutomationRow>| rows.into_iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names(automations::list(&mut conn, "default", None, 9).await.unwrap()), ["a", "b"]);
    assert_eq!(names(automations::list(&mut conn, "default", Some("a"), 9).await.unwrap()), ["b"]);
    assert_eq!(automations::all(&mut conn).await.unwrap().len(), 2);

    assert!(automations::delete(&mut conn, "default", id(1)).await.unwrap());
    assert!(!automations::delete(&mut conn, "default", id(1)).await.unwrap());
    assert_eq!(automations::get(&mut conn, "default", id(1)).await.unwrap(), None);
    assert_eq!(automations::versions(&mut conn, "default", id(1)).await.unwrap().len(), 2);
}

pub(crate) async fn a_stale_update_is_refused(store: &Store) {
    let mut conn = store.write().await.unwrap();
    let row = automation(1, "a");
    automations::insert(&mut conn, &row).await.unwrap();
    assert!(automations::update(&mut conn, &row, 1).await.unwrap());
    assert!(!automations::update(&mut conn, &row, 1).await.unwrap());
    let of_other = AutomationRow { org: "acme".into(), ..row };
    assert!(!automations::update(&mut conn, &of_other, 2).await.unwrap());
    let stored = automations::get(&mut conn, "default", id(1)).await.unwrap().unwrap();
    assert_eq!(stored.version, 2);
}

pub(crate) async fn a_taken_name_is_told(store: &Store) {
    let mut conn = store.write().await.unwrap();
    automations::insert(&mut conn, &automation(1, "a")).await.unwrap();
    automations::insert(&mut conn, &automation(2, "b")).await.unwrap();
    let error = automations::insert(&mut conn, &automation(3, "a")).await.unwrap_err();
    assert!(matches!(&error, Error::Exists { name, .. } if name == "a"), "{error}");
    let renamed = AutomationRow { name: "a".into(), ..automation(2, "b") };
    let error = automations::update(&mut conn, &renamed, 1).await.unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    // The connection still works, and nothing of the refused change is there.
    assert_eq!(automations::get(&mut conn, "default", id(2)).await.unwrap().unwrap().name, "b");
    assert_eq!(automations::versions(&mut conn, "default", id(2)).await.unwrap().len(), 1);
    let of_other = AutomationRow { org: "acme".into(), ..automation(4, "a") };
    automations::insert(&mut conn, &of_other).await.unwrap();
}

pub(crate) async fn every_change_moves_the_revision(store: &Store) {
    let mut conn = store.write().await.unwrap();
    let mut seen = vec![automations::revision(&mut conn).await.unwrap()];
    let row = automation(1, "a");
    automations::insert(&mut conn, &row).await.unwrap();
    seen.push(automations::revision(&mut conn).await.unwrap());
    automations::update(&mut conn, &row, 1).await.unwrap();
    seen.push(automations::revision(&mut conn).await.unwrap());
    assert!(automations::set_enabled(&mut conn, "default", id(1), false, later(1)).await.unwrap());
    seen.push(automations::revision(&mut conn).await.unwrap());
    let stored = automations::get(&mut conn, "default", id(1)).await.unwrap().unwrap();
    assert_eq!((stored.enabled, stored.version, stored.updated_at), (false, 2, later(1)));
    automations::delete(&mut conn, "default", id(1)).await.unwrap();
    seen.push(automations::revision(&mut conn).await.unwrap());
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    // What changes nothing moves nothing.
    automations::delete(&mut conn, "default", id(1)).await.unwrap();
    assert_eq!(automations::revision(&mut conn).await.unwrap(), seen[4]);
}
