//! Reading events, and the outbox.

use omni_events::{Direction, TypePattern};
use omni_store::{
    Error, Store,
    events::{self, Filter, PENDING, Page},
    executions::{self, Done, NewOutcome},
    outbox,
};

use crate::fixtures::{commit, event, id, later, now, of_org, plain, sequence, writer};

const ALL: Page = Page { after: None, limit: 100, ascending: true };

async fn numbers(store: &Store, filter: &Filter) -> Vec<u128> {
    let mut conn = store.read().await.unwrap();
    let found = events::list(&mut conn, "default", filter, &ALL).await.unwrap();
    found.iter().map(|stored| stored.event.id.as_u128() - id(0).as_u128()).collect()
}

fn types(patterns: &[&str]) -> Filter {
    let types = patterns.iter().map(|pattern| TypePattern::parse(pattern).unwrap()).collect();
    Filter { types, ..Filter::default() }
}

pub(crate) async fn filters_select(store: &Store) {
    let writer = writer(store).await;
    let mut first = event(1, "message.received");
    first.metadata.channel_type = Some("whatsapp".into());
    first.metadata.instance_id = Some("wa-001".into());
    first.metadata.direction = Some(Direction::Inbound);
    let mut second = event(2, "custom.webhook.github");
    second.source = "webhook:github".into();
    second.metadata.provider_event_id = Some("72d3".into());
    second.time = later(10);
    let third = event(3, "custom.webhook.github.push");
    let fourth = event(4, "custom.webhook.gitlab.push");
    let outcome = outcome(3, "failed");
    commit(store, writer, &[first, second, third, fourth].map(plain)).await;
    let mut conn = store.write().await.unwrap();
    executions::commit_batch(&mut conn, &[Done { outcome, executions: vec![], dead: vec![] }])
        .await
        .unwrap();
    drop(conn);

    assert_eq!(numbers(store, &Filter::default()).await, [1, 2, 3, 4]);
    assert_eq!(numbers(store, &types(&["message.received"])).await, [1]);
    assert_eq!(numbers(store, &types(&["message.*", "custom.webhook.*.push"])).await, [1, 3, 4]);
    assert_eq!(numbers(store, &types(&["custom.webhook.github.>"])).await, [3]);
    assert_eq!(numbers(store, &types(&["custom.webhook.*"])).await, [2]);
    assert_eq!(numbers(store, &types(&[">"])).await, [1, 2, 3, 4]);
    assert_eq!(
        numbers(store, &types(&["custom.webhook.github", "message.received"])).await,
        [1, 2]
    );
    let text = |value: &str| Some(value.to_owned());
    let none = Filter::default;
    let cases: [(Filter, &[u128]); 10] = [
        (Filter { source: text("webhook:github"), ..none() }, &[2]),
        (Filter { channel_type: text("whatsapp"), ..none() }, &[1]),
        (Filter { instance_id: text("wa-002"), ..none() }, &[]),
        (Filter { correlation_id: text("c-4"), ..none() }, &[4]),
        (Filter { provider_event_id: text("72d3"), ..none() }, &[2]),
        (Filter { direction: Some(Direction::Inbound), ..none() }, &[1]),
        (Filter { status: text("failed"), ..none() }, &[3]),
        (Filter { status: text(PENDING), ..none() }, &[1, 2, 4]),
        (Filter { from: Some(later(10)), ..none() }, &[2]),
        (Filter { to: Some(later(10)), ..none() }, &[1, 3, 4]),
    ];
    for (filter, expected) in cases {
        assert_eq!(numbers(store, &filter).await, expected, "{filter:?}");
    }
}

fn outcome(number: u128, status: &str) -> NewOutcome {
    NewOutcome {
        event_id: id(number),
        org: "default".into(),
        status: status.into(),
        retry_count: 0,
        processed_at: now(),
        executions: 0,
        error: None,
        received_at: now(),
    }
}

pub(crate) async fn pages_join_up(store: &Store) {
    let writer = writer(store).await;
    // Every second event is left out by the pattern, so that a page is filled from more than one query.
    let batch: Vec<_> = (0..20)
        .map(|n| plain(event(n, if n % 2 == 0 { "custom.a.x" } else { "custom.a.x.y" })))
        .collect();
    commit(store, writer, &batch).await;
    let mut conn = store.read().await.unwrap();
    for ascending in [true, false] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = Page { after, limit: 3, ascending };
            let found =
                events::list(&mut conn, "default", &types(&["custom.*.x"]), &page).await.unwrap();
            let Some(last) = found.last() else { break };
            after = Some(last.sequence);
            seen.extend(found.into_iter().map(|stored| stored.event.id));
        }
        let mut expected: Vec<_> = (0..20).filter(|n| n % 2 == 0).map(id).collect();
        if !ascending {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

pub(crate) async fn causes_are_followed_up(store: &Store) {
    let writer = writer(store).await;
    let mut batch = vec![plain(event(0, "custom.root"))];
    for n in 1..5 {
        let mut caused = event(n, "custom.caused");
        caused.metadata.causation_id = Some(id(n - 1));
        batch.push(plain(caused));
    }
    commit(store, writer, &batch).await;
    let mut conn = store.read().await.unwrap();
    let chain = events::ancestry(&mut conn, "default", id(4), 16).await.unwrap();
    let ids: Vec<_> = chain.iter().map(|ancestor| ancestor.id).collect();
    assert_eq!(ids, [4, 3, 2, 1, 0].map(id));
    assert_eq!(chain[4].event_type, "custom.root");
    let cut = events::ancestry(&mut conn, "default", id(4), 2).await.unwrap();
    assert_eq!(cut.len(), 2);
}

pub(crate) async fn another_tenant_sees_nothing(store: &Store) {
    let writer = writer(store).await;
    commit(store, writer, &[plain(of_org("acme", event(1, "custom.x")))]).await;
    let mut conn = store.read().await.unwrap();
    assert_eq!(events::get(&mut conn, "default", id(1)).await.unwrap(), None);
    assert_eq!(events::count(&mut conn, "default").await.unwrap(), 0);
    assert_eq!(events::ancestry(&mut conn, "default", id(1), 16).await.unwrap(), []);
    let all = events::list(&mut conn, "default", &Filter::default(), &ALL).await.unwrap();
    assert_eq!(all, []);
    assert_eq!(events::count(&mut conn, "acme").await.unwrap(), 1);
}

pub(crate) async fn unpublished_events_are_those_of_the_writer(store: &Store) {
    let (one, two) = (writer(store).await, writer(store).await);
    let mine = commit(store, one, &[1, 2, 3].map(|n| plain(event(n, "custom.x")))).await;
    commit(store, two, &[plain(event(4, "custom.x"))]).await;
    let first = sequence(mine[0]);
    let mut conn = store.read().await.unwrap();
    let left = outbox::unpublished(&mut conn, one, first, 10).await.unwrap();
    let ids: Vec<_> = left.iter().map(|(_, event)| event.id).collect();
    assert_eq!(ids, [id(2), id(3)]);
    assert_eq!(outbox::unpublished(&mut conn, one, 0, 1).await.unwrap()[0].0, first);
    drop(conn);

    // A writer that comes later has nothing to publish of what was there before.
    let three = writer(store).await;
    let mut conn = store.read().await.unwrap();
    let writers = outbox::writers(&mut conn).await.unwrap();
    let ids: Vec<_> = writers.iter().map(|writer| writer.id).collect();
    assert_eq!(ids, [one, two, three]);
    assert!(writers[2].published_through >= sequence(mine[2]));
}

pub(crate) async fn a_watermark_never_goes_back(store: &Store) {
    let writer = writer(store).await;
    let mut conn = store.write().await.unwrap();
    outbox::set_published(&mut conn, writer, 7, later(1)).await.unwrap();
    outbox::set_published(&mut conn, writer, 3, later(2)).await.unwrap();
    let batch = [plain(event(1, "custom.x"))];
    events::commit_batch(&mut conn, writer, 5, later(3), &batch).await.unwrap();
    let found = outbox::writers(&mut conn).await.unwrap();
    assert_eq!((found[0].published_through, found[0].heartbeat_at), (7, later(3)));
    assert_eq!(found[0].name, "test");
}

pub(crate) async fn a_living_writer_is_not_retired(store: &Store) {
    let writer = writer(store).await;
    let mut conn = store.write().await.unwrap();
    outbox::set_published(&mut conn, writer, 0, later(1)).await.unwrap();
    assert!(!outbox::fence(&mut conn, writer, now()).await.unwrap());
    assert!(!outbox::retire(&mut conn, writer, now()).await.unwrap());
    let batch = [plain(event(1, "custom.x"))];
    events::commit_batch(&mut conn, writer, 0, later(2), &batch).await.unwrap();
}

pub(crate) async fn a_fenced_writer_leaves_its_events_to_others(store: &Store) {
    let writer = writer(store).await;
    let left = commit(store, writer, &[1, 2].map(|n| plain(event(n, "custom.x")))).await;
    let mut conn = store.write().await.unwrap();
    assert!(outbox::fence(&mut conn, writer, now()).await.unwrap());
    assert!(outbox::fence(&mut conn, writer, now()).await.unwrap(), "a second process may, too");
    let batch = [plain(event(3, "custom.x"))];
    let refused = events::commit_batch(&mut conn, writer, 0, later(1), &batch).await.unwrap_err();
    assert!(matches!(refused, Error::WriterRetired { .. }), "{refused}");
    assert!(outbox::set_published(&mut conn, writer, 0, later(2)).await.is_err());

    let found = outbox::writers(&mut conn).await.unwrap();
    assert_eq!((found[0].fenced, found[0].published_through), (true, 0));
    let missed = outbox::unpublished(&mut conn, writer, 0, 10).await.unwrap();
    let sequences: Vec<_> = missed.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, [sequence(left[0]), sequence(left[1])]);
    assert!(outbox::retire(&mut conn, writer, now()).await.unwrap());
    assert!(!outbox::retire(&mut conn, writer, now()).await.unwrap());
    assert_eq!(outbox::writers(&mut conn).await.unwrap(), []);
}
