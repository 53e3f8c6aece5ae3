//! What the store knows about the bus.

use omni_store::{
    Store, bus, events,
    executions::{Done, NewOutcome, commit_batch},
    outbox,
};

use crate::fixtures::{commit, event, id, later, now, plain, sequence, writer};

async fn settle(store: &Store, numbers: &[u128]) {
    let done = |number: &u128| Done {
        outcome: NewOutcome {
            event_id: id(*number),
            org: "default".into(),
            status: "completed".into(),
            retry_count: 0,
            processed_at: now(),
            executions: 0,
            error: None,
            received_at: now(),
        },
        executions: Vec::new(),
        dead: Vec::new(),
    };
    let batch: Vec<Done> = numbers.iter().map(done).collect();
    let mut conn = store.write().await.unwrap();
    commit_batch(&mut conn, &batch).await.unwrap();
}

pub(crate) async fn one_writer_heals_and_the_next_takes_over_when_it_dies(store: &Store) {
    let (one, two) = (writer(store).await, writer(store).await);
    let mut conn = store.write().await.unwrap();
    assert_eq!(bus::get(&mut conn).await.unwrap().identity, "");
    assert!(bus::claim(&mut conn, one, "", false).await.unwrap());
    assert!(bus::claim(&mut conn, one, "", false).await.unwrap(), "the same may ask again");
    assert!(!bus::claim(&mut conn, two, "", false).await.unwrap());
    assert!(!bus::healed(&mut conn, two, "b").await.unwrap());

    outbox::fence(&mut conn, one, later(60)).await.unwrap();
    assert!(bus::claim(&mut conn, two, "", false).await.unwrap());
    assert!(!bus::healed(&mut conn, one, "b").await.unwrap(), "it was taken for dead");
    assert!(bus::healed(&mut conn, two, "b").await.unwrap());
    let known = bus::get(&mut conn).await.unwrap();
    assert_eq!((known.identity.as_str(), known.healer), ("b", None));

    assert!(!bus::claim(&mut conn, two, "", false).await.unwrap(), "it is done");
    assert!(bus::claim(&mut conn, two, "b", false).await.unwrap());
    outbox::retire(&mut conn, two, later(60)).await.unwrap();
    drop(conn);
    let [three, four] = [writer(store).await, writer(store).await];
    let mut conn = store.write().await.unwrap();
    assert!(bus::claim(&mut conn, three, "b", false).await.unwrap());
    assert!(!bus::claim(&mut conn, four, "b", false).await.unwrap());
    assert!(bus::claim(&mut conn, four, "b", true).await.unwrap());
}

pub(crate) async fn what_has_no_outcome_is_found_in_order(store: &Store) {
    let writer = writer(store).await;
    let batch: Vec<_> = (1..=6).map(|n| plain(event(n, "custom.x"))).collect();
    let sequences: Vec<i64> =
        commit(store, writer, &batch).await.into_iter().map(sequence).collect();
    settle(store, &[1, 2, 4]).await;
    let mut conn = store.read().await.unwrap();
    let last = bus::last_sequence(&mut conn).await.unwrap();
    assert_eq!(last, sequences[5]);
    let mut found = async |after, through, limit| -> Vec<_> {
        let found = bus::pending(&mut conn, after, through, limit).await.unwrap();
        found.into_iter().map(|(_, event)| event.unwrap().id).collect()
    };
    assert_eq!(found(0, last, 10).await, [id(3), id(5), id(6)]);
    assert_eq!(found(0, last, 2).await, [id(3), id(5)]);
    assert_eq!(found(sequences[2], sequences[4], 10).await, [id(5)]);

    let left = outbox::unpublished(&mut conn, writer, 0, 10).await.unwrap();
    let left: Vec<_> = left.into_iter().map(|(_, event)| event.id).collect();
    assert_eq!(left, [id(3), id(5), id(6)], "what has an outcome was on the bus");
}

pub(crate) async fn the_settled_part_ends_before_the_first_event_in_doubt(store: &Store) {
    let (one, two) = (writer(store).await, writer(store).await);
    let batch: Vec<_> = (1..=6).map(|n| plain(event(n, "custom.x"))).collect();
    let sequences: Vec<i64> = commit(store, one, &batch).await.into_iter().map(sequence).collect();
    settle(store, &[1, 2, 3, 5, 6]).await;
    let mut conn = store.write().await.unwrap();
    // An event of a writer that has published nothing may become visible at any time.
    assert_eq!(bus::settled_from(&mut conn, 0, 100).await.unwrap(), 0);
    for writer in [one, two] {
        outbox::set_published(&mut conn, writer, sequences[5], later(1)).await.unwrap();
    }
    assert_eq!(bus::settled_from(&mut conn, 0, 100).await.unwrap(), sequences[3] - 1);
    assert_eq!(bus::settled_from(&mut conn, 0, sequences[1]).await.unwrap(), sequences[1]);
    drop(conn);
    settle(store, &[4]).await;
    let mut conn = store.write().await.unwrap();
    assert_eq!(bus::settled_from(&mut conn, sequences[1], 100).await.unwrap(), sequences[5]);
    bus::set_settled(&mut conn, sequences[3]).await.unwrap();
    bus::set_settled(&mut conn, sequences[1]).await.unwrap();
    bus::set_letters(&mut conn, later(5)).await.unwrap();
    bus::set_letters(&mut conn, later(2)).await.unwrap();
    let known = bus::get(&mut conn).await.unwrap();
    assert_eq!((known.settled_through, known.letters_through), (sequences[3], later(5)));
    assert_eq!(events::count(&mut conn, "default").await.unwrap(), 6);
}
