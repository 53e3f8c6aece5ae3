//! Jobs: who works on one, how far it is, and how it ends.

use omni_store::{
    Store,
    events::{Committed, NewKey},
    jobs::{
        self, Advanced, CANCELLED, COMPLETED, DEAD_LETTER_RETRY, JobRow, NewJob, Progress, QUEUED,
        REPLAY, RUNNING,
    },
};

use crate::fixtures::{id, later, now};

fn job(number: u128) -> NewJob {
    NewJob {
        id: id(number),
        org: "default".into(),
        kind: REPLAY,
        spec: "{}".into(),
        total: None,
        created_by: Some("test".into()),
        created_at: now(),
    }
}

fn progress(done: i64) -> Progress {
    Progress { total: Some(10), done, failed: 1, position: Some(format!("{{\"at\":{done}}}")) }
}

async fn get(store: &Store, number: u128) -> JobRow {
    let mut conn = store.read().await.unwrap();
    jobs::get(&mut conn, "default", REPLAY, id(number)).await.unwrap().unwrap()
}

pub(crate) async fn a_job_goes_from_hand_to_hand_and_only_the_last_moves_it(store: &Store) {
    let mut conn = store.write().await.unwrap();
    assert!(!jobs::is_free(&mut conn, REPLAY, now()).await.unwrap());
    jobs::create(&mut conn, &job(1)).await.unwrap();
    assert!(jobs::is_free(&mut conn, REPLAY, now()).await.unwrap());
    let other = jobs::claim(&mut conn, DEAD_LETTER_RETRY, now(), later(30)).await.unwrap();
    assert_eq!(other, None, "kinds do not meet");
    let first = jobs::claim(&mut conn, REPLAY, now(), later(30)).await.unwrap().unwrap();
    assert_eq!((first.status.as_str(), first.epoch), (RUNNING, 1));
    assert_eq!(get(store, 1).await, first);
    assert!(!jobs::is_free(&mut conn, REPLAY, later(29)).await.unwrap());
    assert_eq!(jobs::claim(&mut conn, REPLAY, later(29), later(60)).await.unwrap(), None);
    let key = (first.id, first.epoch);
    let advanced = jobs::advance(&mut conn, key, &progress(4), later(20), later(50)).await.unwrap();
    assert_eq!(advanced, Advanced::Going);
    assert_eq!(jobs::claim(&mut conn, REPLAY, later(49), later(99)).await.unwrap(), None);
    assert!(jobs::renew(&mut conn, key, later(55)).await.unwrap());
    assert_eq!(jobs::claim(&mut conn, REPLAY, later(54), later(99)).await.unwrap(), None);

    let second = jobs::claim(&mut conn, REPLAY, later(55), later(99)).await.unwrap().unwrap();
    assert_eq!((second.epoch, second.done, second.failed, second.total), (2, 4, 1, Some(10)));
    assert_eq!(second.position.as_deref(), Some("{\"at\":4}"));
    let lost = jobs::advance(&mut conn, key, &progress(9), later(56), later(99)).await.unwrap();
    assert_eq!(lost, Advanced::Lost);
    assert!(!jobs::renew(&mut conn, key, later(999)).await.unwrap());
    jobs::release(&mut conn, key).await.unwrap();
    assert!(!jobs::finish(&mut conn, key, COMPLETED, None, later(56)).await.unwrap());
    assert_eq!(get(store, 1).await, second, "who has lost it changes nothing");

    let key = (second.id, second.epoch);
    jobs::release(&mut conn, key).await.unwrap();
    let third = jobs::claim(&mut conn, REPLAY, later(57), later(99)).await.unwrap().unwrap();
    let key = (third.id, third.epoch);
    assert!(jobs::finish(&mut conn, key, COMPLETED, None, later(58)).await.unwrap());
    let ended = get(store, 1).await;
    assert_eq!((ended.status.as_str(), ended.finished_at), (COMPLETED, Some(later(58))));
    assert_eq!(jobs::claim(&mut conn, REPLAY, later(9999), later(9999)).await.unwrap(), None);
    let lost = jobs::advance(&mut conn, key, &progress(9), later(60), later(99)).await.unwrap();
    assert_eq!(lost, Advanced::Lost);
}

pub(crate) async fn a_cancelled_job_is_finished_by_who_has_it_or_who_finds_it(store: &Store) {
    let mut conn = store.write().await.unwrap();
    for number in [1, 2] {
        jobs::create(&mut conn, &job(number)).await.unwrap();
    }
    let running = jobs::claim(&mut conn, REPLAY, now(), later(30)).await.unwrap().unwrap();
    assert_eq!(running.id, id(1), "the oldest first");
    for number in [1, 2] {
        assert!(!jobs::cancel(&mut conn, "acme", REPLAY, id(number), later(1)).await.unwrap());
        assert!(jobs::cancel(&mut conn, "default", REPLAY, id(number), later(1)).await.unwrap());
    }
    let key = (running.id, running.epoch);
    let told = jobs::advance(&mut conn, key, &progress(5), later(2), later(32)).await.unwrap();
    assert_eq!(told, Advanced::Cancelled);
    assert!(jobs::finish(&mut conn, key, COMPLETED, None, later(3)).await.unwrap());
    assert_eq!(get(store, 1).await.status, CANCELLED, "it was not wanted, however far it came");
    let found = jobs::claim(&mut conn, REPLAY, later(3), later(33)).await.unwrap().unwrap();
    assert_eq!((found.id, found.status.as_str()), (id(2), CANCELLED));
    let key = (found.id, found.epoch);
    assert!(jobs::finish(&mut conn, key, CANCELLED, Some("why"), later(4)).await.unwrap());
    let ended = get(store, 2).await;
    assert_eq!((ended.error.as_deref(), ended.finished_at), (Some("why"), Some(later(4))));
    assert!(!jobs::cancel(&mut conn, "default", REPLAY, id(2), later(5)).await.unwrap());
}

pub(crate) async fn of_many_who_claim_one_gets_it(store: &Store) {
    jobs::create(&mut store.write().await.unwrap(), &job(1)).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut conn = store.write().await.unwrap();
                jobs::claim(&mut conn, REPLAY, now(), later(30)).await.unwrap().is_some()
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += u32::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
}

pub(crate) async fn jobs_are_listed_newest_first_and_of_one_tenant(store: &Store) {
    let mut conn = store.write().await.unwrap();
    for number in 1..=5 {
        jobs::create(&mut conn, &job(number)).await.unwrap();
    }
    let retry = NewJob { kind: DEAD_LETTER_RETRY, ..job(6) };
    jobs::create(&mut conn, &retry).await.unwrap();
    jobs::create(&mut conn, &NewJob { org: "acme".into(), ..job(7) }).await.unwrap();
    let page = jobs::list(&mut conn, "default", REPLAY, None, 3).await.unwrap();
    assert_eq!(page.iter().map(|row| row.id).collect::<Vec<_>>(), [id(5), id(4), id(3)]);
    let page = jobs::list(&mut conn, "default", REPLAY, Some(id(3)), 3).await.unwrap();
    assert_eq!(page.iter().map(|row| row.id).collect::<Vec<_>>(), [id(2), id(1)]);
    assert_eq!(page[0].status, QUEUED);
    assert_eq!(jobs::get(&mut conn, "acme", REPLAY, id(1)).await.unwrap(), None);
    assert_eq!(jobs::get(&mut conn, "default", REPLAY, id(6)).await.unwrap(), None);
}

pub(crate) async fn a_key_makes_one_job(store: &Store) {
    let mut conn = store.write().await.unwrap();
    let key = NewKey {
        scope: "replay.start".into(),
        key: "k".into(),
        body_hash: [1; 32],
        expires_at: later(60),
    };
    let first = jobs::create_once(&mut conn, &job(1), Some(&key)).await.unwrap();
    assert_eq!(first, Committed::New { sequence: 0 });
    let again = jobs::create_once(&mut conn, &job(2), Some(&key)).await.unwrap();
    assert_eq!(again, Committed::Repeat { event_id: id(1), sequence: 0 });
    let other = NewKey { body_hash: [2; 32], ..key };
    let conflict = jobs::create_once(&mut conn, &job(3), Some(&other)).await.unwrap();
    assert_eq!(conflict, Committed::Conflict { event_id: id(1) });
    assert_eq!(jobs::list(&mut conn, "default", REPLAY, None, 9).await.unwrap().len(), 1);
}
