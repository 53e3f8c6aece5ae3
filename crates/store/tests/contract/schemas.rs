//! Event types and the versions of their schemas.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use omni_store::{
    Error, Store,
    schemas::{self, Change, SettingsRow, TypeRow, VersionRow},
};

use crate::fixtures::{later, now};

fn fresh(event_type: &str) -> TypeRow {
    TypeRow {
        org: "acme".into(),
        event_type: event_type.into(),
        description: Some("An order was paid.".into()),
        stream: Some("MEDIA".into()),
        streams: r#"["MEDIA"]"#.into(),
        validation: "enforce".into(),
        compatibility: None,
        policy: Some("exact".into()),
        latest: 0,
        revision: 0,
        created_by: Some("mona".into()),
        created_at: now(),
        updated_at: now(),
        deleted_at: None,
    }
}

async fn put(store: &Store, row: TypeRow, schema: Option<&str>) -> Result<TypeRow, Error> {
    let schema = schema.map(str::to_owned);
    let change = Change { row, schema, changed_by: Some("lea".into()) };
    schemas::put(&mut *store.write().await?, &change).await
}

async fn versions(store: &Store, event_type: &str) -> Vec<(i32, String)> {
    let mut conn = store.read().await.unwrap();
    let rows = schemas::versions(&mut conn, "acme", event_type, (None, 100)).await.unwrap();
    rows.into_iter().map(|row| (row.version, row.schema)).collect()
}

pub(crate) async fn a_type_comes_back_as_it_was_put(store: &Store) {
    let name = "custom.order.paid";
    let first = put(store, fresh(name), Some("{}")).await.unwrap();
    assert_eq!(first, TypeRow { latest: 1, revision: first.revision, ..fresh(name) });
    let change = TypeRow {
        description: None,
        stream: None,
        policy: None,
        compatibility: Some("FULL".into()),
        deleted_at: Some(later(5)),
        updated_at: later(5),
        ..first.clone()
    };
    let second = put(store, change.clone(), None).await.unwrap();
    assert_eq!(second, TypeRow { revision: first.revision + 1, ..change });

    let mut conn = store.read().await.unwrap();
    assert_eq!(schemas::get(&mut conn, "acme", name).await.unwrap(), Some(second.clone()));
    assert_eq!(schemas::get(&mut conn, "other", name).await.unwrap(), None);
    assert_eq!(schemas::revision(&mut conn).await.unwrap(), second.revision);
    let version = schemas::version(&mut conn, "acme", name, 1).await.unwrap();
    let stored = VersionRow {
        org: "acme".into(),
        event_type: name.into(),
        version: 1,
        schema: "{}".into(),
        created_by: Some("lea".into()),
        created_at: now(),
    };
    assert_eq!(version, Some(stored));
    assert_eq!(schemas::version(&mut conn, "acme", name, 2).await.unwrap(), None);
    assert_eq!(schemas::version(&mut conn, "other", name, 1).await.unwrap(), None);
}

pub(crate) async fn a_change_of_what_has_moved_is_refused_whole(store: &Store) {
    let name = "custom.a";
    let first = put(store, fresh(name), Some("1")).await.unwrap();
    let twice = put(store, fresh(name), Some("2")).await;
    assert!(matches!(twice, Err(Error::Exists { .. })), "{twice:?}");
    let second = put(store, first.clone(), Some("2")).await.unwrap();
    assert_eq!((second.latest, second.revision), (2, first.revision + 1));
    let stale = put(store, first, Some("3")).await;
    assert!(matches!(stale, Err(Error::Exists { .. })), "{stale:?}");

    assert_eq!(versions(store, name).await, [(2, "2".to_owned()), (1, "1".to_owned())]);
    let mut conn = store.read().await.unwrap();
    assert_eq!(schemas::revision(&mut conn).await.unwrap(), second.revision, "not counted");
    assert_eq!(schemas::versions(&mut conn, "acme", name, (None, 1)).await.unwrap()[0].version, 2);
    for (before, expected) in
        [(i32::MAX, vec![2, 1]), (2, vec![1]), (1, vec![]), (i32::MIN, vec![])]
    {
        let rows = schemas::versions(&mut conn, "acme", name, (Some(before), 9)).await.unwrap();
        let found: Vec<i32> = rows.iter().map(|row| row.version).collect();
        assert_eq!(found, expected, "before {before}");
    }
}

pub(crate) async fn of_many_who_change_a_type_one_does(store: &Store) {
    let name = "custom.a";
    let first = put(store, fresh(name), Some("0")).await.unwrap();
    let created = join_all((0..8).map(|_| put(store, fresh("custom.b"), Some("0")))).await;
    assert_eq!(created.iter().filter(|done| done.is_ok()).count(), 1, "{created:?}");
    let texts: Vec<String> = (1..9).map(|number: i32| number.to_string()).collect();
    let changed = join_all(texts.iter().map(|text| put(store, first.clone(), Some(text)))).await;
    assert_eq!(changed.iter().filter(|done| done.is_ok()).count(), 1, "{changed:?}");
    assert!(changed.iter().all(|done| matches!(done, Ok(_) | Err(Error::Exists { .. }))));
    assert_eq!(versions(store, name).await.len(), 2);
}

pub(crate) async fn changes_are_read_in_their_order_with_the_newest_schema(store: &Store) {
    let a = put(store, fresh("custom.a"), Some("1")).await.unwrap();
    let b = put(store, fresh("custom.b"), Some("1")).await.unwrap();
    let a = put(store, a, Some("2")).await.unwrap();
    let mut conn = store.read().await.unwrap();
    let all = schemas::changed_since(&mut conn, 0).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(all, [(b.clone(), text("1")), (a.clone(), text("2"))]);
    let some = schemas::changed_since(&mut conn, b.revision).await.unwrap();
    assert_eq!(some, [(a.clone(), text("2"))]);
    assert_eq!(schemas::changed_since(&mut conn, a.revision).await.unwrap(), []);
}

/// Whoever reads only what is above the highest revision that it has seen must miss nothing, in whatever order the
/// transactions that made the revisions came to their end.
pub(crate) async fn who_follows_the_revisions_misses_no_change(store: &Store) {
    const WRITERS: usize = 6;
    const ROUNDS: usize = 20;
    let write = |writer: usize| async move {
        let mut row = fresh(&format!("custom.w{writer}"));
        for round in 0..ROUNDS {
            row = put(store, row, Some(&round.to_string())).await.unwrap();
        }
    };
    let follow = async {
        let mut seen = 0;
        let mut known = BTreeMap::new();
        while known.values().filter(|latest| **latest == ROUNDS).count() < WRITERS {
            let mut conn = store.read().await.unwrap();
            for (row, _) in schemas::changed_since(&mut conn, seen).await.unwrap() {
                seen = row.revision;
                known.insert(row.event_type, usize::try_from(row.latest).unwrap());
            }
            drop(conn);
            tokio::task::yield_now().await;
        }
    };
    let writing = join_all((0..WRITERS).map(write));
    let both = async { tokio::join!(writing, follow) };
    tokio::time::timeout(std::time::Duration::from_mins(1), both).await.unwrap();
}

pub(crate) async fn purged_versions_are_gone_and_their_numbers_are_not_given_again(store: &Store) {
    let name = "custom.a";
    let neighbour = put(store, fresh("custom.b"), Some("1")).await.unwrap();
    let first = put(store, fresh(name), Some("1")).await.unwrap();
    let live = put(store, first.clone(), Some("2")).await.unwrap();
    let dead = TypeRow { deleted_at: Some(later(1)), ..live };
    let dead = put(store, dead, None).await.unwrap();
    let stale = schemas::purge(&mut store.write().await.unwrap(), &first).await;
    assert!(matches!(stale, Err(Error::Exists { .. })), "{stale:?}");
    assert_eq!(versions(store, name).await.len(), 2, "it moved, so nothing was taken");

    schemas::purge(&mut store.write().await.unwrap(), &dead).await.unwrap();
    assert_eq!(versions(store, name).await, []);
    assert_eq!(versions(store, "custom.b").await.len(), 1);
    let mut conn = store.read().await.unwrap();
    let told = schemas::changed_since(&mut conn, dead.revision).await.unwrap();
    let purged = TypeRow { revision: dead.revision + 1, ..dead };
    assert_eq!(told, [(purged.clone(), None)]);
    assert!(purged.revision > neighbour.revision);
    drop(conn);

    let again = put(store, TypeRow { deleted_at: None, ..purged }, Some("3")).await.unwrap();
    assert_eq!(again.latest, 3);
    assert_eq!(versions(store, name).await, [(3, "3".to_owned())]);
}

pub(crate) async fn settings_are_set_and_replaced(store: &Store) {
    let mut conn = store.write().await.unwrap();
    assert_eq!(schemas::settings(&mut conn, "acme").await.unwrap(), None);
    let row = SettingsRow {
        org: "acme".into(),
        compatibility: "FULL".into(),
        policy: "lenient".into(),
        updated_at: now(),
    };
    schemas::set_settings(&mut conn, &row).await.unwrap();
    assert_eq!(schemas::settings(&mut conn, "acme").await.unwrap(), Some(row.clone()));
    let other = SettingsRow {
        compatibility: "NONE".into(),
        policy: "exact".into(),
        updated_at: later(1),
        ..row
    };
    schemas::set_settings(&mut conn, &other).await.unwrap();
    assert_eq!(schemas::settings(&mut conn, "acme").await.unwrap(), Some(other));
    assert_eq!(schemas::settings(&mut conn, "other").await.unwrap(), None);
}
