//! Sources and counts.

use omni_store::{
    Error, Store,
    sources::{self, SourceRow},
    stats,
};

use crate::fixtures::{commit, event, id, later, now, of_org, plain, writer};

fn source(number: u128, name: &str) -> SourceRow {
    SourceRow {
        id: id(number),
        org: "default".into(),
        name: name.into(),
        version: 1,
        enabled: true,
        definition: r#"{"kind":"webhook"}"#.into(),
        sealed_secret: Some(vec![0, 1, 255]),
        created_at: now(),
        updated_at: now(),
        created_by: Some("alice".into()),
    }
}

pub(crate) async fn sources_live_and_die(store: &Store) {
    let mut conn = store.write().await.unwrap();
    let before = sources::revision(&mut conn).await.unwrap();
    let row = source(1, "github");
    sources::insert(&mut conn, &row).await.unwrap();
    sources::insert(&mut conn, &source(2, "api")).await.unwrap();
    let error = sources::insert(&mut conn, &source(3, "github")).await.unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(sources::get(&mut conn, "default", "github").await.unwrap().unwrap(), row);
    let names: Vec<_> =
        sources::list(&mut conn, "default").await.unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["api", "github"]);
    assert_eq!(sources::list(&mut conn, "acme").await.unwrap(), []);
    let mut versions = sources::versions(&mut conn).await.unwrap();
    versions.sort_by(|a, b| a.name.cmp(&b.name));
    let told: Vec<_> = versions.iter().map(|v| (v.id, &*v.org, &*v.name, v.version)).collect();
    assert_eq!(told, [(id(2), "default", "api", 1), (id(1), "default", "github", 1)]);
    let some = sources::some(&mut conn, &[id(1), id(9)]).await.unwrap();
    assert_eq!(some, std::slice::from_ref(&row));

    let change =
        SourceRow { enabled: false, sealed_secret: None, updated_at: later(1), ..row.clone() };
    assert!(sources::update(&mut conn, &change, 1).await.unwrap());
    assert!(!sources::update(&mut conn, &change, 1).await.unwrap());
    let stored = sources::get(&mut conn, "default", "github").await.unwrap().unwrap();
    assert_eq!(stored, SourceRow { version: 2, ..change });
    assert!(sources::delete(&mut conn, "default", "github").await.unwrap());
    assert!(!sources::delete(&mut conn, "default", "github").await.unwrap());
    assert_eq!(sources::revision(&mut conn).await.unwrap(), before + 4);
}

pub(crate) async fn stats_count_one_tenant(store: &Store) {
    let writer = writer(store).await;
    let mut recent = event(1, "custom.b");
    recent.received_at = later(100);
    let batch =
        [recent, event(2, "custom.a"), event(3, "custom.b"), of_org("acme", event(4, "custom.c"))];
    commit(store, writer, &batch.map(plain)).await;
    let mut conn = store.write().await.unwrap();
    sources::insert(&mut conn, &source(1, "github")).await.unwrap();
    let told = stats::read(&mut conn, "default", later(50)).await.unwrap();
    assert_eq!((told.events, told.events_recent, told.sources), (3, 1, 1));
    assert_eq!(told.by_type, [("custom.b".to_owned(), 2), ("custom.a".to_owned(), 1)]);
    assert_eq!((told.outcomes.len(), told.executions.len(), told.automations), (0, 0, 0));
}
