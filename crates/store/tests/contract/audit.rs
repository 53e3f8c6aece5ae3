//! The counts and looks of the audit: each must notice when rows are taken out.

use chrono::{DateTime, Utc};
use omni_store::{
    Store,
    audit::{self, KeyName, Part, Table},
    events::NewPayload,
    executions::{Done, ExecutionRow, NewOutcome, commit_batch},
    outbox,
};
use uuid::Uuid;

use crate::fixtures::{commit, event, id, keyed, later, now, of_org, plain, writer};

async fn finish(store: &Store, number: u128, status: &str) {
    let outcome = NewOutcome {
        event_id: id(number),
        org: "default".into(),
        status: status.into(),
        retry_count: 0,
        processed_at: now(),
        executions: 1,
        error: None,
        received_at: now(),
    };
    let execution = ExecutionRow {
        id: id(1000 + number),
        org: "default".into(),
        automation_id: Uuid::from_u128(1),
        automation_version: 1,
        event_id: id(number),
        event_type: "custom.x".into(),
        status: "success".into(),
        conditions_matched: true,
        actions: "[]".into(),
        error: None,
        execution_time_ms: 1,
        created_at: now(),
    };
    let done = Done { outcome, executions: vec![execution], dead: Vec::new() };
    commit_batch(&mut store.write().await.unwrap(), &[done]).await.unwrap();
}

async fn counted(store: &Store, org: Option<&str>) -> Vec<(String, Option<String>, i64)> {
    audit::count(&mut store.read().await.unwrap(), org, 0, 1000).await.unwrap()
}

async fn unhandled(store: &Store, before: DateTime<Utc>) -> Vec<Uuid> {
    let mut conn = store.read().await.unwrap();
    let found = audit::unhandled(&mut conn, None, (0, 1000), before).await.unwrap();
    found.into_iter().map(|stray| stray.id).collect()
}

async fn strays(store: &Store, table: Table) -> Vec<Uuid> {
    let mut conn = store.read().await.unwrap();
    let part = audit::strays_of(&mut conn, table, Some("default"), Uuid::nil()).await.unwrap();
    assert_eq!(part.next, None);
    part.strays.into_iter().map(|stray| stray.id).collect()
}

pub(crate) async fn events_are_counted_by_what_became_of_them(store: &Store) {
    let writer = writer(store).await;
    let batch = [
        plain(event(1, "custom.x")),
        plain(event(2, "custom.x")),
        plain(event(3, "custom.x")),
        plain(of_org("acme", event(4, "custom.x"))),
    ];
    commit(store, writer, &batch).await;
    finish(store, 1, "completed").await;
    finish(store, 2, "failed").await;
    let row = |org: &str, status: Option<&str>| (org.to_owned(), status.map(str::to_owned), 1);
    let ours =
        [row("default", None), row("default", Some("completed")), row("default", Some("failed"))];
    assert_eq!(counted(store, Some("default")).await, ours);
    assert_eq!(counted(store, None).await, [&[row("acme", None)][..], &ours].concat());
}

pub(crate) async fn what_the_bus_had_and_nobody_handled_is_found(store: &Store) {
    let writer = writer(store).await;
    commit(store, writer, &[plain(event(1, "custom.x")), plain(event(2, "custom.x"))]).await;
    finish(store, 1, "completed").await;
    let no: [Uuid; 0] = [];
    assert_eq!(unhandled(store, later(60)).await, no, "it is not published");
    let mut conn = store.write().await.unwrap();
    outbox::set_published(&mut conn, writer, 2, now()).await.unwrap();
    drop(conn);
    assert_eq!(unhandled(store, now()).await, no, "it was received just now");
    assert_eq!(unhandled(store, later(60)).await, [id(2)]);
    store.run_sql("DELETE FROM event_outcomes").await;
    assert_eq!(unhandled(store, later(60)).await, [id(1), id(2)], "an outcome is gone");

    let mut conn = store.write().await.unwrap();
    let found = audit::unhandled(&mut conn, None, (0, 1000), later(60)).await.unwrap();
    drop(conn);
    finish(store, 2, "completed").await;
    let mut conn = store.read().await.unwrap();
    let still = audit::still_unhandled(&mut conn, found).await.unwrap();
    assert_eq!(still.iter().map(|stray| stray.id).collect::<Vec<_>>(), [id(1)]);
}

pub(crate) async fn rows_without_their_event_are_found(store: &Store) {
    let writer = writer(store).await;
    let mut captured = keyed(event(1, "custom.x"), "k-1", 1);
    captured.capture = Some(NewPayload::new("webhook_raw", None, "[]".into(), None));
    commit(store, writer, &[captured, keyed(event(2, "custom.x"), "k-2", 1)]).await;
    finish(store, 1, "completed").await;
    finish(store, 2, "failed").await;
    let first = KeyName::default();
    let keys = async || {
        let mut conn = store.read().await.unwrap();
        audit::stray_keys(&mut conn, None, &first).await.unwrap()
    };
    let tables = [Table::Outcomes, Table::Executions, Table::Captures, Table::DeadLetters];
    for table in tables {
        assert!(strays(store, table).await.is_empty(), "{table:?}");
    }
    assert_eq!(keys().await, Part { strays: Vec::new(), next: None });
    let mut conn = store.read().await.unwrap();
    let failed = audit::failed_without_letter(&mut conn, None, now()).await.unwrap();
    assert_eq!(failed.iter().map(|stray| stray.id).collect::<Vec<_>>(), [id(2)]);
    assert!(audit::failed_without_letter(&mut conn, Some("acme"), now()).await.unwrap().is_empty());
    drop(conn);

    store.run_sql("DELETE FROM omni_events WHERE sequence = 1").await;
    for table in [Table::Outcomes, Table::Executions, Table::Captures] {
        assert_eq!(strays(store, table).await, [id(1)], "{table:?}");
    }
    let found = keys().await.strays;
    assert_eq!(found.iter().map(|stray| stray.id).collect::<Vec<_>>(), [id(1)]);
}
