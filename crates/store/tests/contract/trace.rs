//! What a trace is read from.

use omni_store::{Store, trace};

use crate::fixtures::{commit, event, id, of_org, plain, writer};

pub(crate) async fn a_chain_is_read_upwards_and_level_by_level(store: &Store) {
    let writer = writer(store).await;
    let caused = |number: u128, cause: u128| {
        let mut event = event(number, "custom.x");
        event.metadata.causation_id = Some(id(cause));
        event
    };
    let mut replay = event(5, "custom.x");
    replay.metadata.replay_of = Some(id(2));
    // A replay keeps what caused the original, and stands below the original all the same.
    replay.metadata.causation_id = Some(id(1));
    let foreign = of_org("acme", caused(6, 1));
    let all = [event(1, "custom.x"), caused(2, 1), caused(3, 1), caused(4, 2), replay, foreign];
    commit(store, writer, &all.map(plain)).await;
    let mut conn = store.read().await.unwrap();
    let ids = |found: Vec<trace::TraceEvent>| found.into_iter().map(|e| e.id).collect::<Vec<_>>();
    let up = trace::ancestors(&mut conn, "default", id(4), 10).await.unwrap();
    assert_eq!(ids(up), [id(4), id(2), id(1)]);
    let up = trace::ancestors(&mut conn, "default", id(5), 10).await.unwrap();
    assert_eq!(ids(up), [id(5), id(2), id(1)]);
    let up = trace::ancestors(&mut conn, "acme", id(6), 10).await.unwrap();
    assert_eq!(ids(up), [id(6)], "what caused it belongs to somebody else");
    let down = trace::children(&mut conn, "default", &[id(1)], 10).await.unwrap();
    assert_eq!(ids(down), [id(2), id(3)]);
    let down = trace::children(&mut conn, "default", &[id(2), id(3)], 10).await.unwrap();
    assert_eq!(ids(down), [id(4), id(5)]);
    let few = trace::children(&mut conn, "default", &[id(1)], 1).await.unwrap();
    assert_eq!(ids(few), [id(2)]);
}
