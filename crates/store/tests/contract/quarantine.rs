//! What sources refused: bounded per source, listed in pages, released once, purged when it is old.

use omni_store::{
    Conn, Store,
    quarantine::{self, Bounds, Filter, QuarantineRow, REFUSED, RELEASED, Release},
};

use crate::fixtures::{id, later, now};

const BOUNDS: Bounds = Bounds { rows: 3, bytes: 100 };

fn row(number: u128, source: &str, size: i64) -> QuarantineRow {
    QuarantineRow {
        id: id(number),
        org: "default".into(),
        source: source.into(),
        code: if number.is_multiple_of(2) { "header-missing" } else { "signature-mismatch" }.into(),
        reason: "the signature does not match".into(),
        method: Some("POST".into()),
        path: Some("/webhooks/github?a=…".into()),
        content_type: None,
        headers: "[]".into(),
        body: Vec::new(),
        sealed_head: Some(b"\0\xff".to_vec()),
        size,
        remote: Some("127.0.0.1:7400".into()),
        received_at: now(),
        status: REFUSED.into(),
        event_ids: None,
        forced: false,
        note: None,
        released_at: None,
    }
}

async fn keep(conn: &mut Conn, row: &QuarantineRow) {
    quarantine::insert(conn, row, None, BOUNDS).await.unwrap();
}

async fn ids(conn: &mut Conn, source: &str, filter: &Filter) -> Vec<uuid::Uuid> {
    let rows = quarantine::list(conn, ("default", source), filter, 100).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

pub(crate) async fn of_each_source_the_newest_are_kept(store: &Store) {
    let mut conn = store.write().await.unwrap();
    keep(&mut conn, &row(1, "other", 1)).await;
    for number in 2..10 {
        keep(&mut conn, &row(number, "github", 1)).await;
    }
    let all = Filter::default();
    let kept = quarantine::list(&mut conn, ("default", "github"), &all, 100).await.unwrap();
    assert_eq!(kept, [row(9, "github", 1), row(8, "github", 1), row(7, "github", 1)]);
    assert_eq!(ids(&mut conn, "other", &all).await, [id(1)], "the other source kept its own");
}

pub(crate) async fn the_bytes_of_a_source_are_bounded(store: &Store) {
    let mut conn = store.write().await.unwrap();
    let all = Filter::default();
    keep(&mut conn, &row(1, "github", 60)).await;
    keep(&mut conn, &row(2, "github", 40)).await;
    assert_eq!(ids(&mut conn, "github", &all).await, [id(2), id(1)], "exactly the bound");
    keep(&mut conn, &row(3, "github", 1)).await;
    assert_eq!(ids(&mut conn, "github", &all).await, [id(3), id(2)]);
    let long = row(4, "github", 1000);
    quarantine::insert(&mut conn, &long, Some(b"long\0\xff"), BOUNDS).await.unwrap();
    assert_eq!(ids(&mut conn, "github", &all).await, [id(4)], "the newest stays, whatever it has");
    let place = ("default", "github");
    let body = quarantine::sealed_body(&mut conn, place, id(4)).await.unwrap();
    assert_eq!(body.as_deref(), Some(&b"long\0\xff"[..]));
    assert_eq!(quarantine::sealed_body(&mut conn, place, id(3)).await.unwrap(), None);
}

pub(crate) async fn a_page_goes_on_where_the_last_ended(store: &Store) {
    let mut conn = store.write().await.unwrap();
    for number in 1..4 {
        keep(&mut conn, &row(number, "github", 1)).await;
    }
    let first = quarantine::list(&mut conn, ("default", "github"), &Filter::default(), 2).await;
    let last = first.unwrap().last().unwrap().id;
    let next = Filter { before: Some(last), ..Filter::default() };
    assert_eq!(ids(&mut conn, "github", &next).await, [id(1)]);
    let odd = Filter { code: Some("signature-mismatch".into()), ..Filter::default() };
    assert_eq!(ids(&mut conn, "github", &odd).await, [id(3), id(1)]);
    let released = Filter { status: Some(RELEASED.into()), ..Filter::default() };
    assert!(ids(&mut conn, "github", &released).await.is_empty());
}

pub(crate) async fn a_request_is_released_once(store: &Store) {
    let mut conn = store.write().await.unwrap();
    keep(&mut conn, &row(1, "github", 1)).await;
    let place = ("default", "github");
    let released = Release {
        event_ids: "[\"e\"]".into(),
        forced: true,
        note: Some("mended".into()),
        at: later(5),
    };
    assert!(quarantine::release(&mut conn, place, id(1), &released).await.unwrap());
    let second = Release { event_ids: "[]".into(), forced: false, note: None, at: later(6) };
    assert!(!quarantine::release(&mut conn, place, id(1), &second).await.unwrap());
    let stored = quarantine::get(&mut conn, place, id(1)).await.unwrap().unwrap();
    let expected = QuarantineRow {
        status: RELEASED.into(),
        event_ids: Some("[\"e\"]".into()),
        forced: true,
        note: Some("mended".into()),
        released_at: Some(later(5)),
        ..row(1, "github", 1)
    };
    assert_eq!(stored, expected, "the first word counts");
    assert!(quarantine::remove(&mut conn, place, id(1)).await.unwrap());
    assert!(!quarantine::remove(&mut conn, place, id(1)).await.unwrap());
}

pub(crate) async fn another_tenant_finds_nothing(store: &Store) {
    let mut conn = store.write().await.unwrap();
    keep(&mut conn, &row(1, "github", 1)).await;
    for place in [("acme", "github"), ("default", "gitlab")] {
        assert!(quarantine::get(&mut conn, place, id(1)).await.unwrap().is_none());
        assert!(!quarantine::remove(&mut conn, place, id(1)).await.unwrap());
        let rows = quarantine::list(&mut conn, place, &Filter::default(), 10).await.unwrap();
        assert!(rows.is_empty());
    }
}

pub(crate) async fn what_is_old_is_purged_a_few_at_once(store: &Store) {
    let mut conn = store.write().await.unwrap();
    for number in 1..4 {
        let received_at = later(i64::try_from(number).unwrap());
        keep(&mut conn, &QuarantineRow { received_at, ..row(number, "github", 1) }).await;
    }
    assert_eq!(quarantine::purge(&mut conn, later(3), 1).await.unwrap(), 1);
    assert_eq!(quarantine::purge(&mut conn, later(3), 9).await.unwrap(), 1);
    assert_eq!(quarantine::purge(&mut conn, later(3), 9).await.unwrap(), 0);
    assert_eq!(ids(&mut conn, "github", &Filter::default()).await, [id(3)]);
}
