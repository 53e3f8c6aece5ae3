//! Executions and outcomes.

use omni_store::{
    Store, events,
    executions::{self, Done, ExecutionRow, Filter, NewOutcome, Page},
};
use uuid::Uuid;

use crate::fixtures::{commit, event, id, later, now, plain, writer};

fn execution(number: u128, event: u128, automation: u128) -> ExecutionRow {
    ExecutionRow {
        id: id(number),
        org: "default".into(),
        automation_id: Uuid::from_u128(automation),
        automation_version: 1,
        event_id: id(event),
        event_type: "custom.x".into(),
        status: "completed".into(),
        conditions_matched: true,
        actions: r#"[{"action":"log","status":"ok"}]"#.into(),
        error: None,
        execution_time_ms: 12,
        created_at: now(),
    }
}

fn done(event: u128, executions: Vec<ExecutionRow>) -> Done {
    let outcome = NewOutcome {
        event_id: id(event),
        org: "default".into(),
        status: "completed".into(),
        retry_count: 2,
        processed_at: later(1),
        executions: i32::try_from(executions.len()).unwrap(),
        error: Some("the last try failed".into()),
        received_at: now(),
    };
    Done { outcome, executions, dead: Vec::new() }
}

pub(crate) async fn a_second_commit_changes_nothing(store: &Store) {
    let writer = writer(store).await;
    commit(store, writer, &[plain(event(1, "custom.x"))]).await;
    let mut conn = store.write().await.unwrap();
    assert!(!events::is_processed(&mut conn, id(1)).await.unwrap());
    let first = done(1, vec![execution(10, 1, 1), execution(11, 1, 2)]);
    executions::commit_batch(&mut conn, std::slice::from_ref(&first)).await.unwrap();
    let mut again = done(1, vec![execution(20, 1, 1), execution(21, 1, 3)]);
    again.outcome.status = "failed".into();
    executions::commit_batch(&mut conn, &[again]).await.unwrap();

    assert!(events::is_processed(&mut conn, id(1)).await.unwrap());
    let found = executions::for_event(&mut conn, "default", id(1)).await.unwrap();
    let ids: Vec<_> = found.iter().map(|row| row.id).collect();
    assert_eq!(ids, [id(10), id(11), id(21)], "the run of automation 1 is there once");
    assert_eq!(found[0], first.executions[0]);
    let stored = events::get(&mut conn, "default", id(1)).await.unwrap().unwrap();
    let outcome = stored.outcome.unwrap();
    assert_eq!(
        (outcome.status.as_str(), outcome.retry_count, outcome.executions),
        ("completed", 2, 2)
    );
    assert_eq!((outcome.processed_at, outcome.error), (later(1), first.outcome.error));
}

pub(crate) async fn executions_are_listed_by_filter_and_page(store: &Store) {
    let mut conn = store.write().await.unwrap();
    let mut batch: Vec<Done> = (0..10)
        .map(|n| done(n, vec![execution(100 + n, n, n % 2), execution(200 + n, n, 7)]))
        .collect();
    batch[3].executions[0].status = "failed".into();
    executions::commit_batch(&mut conn, &batch).await.unwrap();

    let page = Page { after: None, limit: 3, ascending: false };
    let of_zero = Filter { automation_id: Some(Uuid::from_u128(0)), ..Filter::default() };
    let found = executions::list(&mut conn, "default", &of_zero, &page).await.unwrap();
    let ids: Vec<_> = found.iter().map(|row| row.id).collect();
    assert_eq!(ids, [id(108), id(106), id(104)]);
    let next = Page { after: Some(id(104)), ..page };
    let found = executions::list(&mut conn, "default", &of_zero, &next).await.unwrap();
    assert_eq!(found.len(), 2);
    let failed = Filter { status: Some("failed".into()), ..Filter::default() };
    let found = executions::list(&mut conn, "default", &failed, &page).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(executions::get(&mut conn, "default", id(103)).await.unwrap().unwrap(), found[0]);
    assert_eq!(executions::get(&mut conn, "acme", id(103)).await.unwrap(), None);
    let of_event =
        Filter { event_id: Some(id(5)), event_type: Some("custom.x".into()), ..Filter::default() };
    let up = Page { ascending: true, ..page };
    let found = executions::list(&mut conn, "default", &of_event, &up).await.unwrap();
    let ids: Vec<_> = found.iter().map(|row| row.id).collect();
    assert_eq!(ids, [id(105), id(205)]);
}

pub(crate) async fn concurrent_commits_of_the_same_events_do_not_lock_each_other_out(
    store: &Store,
) {
    let tasks: Vec<_> = (0..8u128)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut batch: Vec<_> = (0..60)
                    .map(|n| done(n, vec![execution(1000 * (task + 1) + n, n, 1)]))
                    .collect();
                batch.rotate_left(usize::try_from(task).unwrap() * 7);
                let mut conn = store.write().await.unwrap();
                executions::commit_batch(&mut conn, &batch).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let mut conn = store.read().await.unwrap();
    let page = Page { after: None, limit: 1000, ascending: true };
    let all = executions::list(&mut conn, "default", &Filter::default(), &page).await.unwrap();
    assert_eq!(all.len(), 60);
}
