//! Reading events, and the outbox.

use omni_events::{Direction, Event, TypePattern};
use omni_store::{
    Error, Store,
    events::{self, Filter, PENDING, Page, StoredEvent},
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

/// Four events that differ in everything that can be asked for; the third has failed.
async fn fill(store: &Store) {
    let writer = writer(store).await;
    let mut first = event(1, "message.received");
    first.metadata.channel_type = Some("whatsapp".into());
    first.metadata.instance_id = Some("wa-001".into());
    first.metadata.direction = Some(Direction::Inbound);
    first.metadata.content_type = Some("image".into());
    first.metadata.sender_identity_id = Some(id(901));
    first.metadata.recipient_identity_id = Some(id(902));
    let mut second = event(2, "custom.webhook.github");
    second.source = "webhook:github".into();
    second.metadata.provider_event_id = Some("72d3".into());
    second.metadata.provider = Some("github".into());
    second.metadata.sender_identity_id = Some(id(902));
    second.metadata.recipient_identity_id = Some(id(902));
    // Only the time of receipt orders and bounds a list.
    second.time = later(-1000);
    let mut third = event(3, "custom.webhook.github.push");
    third.metadata.causation_id = Some(id(2));
    third.received_at = later(10);
    let mut fourth = event(4, "custom.webhook.gitlab.push");
    fourth.metadata.correlation_id = id(4).to_string();
    fourth.received_at = later(20);
    let outcome = NewOutcome { received_at: later(10), ..outcome(3, "failed") };
    commit(store, writer, &[first, second, third, fourth].map(plain)).await;
    let mut conn = store.write().await.unwrap();
    executions::commit_batch(&mut conn, &[Done { outcome, executions: vec![], dead: vec![] }])
        .await
        .unwrap();
}

pub(crate) async fn filters_select(store: &Store) {
    fill(store).await;
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
    let failed = || Filter { status: text("failed"), ..none() };
    let pending = || Filter { status: text(PENDING), ..none() };
    let of = |person| Filter { identity_id: Some(id(person)), ..none() };
    let cases: [(Filter, &[u128]); 29] = [
        (Filter { source: text("webhook:github"), ..none() }, &[2]),
        (Filter { channel_type: text("whatsapp"), ..none() }, &[1]),
        (Filter { instance_id: text("wa-001"), ..none() }, &[1]),
        (Filter { instance_id: text("wa-002"), ..none() }, &[]),
        (Filter { correlation_id: text("c-1"), ..none() }, &[1]),
        (Filter { correlation_id: Some(id(4).to_string()), ..none() }, &[4]),
        (Filter { correlation_id: Some(id(1).to_string()), ..none() }, &[]),
        (Filter { causation_id: Some(id(2)), ..none() }, &[3]),
        (Filter { provider: text("github"), ..none() }, &[2]),
        (Filter { provider_event_id: text("72d3"), ..none() }, &[2]),
        (Filter { provider_event_id: text("72d3"), provider: text("gitlab"), ..none() }, &[]),
        (Filter { direction: Some(Direction::Inbound), ..none() }, &[1]),
        (Filter { content_type: text("image"), ..none() }, &[1]),
        (of(901), &[1]),
        // Sent to themselves, and listed once.
        (of(902), &[1, 2]),
        (of(903), &[]),
        (Filter { types: types(&["custom.>"]).types, ..of(902) }, &[2]),
        (Filter { status: text(PENDING), ..of(902) }, &[1, 2]),
        (failed(), &[3]),
        (Filter { types: types(&["custom.webhook.>"]).types, ..failed() }, &[3]),
        (Filter { source: text("webhook:github"), ..failed() }, &[]),
        (Filter { correlation_id: text("c-3"), ..failed() }, &[3]),
        (Filter { to: Some(later(10)), ..failed() }, &[]),
        (Filter { from: Some(later(10)), to: Some(later(11)), ..failed() }, &[3]),
        (pending(), &[1, 2, 4]),
        (Filter { types: types(&["custom.webhook.>"]).types, ..pending() }, &[2, 4]),
        (Filter { from: Some(later(10)), ..none() }, &[3, 4]),
        (Filter { from: Some(later(11)), ..pending() }, &[4]),
        (Filter { to: Some(later(10)), ..none() }, &[1, 2]),
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

/// Whatever leads a question, its pages are the list cut into pieces: with many events of the same time, and with
/// events coming in meanwhile.
pub(crate) async fn pages_join_up(store: &Store) {
    let writer = writer(store).await;
    let made = |n: u128| {
        let mut made = event(n, if n.is_multiple_of(3) { "custom.a.x" } else { "custom.b.x" });
        // Receipt and sequence disagree: who waits for the commit may overtake.
        made.received_at = later([0, 2, 1, 2, 0][(n % 5) as usize]);
        let m = &mut made.metadata;
        m.instance_id = Some("wa-001".into());
        m.correlation_id = "case".into();
        m.causation_id = Some(id(999));
        m.provider_event_id = Some("same".into());
        m.sender_identity_id = n.is_multiple_of(2).then(|| id(901));
        m.recipient_identity_id = (!n.is_multiple_of(3)).then(|| id(901));
        m.content_text = Some(format!("hello {n}"));
        made
    };
    let batch: Vec<_> = (0..30).map(|n| plain(made(n))).collect();
    commit(store, writer, &batch).await;
    let done: Vec<_> = (0..30)
        .step_by(2)
        .map(|n| {
            let received_at = made(n).received_at;
            let outcome = NewOutcome { received_at, ..outcome(n, "failed") };
            Done { outcome, executions: vec![], dead: vec![] }
        })
        .collect();
    executions::commit_batch(&mut store.write().await.unwrap(), &done).await.unwrap();

    let text = |value: &str| Some(value.to_owned());
    let none = Filter::default;
    let mut later_number = 1000;
    for filter in [
        none(),
        types(&["custom.a.x", "custom.b.x"]),
        types(&["custom.*.x"]),
        Filter { instance_id: text("wa-001"), ..none() },
        Filter { correlation_id: text("case"), ..none() },
        Filter { causation_id: Some(id(999)), ..none() },
        Filter { provider_event_id: text("same"), ..none() },
        Filter { identity_id: Some(id(901)), ..none() },
        Filter { status: text("failed"), ..none() },
        Filter { status: text(PENDING), ..none() },
        Filter { text: text("hello"), ..none() },
    ] {
        for ascending in [true, false] {
            let mut conn = store.read().await.unwrap();
            let all = Page { after: None, limit: 1000, ascending };
            let whole = events::list(&mut conn, "default", &filter, &all).await.unwrap();
            let whole: Vec<_> = whole.iter().map(StoredEvent::place).collect();
            if filter.text.is_none() {
                assert!(whole.is_sorted_by(|a, b| (a < b) == ascending), "{filter:?} {whole:?}");
            }
            assert!(whole.len() >= 15, "{filter:?}");
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let page = Page { after, limit: 4, ascending };
                let found = events::list(&mut conn, "default", &filter, &page).await.unwrap();
                let Some(last) = found.last() else { break };
                after = Some(last.place());
                seen.extend(found.iter().map(StoredEvent::place));
                if !ascending && seen.len() == 4 {
                    // What comes in now is newer than the page.
                    later_number += 1;
                    let late =
                        Event { received_at: later(later_number), ..made(later_number as u128) };
                    commit(store, writer, &[plain(late)]).await;
                }
            }
            assert_eq!(seen, whole, "{filter:?} ascending {ascending}");
        }
    }
}

pub(crate) async fn more_types_than_can_be_named_are_listed(store: &Store) {
    let writer = writer(store).await;
    let made = |n: u128| match n % 2 {
        0 => event(n, &format!("custom.t{n}.x")),
        _ => event(n, &format!("custom.t{n}.x.y")),
    };
    let batch: Vec<_> = (0..1200).map(|n| plain(made(n))).collect();
    commit(store, writer, &batch).await;
    let expected: Vec<u128> = (0..1200).step_by(2).collect();
    let mut conn = store.read().await.unwrap();
    let page = Page { after: None, limit: 1000, ascending: true };
    let found = events::list(&mut conn, "default", &types(&["custom.*.x"]), &page).await.unwrap();
    let found: Vec<_> = found.iter().map(|stored| stored.event.id).collect();
    assert_eq!(found, expected.iter().map(|n| id(*n)).collect::<Vec<_>>());
    assert_eq!(numbers(store, &types(&["custom.t4.>"])).await, [4]);
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
