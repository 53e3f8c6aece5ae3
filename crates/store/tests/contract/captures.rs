//! Captures: added, listed, expired, deleted; policies; payloads taken out for good.

use chrono::{DateTime, TimeDelta, Utc};
use omni_events::{Event, Metadata, Payload, Replay};
use omni_store::{
    Store,
    capture_policies::{self, PolicyRow},
    dead_letters::{self, NewDeadLetter, PENDING},
    events::{self, Filter, NewEvent, NewPayload, Page, purge_keys},
    expunges,
    payloads::{self, Added, Body, EXPIRED, NewPart, PayloadRow},
};

use crate::fixtures::{commit, event, id, keyed, later, now, of_org, plain, writer};

fn part(number: u128, stage: &str, body: &[u8], expires_at: Option<DateTime<Utc>>) -> NewPart {
    let headers = r#"[["x-n","1"]]"#.to_owned();
    let mut payload = NewPayload::new(stage, Some("text/plain".into()), headers, Some(body));
    payload.expires_at = expires_at;
    NewPart { event_id: id(number), org: "default".into(), at: now(), payload }
}

async fn add(store: &Store, parts: &[NewPart]) -> Vec<Added> {
    payloads::add(&mut store.write().await.unwrap(), parts).await.unwrap()
}

async fn list(store: &Store, number: u128) -> Vec<PayloadRow> {
    let mut conn = store.read().await.unwrap();
    payloads::list(&mut conn, "default", id(number), 1 << 20).await.unwrap()
}

fn bodies(rows: &[PayloadRow]) -> Vec<(&str, i32, &Body)> {
    rows.iter().map(|row| (row.head.stage.as_str(), row.head.part, &row.body)).collect()
}

fn bytes(text: &[u8]) -> Body {
    Body::Bytes(text.to_vec())
}

pub(crate) async fn later_captures_are_numbered_by_stage(store: &Store) {
    let writer = writer(store).await;
    let mut first = plain(event(1, "custom.x"));
    first.capture = Some(NewPayload::new("webhook_raw", None, "[]".into(), None));
    commit(store, writer, &[first, plain(of_org("acme", event(2, "custom.x")))]).await;
    let long = b"answer ".repeat(100);
    let parts = [
        part(1, "agent_request", b"a", None),
        part(1, "agent_response", &long, None),
        part(1, "agent_request", b"\0\xff", Some(later(9))),
        part(3, "error", b"nobody", None),
        part(2, "error", b"of another organisation", None),
        part(1, "webhook_raw", b"again", None),
    ];
    let added = add(store, &parts).await;
    let wanted = [
        Added::Part(0),
        Added::Part(0),
        Added::Part(1),
        Added::NoEvent,
        Added::NoEvent,
        Added::Part(1),
    ];
    assert_eq!(added, wanted);
    let rows = list(store, 1).await;
    assert_eq!(
        bodies(&rows),
        [
            ("agent_request", 0, &bytes(b"a")),
            ("agent_request", 1, &bytes(b"\0\xff")),
            ("agent_response", 0, &bytes(&long)),
            ("webhook_raw", 0, &Body::Payload),
            ("webhook_raw", 1, &bytes(b"again")),
        ]
    );
    let head = &rows[1].head;
    assert_eq!((head.size, head.created_at, head.expires_at), (2, now(), Some(later(9))));
    assert_eq!((head.content_type.as_deref(), rows[2].head.size), (Some("text/plain"), 700));
    let mut conn = store.read().await.unwrap();
    let second = payloads::get(&mut conn, "default", id(1), "agent_request", 1).await.unwrap();
    assert_eq!(second.as_ref(), Some(&rows[1]));
    assert_eq!(payloads::get(&mut conn, "acme", id(1), "agent_request", 1).await.unwrap(), None);
    // A list stays within its bytes and says what it left out.
    let short = payloads::list(&mut conn, "default", id(1), 100).await.unwrap();
    assert_eq!(short[2].body, Body::LeftOut);
    assert_eq!(short[4].body, bytes(b"again"));
}

pub(crate) async fn what_has_expired_is_told_then_deleted_then_forgotten(store: &Store) {
    let writer = writer(store).await;
    let events = [plain(event(1, "custom.a")), plain(event(2, "custom.b"))];
    let other = plain(of_org("acme", event(3, "custom.a")));
    commit(store, writer, &[events.as_slice(), &[other]].concat()).await;
    let mut parts = vec![
        part(1, "error", &b"e".repeat(500), Some(later(10))),
        part(1, "error", b"f", Some(later(20))),
        part(1, "webhook_raw", b"g", Some(later(10))),
        part(2, "error", b"for ever", None),
        part(2, "error", b"h", Some(later(10))),
    ];
    let mut foreign = part(3, "error", b"theirs", Some(later(10)));
    foreign.org = "acme".into();
    parts.push(foreign);
    parts[1].at = later(5);
    add(store, &parts).await;

    let mut conn = store.write().await.unwrap();
    assert!(payloads::due(&mut conn, "default", later(9)).await.unwrap().is_empty());
    let due = payloads::due(&mut conn, "default", later(20)).await.unwrap();
    let told: Vec<_> =
        due.iter().map(|d| (d.event_type.as_str(), d.stage.as_str(), d.parts, d.size)).collect();
    let wanted = [
        ("custom.a", "error", 2, 501),
        ("custom.a", "webhook_raw", 1, 1),
        ("custom.b", "error", 1, 1),
    ];
    assert_eq!(told, wanted);
    assert!(due[0].bytes > 0 && due[0].bytes < 100, "compressed: {}", due[0].bytes);
    assert_eq!((due[0].oldest, due[0].newest), (now(), later(5)));

    // Those of one organisation only, little by little; the last has not expired.
    let expire = async |conn: &mut _, org, limit| {
        payloads::expire(conn, org, later(10), limit).await.unwrap()
    };
    assert_eq!(expire(&mut conn, Some("default"), 2).await, 2);
    assert_eq!(expire(&mut conn, Some("default"), 2).await, 1);
    assert_eq!(expire(&mut conn, Some("default"), 2).await, 0);
    assert_eq!(expire(&mut conn, None, 100).await, 1);
    drop(conn);
    let rows = list(store, 1).await;
    assert_eq!(
        bodies(&rows),
        [("error", 0, &Body::Gone), ("error", 1, &bytes(b"f")), ("webhook_raw", 0, &Body::Gone)]
    );
    let head = &rows[0].head;
    assert_eq!((head.deleted_at, head.deleted_reason.as_deref()), (Some(later(10)), Some(EXPIRED)));
    assert_eq!((head.size, head.headers.as_str()), (500, r#"[["x-n","1"]]"#));

    // A number is not given again while its row is there.
    assert_eq!(add(store, &[part(1, "error", b"i", None)]).await, [Added::Part(2)]);
    let mut conn = store.write().await.unwrap();
    assert_eq!(payloads::remove(&mut conn, later(9), 100).await.unwrap(), 0);
    assert_eq!(payloads::remove(&mut conn, later(10), 3).await.unwrap(), 3);
    assert_eq!(payloads::remove(&mut conn, later(10), 3).await.unwrap(), 1);
    drop(conn);
    assert_eq!(list(store, 1).await.len(), 2);
    assert_eq!(bodies(&list(store, 2).await), [("error", 0, &bytes(b"for ever"))]);
}

pub(crate) async fn several_may_delete_at_once(store: &Store) {
    let writer = writer(store).await;
    commit(store, writer, &[plain(event(1, "custom.a"))]).await;
    let parts: Vec<NewPart> =
        (0..60).map(|n| part(1, "error", &[n], Some(later(n.into())))).collect();
    add(store, &parts).await;
    let worker = async || {
        let mut all = 0;
        loop {
            let mut conn = store.write().await.unwrap();
            let gone = payloads::expire(&mut conn, None, later(99), 7).await.unwrap();
            drop(conn);
            all += gone;
            if gone == 0 {
                return all;
            }
            tokio::task::yield_now().await;
        }
    };
    let done = futures_util::join!(worker(), worker(), worker(), worker());
    assert_eq!(done.0 + done.1 + done.2 + done.3, 60, "each part by one of them");
}

pub(crate) async fn captures_are_deleted_by_hand_with_a_reason(store: &Store) {
    let writer = writer(store).await;
    commit(store, writer, &[plain(event(1, "custom.a")), plain(event(2, "custom.a"))]).await;
    let parts = [
        part(1, "error", b"a", None),
        part(1, "webhook_raw", b"b", None),
        part(2, "error", b"c", None),
    ];
    add(store, &parts).await;
    let mut conn = store.write().await.unwrap();
    let delete = async |conn: &mut _, org, stage, reason, at| {
        payloads::delete(conn, org, id(1), stage, (reason, at)).await.unwrap()
    };
    assert_eq!(delete(&mut conn, "acme", None, "not theirs", later(1)).await, 0);
    assert_eq!(delete(&mut conn, "default", Some("error"), "asked for", later(1)).await, 1);
    assert_eq!(delete(&mut conn, "default", None, "everything", later(2)).await, 1);
    drop(conn);
    let rows = list(store, 1).await;
    assert_eq!(bodies(&rows), [("error", 0, &Body::Gone), ("webhook_raw", 0, &Body::Gone)]);
    assert_eq!(rows[0].head.deleted_reason.as_deref(), Some("asked for"));
    assert_eq!(rows[1].head.deleted_at, Some(later(2)));
    assert_eq!(bodies(&list(store, 2).await), [("error", 0, &bytes(b"c"))]);
}

pub(crate) async fn a_policy_is_set_replaced_and_deleted(store: &Store) {
    let row = |org: &str, event_type: &str, policy: &str| PolicyRow {
        org: org.into(),
        event_type: event_type.into(),
        policy: policy.into(),
        updated_at: now(),
    };
    let mut conn = store.write().await.unwrap();
    let mut before = capture_policies::revision(&mut conn).await.unwrap();
    for set in [
        row("default", "custom.b", "{}"),
        row("default", "custom.>", "{}"),
        row("acme", "custom.b", "{}"),
        row("default", "custom.b", r#"{"enabled":false}"#),
    ] {
        capture_policies::set(&mut conn, &set).await.unwrap();
        let after = capture_policies::revision(&mut conn).await.unwrap();
        assert!(after > before, "caches see every change");
        before = after;
    }
    let mine = capture_policies::list(&mut conn, "default").await.unwrap();
    let mine: Vec<_> = mine.iter().map(|r| (r.event_type.as_str(), r.policy.as_str())).collect();
    assert_eq!(mine, [("custom.>", "{}"), ("custom.b", r#"{"enabled":false}"#)]);
    assert_eq!(capture_policies::all(&mut conn).await.unwrap().len(), 3);
    assert!(capture_policies::delete(&mut conn, "default", "custom.b").await.unwrap());
    assert!(!capture_policies::delete(&mut conn, "default", "custom.b").await.unwrap());
    assert_eq!(capture_policies::revision(&mut conn).await.unwrap(), before + 1);
}

fn secret(number: u128) -> Event {
    let metadata = Metadata {
        content_text: Some(format!("canary{number} words")),
        content_media_url: Some("https://canary.invalid/".into()),
        extra: Some(Payload::parse(r#"{"canary":1}"#.into()).unwrap()),
        sender_handle: Some("+49".into()),
        ..event(number, "custom.x").metadata
    };
    let payload = Payload::parse(r#"{"card":"canary"}"#.into()).unwrap();
    Event { payload, metadata, ..event(number, "custom.x") }
}

fn replay_of(number: u128, original: u128) -> Event {
    let replay =
        Replay { id: id(99), automation_id: None, repeat_effects: false, dead_letter: true };
    let mut event = secret(number);
    event.metadata.replay_of = Some(id(original));
    event.metadata.replay = Some(Box::new(replay));
    event
}

fn letter(number: u128) -> NewDeadLetter {
    NewDeadLetter {
        id: dead_letters::id_of("automations", id(number)),
        org: "default".into(),
        event_id: id(number),
        event_type: "custom.x".into(),
        consumer: "automations".into(),
        automation_id: None,
        version: None,
        attempts: 3,
        errors: "[]".into(),
        message: Some(dead_letters::packed(b"canary")),
        status: PENDING.into(),
        retries: 0,
        next_retry_at: None,
        dead_at: now(),
        changed_at: now(),
        told: false,
    }
}

async fn found(store: &Store, text: &str) -> usize {
    let filter = Filter { text: Some(text.into()), ..Filter::default() };
    let page = Page { after: None, limit: 10, ascending: true };
    let mut conn = store.read().await.unwrap();
    events::list(&mut conn, "default", &filter, &page).await.unwrap().len()
}

async fn expunge(
    store: &Store,
    org: &str,
    number: u128,
    reason: &str,
    seconds: i64,
) -> Option<expunges::ExpungeRow> {
    let mut conn = store.write().await.unwrap();
    expunges::expunge(&mut conn, org, id(number), (reason, later(seconds))).await.unwrap()
}

pub(crate) async fn an_expunged_payload_is_gone_with_its_replays_and_captures(store: &Store) {
    let writer = writer(store).await;
    let news: Vec<NewEvent> =
        [secret(1), replay_of(2, 1), secret(3)].into_iter().map(plain).collect();
    commit(store, writer, &news).await;
    add(store, &[part(1, "error", b"canary", None), part(3, "error", b"stays", None)]).await;
    dead_letters::add(&mut store.write().await.unwrap(), &[letter(1)]).await.unwrap();
    assert_eq!(found(store, "canary1").await, 1);

    assert_eq!(expunge(store, "acme", 1, "not theirs", 1).await, None);
    let done = expunge(store, "default", 1, "asked by the person", 1).await.unwrap();
    assert_eq!((done.reason.as_str(), done.expunged_at), ("asked by the person", later(1)));

    let mut conn = store.read().await.unwrap();
    for number in [1, 2] {
        let stored = events::get(&mut conn, "default", id(number)).await.unwrap().unwrap();
        assert!(stored.is_expunged && stored.event.payload.as_str() == "null");
        let m = &stored.event.metadata;
        assert_eq!((&m.content_text, &m.content_media_url, &m.extra), (&None, &None, &None));
        assert_eq!(m.sender_handle.as_deref(), Some("+49"), "the envelope stays");
        assert!(expunges::get(&mut conn, "default", id(number)).await.unwrap().is_some());
    }
    let other = events::get(&mut conn, "default", id(3)).await.unwrap().unwrap();
    assert!(!other.is_expunged && other.event.payload.as_str().contains("canary"));
    let dead = dead_letters::id_of("automations", id(1));
    let dead = dead_letters::get(&mut conn, "default", dead).await.unwrap().unwrap();
    assert_eq!(dead.message, None);
    drop(conn);
    let rows = list(store, 1).await;
    assert_eq!(bodies(&rows), [("error", 0, &Body::Gone)]);
    assert_eq!(rows[0].head.headers, "[]");
    assert_eq!(rows[0].head.deleted_reason.as_deref(), Some(expunges::EXPUNGED));
    assert_eq!(bodies(&list(store, 3).await), [("error", 0, &bytes(b"stays"))]);
    assert_eq!((found(store, "canary1").await, found(store, "canary3").await), (0, 1));

    // Nothing is added any more, and a second time keeps the first reason.
    assert_eq!(add(store, &[part(1, "error", b"late", None)]).await, [Added::Expunged]);
    let again = expunge(store, "default", 1, "another reason", 5).await.unwrap();
    assert_eq!(again, done);
}

pub(crate) async fn expunging_again_takes_out_a_later_replay(store: &Store) {
    let writer = writer(store).await;
    commit(store, writer, &[plain(secret(1))]).await;
    expunge(store, "default", 1, "first", 1).await.unwrap();
    // A replay had read the payload before and stores it only now.
    commit(store, writer, &[plain(replay_of(2, 1))]).await;
    let done = expunge(store, "default", 2, "second", 2).await.unwrap();
    assert_eq!((done.event_id, done.reason.as_str()), (id(2), "second"));
    let mut conn = store.read().await.unwrap();
    assert!(events::get(&mut conn, "default", id(2)).await.unwrap().unwrap().is_expunged);
    let first = expunges::get(&mut conn, "default", id(1)).await.unwrap().unwrap();
    assert_eq!(first.reason, "first");
}

/// Whoever adds while another one expunges either is there to be taken out, or comes too late.
pub(crate) async fn a_capture_never_survives_an_expunge(store: &Store) {
    let writer = writer(store).await;
    for number in 1..20 {
        commit(store, writer, &[plain(secret(number))]).await;
        let parts = [part(number, "error", b"canary", None)];
        let adding = async {
            for _ in 0..3 {
                add(store, &parts).await;
            }
        };
        futures_util::join!(adding, expunge(store, "default", number, "now", 1));
        let rows = list(store, number).await;
        assert!(rows.iter().all(|row| row.body == Body::Gone), "{rows:?}");
    }
}

pub(crate) async fn keys_are_forgotten_a_few_at_once(store: &Store) {
    let writer = writer(store).await;
    let news: Vec<NewEvent> =
        (0..10).map(|n| keyed(event(n, "custom.x"), &format!("k-{n}"), 1)).collect();
    commit(store, writer, &news).await;
    let mut conn = store.write().await.unwrap();
    let past = later(60) + TimeDelta::seconds(1);
    assert_eq!(purge_keys(&mut conn, later(59), 100).await.unwrap(), 0);
    assert_eq!(purge_keys(&mut conn, past, 4).await.unwrap(), 4);
    assert_eq!(purge_keys(&mut conn, past, 100).await.unwrap(), 6);
}
