//! Events that are to happen later.

use omni_store::{
    Store,
    events::{self, Committed, NewKey},
    scheduled::{self, CANCELLED, FIRING, Page, SCHEDULED},
};

use crate::fixtures::{commit, event, id, keyed, later, now, of_org, writer};

fn key(body: u8) -> NewKey {
    NewKey {
        scope: "webhook:github".into(),
        key: "k-1".into(),
        body_hash: [body; 32],
        expires_at: later(600),
    }
}

async fn schedule(store: &Store, number: u128, seconds: i64) {
    let mut conn = store.write().await.unwrap();
    let event = event(number, "custom.x");
    let kept = scheduled::insert(&mut conn, &event, later(seconds), None, now()).await.unwrap();
    assert_eq!(kept, Committed::New { sequence: 0 });
}

/// Takes what is due, as a replica does.
async fn take(store: &Store, seconds: i64, stale: i64) -> Vec<u128> {
    let mut conn = store.write().await.unwrap();
    let due = scheduled::due(&mut conn, later(seconds), later(stale), 10).await.unwrap();
    let taken = scheduled::take(&mut conn, &due, later(seconds)).await.unwrap();
    taken.into_iter().map(|(taken, _)| taken.as_u128() - id(0).as_u128()).collect()
}

pub(crate) async fn a_repeat_of_what_waits_is_answered_like_the_first(store: &Store) {
    let mut conn = store.write().await.unwrap();
    let at = later(60);
    let mut insert = async |number, body| {
        let event = event(number, "custom.x");
        scheduled::insert(&mut conn, &event, at, Some(&key(body)), now()).await.unwrap()
    };
    assert_eq!(insert(1, 7).await, Committed::New { sequence: 0 });
    assert_eq!(insert(2, 7).await, Committed::Repeat { event_id: id(1), sequence: 0 });
    assert_eq!(insert(3, 8).await, Committed::Conflict { event_id: id(1) });
    for refused in [2, 3] {
        assert_eq!(scheduled::get(&mut conn, "default", id(refused)).await.unwrap(), None);
    }
    let kept = scheduled::get(&mut conn, "default", id(1)).await.unwrap().unwrap();
    assert_eq!((kept.due_at, kept.status.as_str()), (at, SCHEDULED));
    assert_eq!(kept.event.payload, event(1, "custom.x").payload);
    drop(conn);
    // The same key on an event that happens at once.
    let writer = writer(store).await;
    let answers = commit(store, writer, &[keyed(event(4, "custom.x"), "k-1", 9)]).await;
    assert_eq!(answers, [Committed::Conflict { event_id: id(1) }]);
}

pub(crate) async fn what_is_due_is_taken_once_and_again_when_it_was_left(store: &Store) {
    for (number, seconds) in [(1, 30), (2, 10), (3, 90)] {
        schedule(store, number, seconds).await;
    }
    let mut conn = store.read().await.unwrap();
    assert_eq!(scheduled::next_due(&mut conn).await.unwrap(), Some(later(10)));
    drop(conn);
    assert_eq!(take(store, 9, 0).await, []);
    assert_eq!(take(store, 60, 45).await, [2, 1], "the first that is due first");
    assert_eq!(take(store, 61, 46).await, [], "they are taken");
    assert_eq!(take(store, 80, 65).await, [2, 1], "whoever took them has died");
    let mut conn = store.write().await.unwrap();
    assert!(!scheduled::cancel(&mut conn, "default", id(1), later(81)).await.unwrap());
    let taken = scheduled::get(&mut conn, "default", id(1)).await.unwrap().unwrap();
    assert_eq!(taken.status, FIRING);
    scheduled::fired(&mut conn, id(1)).await.unwrap();
    assert_eq!(scheduled::get(&mut conn, "default", id(1)).await.unwrap(), None);
    scheduled::fired(&mut conn, id(3)).await.unwrap();
    let waits = scheduled::get(&mut conn, "default", id(3)).await.unwrap();
    assert!(waits.is_some(), "what was not taken up has not happened");
}

pub(crate) async fn of_many_replicas_one_takes_an_event(store: &Store) {
    for number in 0..20 {
        schedule(store, number, 1).await;
    }
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let taken = take(&store, 5, -60).await;
                    let mut conn = store.read().await.unwrap();
                    let left = scheduled::due(&mut conn, later(5), later(-60), 10).await.unwrap();
                    mine.extend(taken);
                    if left.is_empty() {
                        return mine;
                    }
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<_>>());
}

pub(crate) async fn a_cancelled_event_never_happens(store: &Store) {
    schedule(store, 1, 10).await;
    let mut conn = store.write().await.unwrap();
    assert!(!scheduled::cancel(&mut conn, "acme", id(1), later(1)).await.unwrap());
    assert!(scheduled::cancel(&mut conn, "default", id(1), later(1)).await.unwrap());
    assert!(!scheduled::cancel(&mut conn, "default", id(1), later(2)).await.unwrap());
    let kept = scheduled::get(&mut conn, "default", id(1)).await.unwrap().unwrap();
    assert_eq!((kept.status.as_str(), kept.changed_at), (CANCELLED, later(1)));
    drop(conn);
    assert_eq!(take(store, 60, 45).await, []);
    assert!(
        events::get(&mut store.read().await.unwrap(), "default", id(1)).await.unwrap().is_none()
    );
}

pub(crate) async fn what_waits_is_listed_by_when_it_is_due(store: &Store) {
    for (number, seconds) in [(1, 30), (2, 10), (3, 30), (4, 5), (5, 20)] {
        schedule(store, number, seconds).await;
    }
    let mut conn = store.write().await.unwrap();
    let other = of_org("acme", event(9, "custom.x"));
    scheduled::insert(&mut conn, &other, later(1), None, now()).await.unwrap();
    assert!(scheduled::cancel(&mut conn, "default", id(4), later(1)).await.unwrap());
    let mut page = Page { cancelled: false, after: None, limit: 3 };
    let mut seen = Vec::new();
    loop {
        let found = scheduled::list(&mut conn, "default", &page).await.unwrap();
        let Some(last) = found.last() else { break };
        page.after = Some((last.due_at, last.event.id));
        seen.extend(found.iter().map(|found| found.event.id));
    }
    assert_eq!(seen, [id(2), id(5), id(1), id(3)]);
    let cancelled = Page { cancelled: true, after: None, limit: 3 };
    let found = scheduled::list(&mut conn, "default", &cancelled).await.unwrap();
    assert_eq!(found.iter().map(|found| found.event.id).collect::<Vec<_>>(), [id(4)]);
}
