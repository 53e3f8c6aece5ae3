//! The group commit.

use std::collections::HashSet;

use omni_events::{Direction, Metadata, Payload, Priority, Replay};
use omni_store::{
    Error, Store,
    events::{self, Committed, NewPayload},
    outbox,
    payloads::{self, Body},
};

use crate::fixtures::{commit, event, id, keyed, later, now, of_org, plain, sequence, writer};

pub(crate) async fn an_event_comes_back_as_it_went(store: &Store) {
    let text = r#" { "b": 1.50, "a": 9007199254740993, "b": "\u0000é" } "#;
    let mut full = event(1, "custom.webhook.github.push");
    // No such payload is taken any more, but what was stays.
    full.payload = Payload::kept(text.as_bytes().to_vec().into()).unwrap();
    full.schema_version = Some(3);
    full.time = later(-5);
    full.metadata = Metadata {
        channel_type: Some("whatsapp".into()),
        instance_id: Some("wa-001".into()),
        causation_id: Some(id(77)),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        hops: 16,
        priority: Some(Priority::Critical),
        triggered_by: Some("alice".into()),
        idempotency_key: Some("k-1".into()),
        replay_of: Some(id(78)),
        provider: Some("github".into()),
        provider_event_id: Some("72d3162e".into()),
        direction: Some(Direction::Inbound),
        replay: Some(Box::new(Replay {
            id: id(79),
            automation_id: Some(id(80)),
            repeat_effects: true,
            dead_letter: false,
        })),
        sender_identity_id: Some(id(81)),
        sender_handle: Some("+351 911".into()),
        recipient_identity_id: Some(id(82)),
        recipient_handle: Some("@shop".into()),
        content_type: Some("image".into()),
        content_text: Some("Olá, mundo".into()),
        content_media_url: Some("https://media.example/1".into()),
        extra: Some(Payload::parse(br#"{"thread": 1.0}"#.to_vec().into()).unwrap()),
        ..full.metadata
    };
    let mut bare = event(2, "custom.bare");
    bare.metadata.correlation_id = bare.id.to_string();
    let writer = writer(store).await;
    commit(store, writer, &[plain(full.clone()), plain(bare.clone())]).await;

    let mut conn = store.read().await.unwrap();
    for sent in [full, bare] {
        let stored = events::get(&mut conn, "default", sent.id).await.unwrap().unwrap();
        assert_eq!(stored.event.payload.as_str(), sent.payload.as_str());
        assert_eq!(stored.event, sent);
        assert_eq!(stored.outcome, None);
    }
    assert_eq!(events::get(&mut conn, "default", id(3)).await.unwrap(), None);
}

pub(crate) async fn sequences_ascend_in_the_order_of_the_batch(store: &Store) {
    let writer = writer(store).await;
    let mut last = 0;
    for batch in 0..3 {
        // Ids that descend: the order is that of the batch and not that of the ids.
        let batch: Vec<_> =
            (0..10).map(|n| plain(event(1000 - batch * 10 - n, "custom.x"))).collect();
        for answer in commit(store, writer, &batch).await {
            assert!(sequence(answer) > last);
            last = sequence(answer);
        }
    }
}

pub(crate) async fn a_repeat_is_answered_like_the_first(store: &Store) {
    let writer = writer(store).await;
    let answers = commit(
        store,
        writer,
        &[
            keyed(event(1, "custom.x"), "a", 1),
            keyed(event(2, "custom.x"), "a", 1),
            keyed(event(3, "custom.x"), "a", 2),
            keyed(event(4, "custom.x"), "b", 1),
        ],
    )
    .await;
    let first = sequence(answers[0]);
    assert_eq!(answers[1], Committed::Repeat { event_id: id(1), sequence: first });
    assert_eq!(answers[2], Committed::Conflict { event_id: id(1) });
    assert!(matches!(answers[3], Committed::New { .. }));

    let again = [
        keyed(event(5, "custom.x"), "c", 1),
        keyed(event(6, "custom.x"), "a", 1),
        keyed(event(7, "custom.x"), "b", 9),
        keyed(event(8, "custom.x"), "a", 1),
    ];
    let answers = commit(store, writer, &again).await;
    assert!(matches!(answers[0], Committed::New { .. }));
    assert_eq!(answers[1], Committed::Repeat { event_id: id(1), sequence: first });
    assert_eq!(answers[2], Committed::Conflict { event_id: id(4) });
    assert_eq!(answers[3], answers[1]);
    let mut conn = store.read().await.unwrap();
    assert_eq!(events::count(&mut conn, "default").await.unwrap(), 3);
}

pub(crate) async fn keys_of_others_do_not_meet(store: &Store) {
    let writer = writer(store).await;
    let mut other_scope = keyed(event(3, "custom.x"), "a", 1);
    other_scope.dedupe.as_mut().unwrap().scope = "api".into();
    let batch = [
        keyed(event(1, "custom.x"), "a", 1),
        keyed(of_org("acme", event(2, "custom.x")), "a", 1),
        other_scope,
    ];
    for answer in commit(store, writer, &batch).await {
        sequence(answer);
    }
}

pub(crate) async fn an_expired_key_is_taken_over(store: &Store) {
    let writer = writer(store).await;
    commit(store, writer, &[keyed(event(1, "custom.x"), "a", 1)]).await;
    let mut conn = store.write().await.unwrap();
    let second = [keyed(event(2, "custom.x"), "a", 2)];
    let just_before = later(59);
    let answers = events::commit_batch(&mut conn, writer, 0, just_before, &second).await.unwrap();
    assert_eq!(answers, [Committed::Conflict { event_id: id(1) }]);
    let at_expiry = later(60);
    let answers = events::commit_batch(&mut conn, writer, 0, at_expiry, &second).await.unwrap();
    let taken_over = sequence(answers[0]);

    let third = [keyed(event(3, "custom.x"), "a", 2)];
    let answers = events::commit_batch(&mut conn, writer, 0, now(), &third).await.unwrap();
    assert_eq!(answers, [Committed::Repeat { event_id: id(2), sequence: taken_over }]);
    assert_eq!(events::purge_keys(&mut conn, later(59), 10).await.unwrap(), 0);
    assert_eq!(events::purge_keys(&mut conn, later(60), 10).await.unwrap(), 1);
}

pub(crate) async fn a_batch_that_is_sent_again_is_all_repeats(store: &Store) {
    let writer = writer(store).await;
    let batch: Vec<_> = (0..100)
        .map(|n| {
            if n % 2 == 0 {
                plain(event(n, "custom.x"))
            } else {
                keyed(event(n, "custom.x"), &format!("k{n}"), 1)
            }
        })
        .collect();
    let first = commit(store, writer, &batch).await;
    let second = commit(store, writer, &batch).await;
    for ((new, first), second) in batch.iter().zip(first).zip(second) {
        let expected = Committed::Repeat { event_id: new.event.id, sequence: sequence(first) };
        assert_eq!(second, expected);
    }
}

pub(crate) async fn an_id_of_another_tenant_is_a_conflict(store: &Store) {
    let writer = writer(store).await;
    commit(store, writer, &[plain(event(1, "custom.x"))]).await;
    let batch = [plain(of_org("acme", event(1, "custom.x"))), plain(event(2, "custom.x"))];
    let answers = commit(store, writer, &batch).await;
    assert_eq!(answers[0], Committed::Conflict { event_id: id(1) });
    sequence(answers[1]);
}

pub(crate) async fn a_retired_writer_commits_nothing(store: &Store) {
    let writer = writer(store).await;
    let mut conn = store.write().await.unwrap();
    assert!(outbox::retire(&mut conn, writer, now()).await.unwrap());
    let batch = [keyed(event(1, "custom.x"), "a", 1)];
    let refused = events::commit_batch(&mut conn, writer, 0, now(), &batch).await.unwrap_err();
    assert!(matches!(refused, Error::WriterRetired { writer: w } if w == writer), "{refused}");
    assert_eq!(events::count(&mut conn, "default").await.unwrap(), 0);
    drop(conn);

    // The connection is as good as new, and the key was not claimed.
    let next = crate::fixtures::writer(store).await;
    assert_ne!(next, writer, "a number is never given twice");
    sequence(commit(store, next, &batch).await[0]);
}

pub(crate) async fn a_large_batch_is_answered_in_order(store: &Store) {
    let writer = writer(store).await;
    let old: Vec<_> = (0..300)
        .filter(|n| n % 3 == 0)
        .map(|n| keyed(event(n, "custom.x"), &format!("k{n}"), 1))
        .collect();
    commit(store, writer, &old).await;
    let batch: Vec<_> =
        (0..300).map(|n| keyed(event(10_000 + n, "custom.x"), &format!("k{n}"), 1)).collect();
    for (n, answer) in commit(store, writer, &batch).await.into_iter().enumerate() {
        match answer {
            Committed::Repeat { event_id, .. } if n % 3 == 0 => assert_eq!(event_id, id(n as u128)),
            Committed::New { .. } if n % 3 != 0 => {}
            other => panic!("event {n} was answered {other:?}"),
        }
    }
    let mut conn = store.read().await.unwrap();
    assert_eq!(events::count(&mut conn, "default").await.unwrap(), 300);
}

pub(crate) async fn one_of_many_concurrent_senders_wins(store: &Store) {
    // Each task sends the same forty keys, in an order of its own.
    let tasks = (0..8u128).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            let writer = writer(&store).await;
            let mut batch: Vec<_> = (0..40)
                .map(|n| keyed(event(task * 1000 + n, "custom.x"), &format!("k{n}"), 1))
                .collect();
            batch.rotate_left(usize::try_from(task).unwrap() * 5);
            commit(&store, writer, &batch).await
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let (mut new, mut named) = (0, HashSet::new());
    for task in tasks {
        for answer in task.await.unwrap() {
            match answer {
                Committed::New { .. } => new += 1,
                Committed::Repeat { event_id, .. } => drop(named.insert(event_id)),
                Committed::Conflict { .. } => panic!("the bodies are equal"),
            }
        }
    }
    assert_eq!((new, named.len()), (40, 40));
}

pub(crate) async fn what_was_received_is_kept(store: &Store) {
    let writer = writer(store).await;
    let capture = |stage: &str, body: Option<&'static [u8]>| {
        let headers = r#"{"x-github-event":"push"}"#.to_owned();
        NewPayload::new(stage, Some("application/json".to_owned()), headers, body)
    };
    let mut same = plain(event(1, "custom.x"));
    same.capture = Some(capture("received", None));
    let mut other = plain(event(2, "custom.x"));
    other.capture = Some(capture("received", Some(b"a=1\0\xff")));
    commit(store, writer, &[same, other]).await;

    let mut conn = store.read().await.unwrap();
    let stages = payloads::list(&mut conn, "default", id(1), 1000).await.unwrap();
    assert_eq!(stages.len(), 1);
    assert_eq!((stages[0].head.stage.as_str(), &stages[0].body), ("received", &Body::Payload));
    assert_eq!(stages[0].head.created_at, now());
    let stage = payloads::get(&mut conn, "default", id(2), "received", 0).await.unwrap().unwrap();
    assert_eq!(stage.body, Body::Bytes(b"a=1\0\xff".to_vec()));
    assert_eq!(payloads::get(&mut conn, "acme", id(2), "received", 0).await.unwrap(), None);
}
