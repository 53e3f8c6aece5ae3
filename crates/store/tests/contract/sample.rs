//! The payloads of one type are read newest first, whole and in bounded pieces.

use omni_events::{Event, Payload};
use omni_store::{
    Store,
    events::{
        self, Place,
        sample::{self, PIECE_MAX, Sample, Sampled},
    },
    expunges,
};
use uuid::Uuid;

use crate::fixtures::{commit, event, id, later, now, of_org, plain, writer};

const OURS: Sample<'_> =
    Sample { org: "default", event_type: "custom.order.paid", from: None, to: None };

fn paid(number: u128, payload: &str) -> Event {
    Event {
        received_at: later(number as i64),
        payload: Payload::parse(payload.to_owned().into()).unwrap(),
        ..event(number, "custom.order.paid")
    }
}

/// Text that no compression makes shorter.
fn noise(number: u128, length: usize) -> String {
    let mut state = number as u64 + 1;
    let mut letter = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b' ' + 3 + (state >> 58) as u8)
    };
    format!("\"{}\"", (0..length).map(|_| letter()).filter(|c| *c != '\\').collect::<String>())
}

/// All pieces of a sample.
async fn pieces(store: &Store, sample: Sample<'_>, limit: i64) -> Vec<Vec<Sampled>> {
    let mut conn = store.read().await.unwrap();
    let (mut pieces, mut after) = (Vec::new(), None::<Place>);
    loop {
        let piece = sample::next(&mut conn, sample, after, limit).await.unwrap();
        let Some(last) = piece.last() else { return pieces };
        after = Some(last.place);
        pieces.push(piece);
    }
}

fn ids(pieces: &[Vec<Sampled>]) -> Vec<Uuid> {
    pieces.iter().flatten().map(|sampled| sampled.id).collect()
}

pub(crate) async fn a_type_is_read_newest_first_in_pieces_that_join_up(store: &Store) {
    let writer = writer(store).await;
    let mut made: Vec<_> = (0..25).map(|n| plain(paid(n, &format!(r#"{{"n":{n}}}"#)))).collect();
    made.push(plain(event(100, "custom.order.paid.twice")));
    made.push(plain(event(101, "custom.order")));
    made.push(plain(of_org("acme", paid(102, "1"))));
    commit(store, writer, &made).await;

    let read = pieces(store, OURS, 10).await;
    assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(ids(&read), (0..25).rev().map(id).collect::<Vec<_>>());
    let texts: Vec<String> = read
        .into_iter()
        .flatten()
        .map(|sampled| String::from_utf8(sampled.open().unwrap().unwrap()).unwrap())
        .collect();
    assert_eq!(texts, (0..25).rev().map(|n| format!(r#"{{"n":{n}}}"#)).collect::<Vec<_>>());

    let some = Sample { from: Some(later(3)), to: Some(later(7)), ..OURS };
    assert_eq!(ids(&pieces(store, some, 10).await), [6, 5, 4, 3].map(id));
    let mut conn = store.read().await.unwrap();
    assert_eq!(sample::count(&mut conn, OURS, 100).await.unwrap(), 25);
    assert_eq!(sample::count(&mut conn, OURS, 20).await.unwrap(), 20);
    assert_eq!(sample::count(&mut conn, some, 100).await.unwrap(), 4);
}

pub(crate) async fn large_payloads_come_few_at_once(store: &Store) {
    let writer = writer(store).await;
    let large: Vec<String> = (0..6).map(|n| noise(n, 2 << 20)).collect();
    for n in 0..6_u128 {
        let small = plain(paid(2 * n, r#"{"small":true}"#));
        commit(store, writer, &[small, plain(paid(2 * n + 1, &large[n as usize]))]).await;
    }
    let read = pieces(store, OURS, PIECE_MAX).await;
    assert_eq!(ids(&read), (0..12).rev().map(id).collect::<Vec<_>>());
    for piece in &read {
        let large = piece.iter().filter(|sampled| ids_of_large().contains(&sampled.id)).count();
        assert!(large <= 2, "{large} payloads of two megabytes in one piece");
    }
    for sampled in read.into_iter().flatten() {
        let number = (0..12).find(|n| id(*n) == sampled.id).unwrap();
        let bytes = sampled.open().unwrap().unwrap();
        if number % 2 == 1 {
            assert!(bytes == large[number as usize / 2].as_bytes(), "payload {number}");
        } else {
            assert_eq!(bytes, br#"{"small":true}"#);
        }
    }
}

fn ids_of_large() -> Vec<Uuid> {
    (0..6).map(|n| id(2 * n + 1)).collect()
}

pub(crate) async fn replays_and_expunged_payloads_are_told_apart(store: &Store) {
    let writer = writer(store).await;
    let mut replay = paid(2, "1");
    replay.metadata.replay_of = Some(id(0));
    let made = [plain(paid(0, "1")), plain(paid(1, "2")), plain(replay), plain(paid(3, "3"))];
    commit(store, writer, &made).await;
    let mut conn = store.write().await.unwrap();
    expunges::expunge(&mut conn, "default", id(1), ("asked", now())).await.unwrap().unwrap();
    drop(conn);

    let read: Vec<_> = pieces(store, OURS, 10)
        .await
        .into_iter()
        .flatten()
        .map(|sampled| (sampled.id, sampled.is_replay(), sampled.open().unwrap()))
        .collect();
    let expected = [
        (id(3), false, Some(b"3".to_vec())),
        (id(2), true, None),
        (id(1), false, None),
        (id(0), false, Some(b"1".to_vec())),
    ];
    assert_eq!(read, expected);
}

pub(crate) async fn a_sample_has_its_index(store: &Store) {
    let writer = writer(store).await;
    let types = ["custom.order.paid", "custom.order.sent", "custom.order.late", "custom.x"];
    for batch in (0..2400_u128).collect::<Vec<_>>().chunks(500) {
        let made = |&n: &u128| {
            let made = event(n, types[(n % 4) as usize]);
            plain(Event { received_at: later(n as i64), ..made })
        };
        commit(store, writer, &batch.iter().map(made).collect::<Vec<_>>()).await;
    }
    events::analyze(&mut store.write().await.unwrap()).await.unwrap();
    let mut conn = store.read().await.unwrap();
    let middle = Place { received_at: later(2300), sequence: 2300 };
    let day = Sample { from: Some(later(400)), to: Some(later(2000)), ..OURS };
    for sample in [OURS, day] {
        for after in [None, Some(middle)] {
            let plan = sample::explain(&mut conn, sample, after).await.unwrap().join("\n");
            assert!(plan.contains("omni_events_by_type"), "{plan}");
            // What is little to read may be sorted after.
            let is_long = sample.from.is_none();
            let sorts = plan.contains("Sort") || plan.contains("B-TREE");
            assert!(!(is_long && sorts), "{plan}");
        }
    }
}
