//! Every question to the list is answered by the index that was made for it. The statements explained are those that the
//! list runs.

use chrono::TimeDelta;
use omni_events::{Direction, TypePattern};
use omni_store::{
    Kind, Store,
    events::{self, Filter, Page, Place},
    executions::{self, Done, NewOutcome},
};
use uuid::Uuid;

use crate::fixtures::{commit, event, id, later, now, plain, writer};

/// Enough that reading everything costs more than any index.
const EVENTS: u128 = 6000;

fn person(number: u128) -> Uuid {
    Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 + number)
}

fn at(number: u128) -> chrono::DateTime<chrono::Utc> {
    now() + TimeDelta::seconds(number as i64)
}

/// Events of many kinds, a second apart; each tenth one failed, all but the last ones are handled.
async fn fill(store: &Store) {
    let writer = writer(store).await;
    let types =
        ["message.received", "message.sent", "custom.order.paid", "custom.webhook.github.push"];
    for batch in (0..EVENTS).collect::<Vec<_>>().chunks(500) {
        let made: Vec<_> = batch
            .iter()
            .map(|&n| {
                let mut made = event(n, types[(n % 4) as usize]);
                made.received_at = at(n);
                let m = &mut made.metadata;
                m.sender_identity_id = Some(person(n % 200));
                m.recipient_identity_id = Some(person(n % 199));
                m.instance_id = Some(format!("wa-{}", n % 20));
                m.provider_event_id = Some(format!("p-{n}"));
                m.correlation_id = format!("c-{}", n / 10);
                m.causation_id = (n % 10 > 0).then(|| id(n / 10 * 10));
                m.direction = Some(Direction::Inbound);
                m.content_text = Some(format!("hello number{} of many words", n % 1000));
                plain(made)
            })
            .collect();
        commit(store, writer, &made).await;
        let done: Vec<_> = batch.iter().filter(|&&n| n < EVENTS - 50).map(|&n| done(n)).collect();
        executions::commit_batch(&mut store.write().await.unwrap(), &done).await.unwrap();
    }
    let mut conn = store.write().await.unwrap();
    omni_store::bus::set_settled(&mut conn, EVENTS as i64 - 50).await.unwrap();
}

fn done(n: u128) -> Done {
    let outcome = NewOutcome {
        event_id: id(n),
        org: "default".into(),
        status: if n.is_multiple_of(10) { "failed" } else { "completed" }.into(),
        retry_count: 0,
        processed_at: now(),
        executions: 0,
        error: None,
        received_at: at(n),
    };
    Done { outcome, executions: vec![], dead: vec![] }
}

/// A question, the index that answers it on each database, and whether it is in order without sorting.
struct Case {
    name: &'static str,
    filter: Filter,
    index: &'static str,
    is_ordered: bool,
}

fn types(patterns: &[&str]) -> Vec<TypePattern> {
    patterns.iter().map(|pattern| TypePattern::parse(pattern).unwrap()).collect()
}

fn cases() -> Vec<Case> {
    let day = || Filter { from: Some(later(EVENTS as i64 - 1000)), ..Filter::default() };
    let none = Filter::default;
    let text = |text: &str| Some(text.to_owned());
    let case = |name, filter, index, is_ordered| Case { name, filter, index, is_ordered };
    vec![
        case("recent", day(), "omni_events_recent", true),
        case(
            "type",
            Filter { types: types(&["message.sent"]), ..day() },
            "omni_events_by_type",
            true,
        ),
        case(
            "types",
            Filter { types: types(&["message.sent", "custom.order.paid"]), ..day() },
            "omni_events_by_type",
            true,
        ),
        case(
            "prefix",
            Filter { types: types(&["message.*"]), ..day() },
            "omni_events_by_type",
            true,
        ),
        case(
            "person",
            Filter { identity_id: Some(person(7)), ..none() },
            "omni_events_by_sender omni_events_by_recipient",
            true,
        ),
        case(
            "instance",
            Filter { instance_id: text("wa-7"), ..none() },
            "omni_events_by_instance",
            true,
        ),
        case(
            "provider",
            Filter { provider_event_id: text("p-77"), ..none() },
            "omni_events_by_provider",
            false,
        ),
        case(
            "correlation",
            Filter { correlation_id: Some(id(70).to_string()), ..none() },
            "omni_events_by_correlation",
            false,
        ),
        case(
            "cause",
            Filter { causation_id: Some(id(70)), ..none() },
            "omni_events_by_cause",
            false,
        ),
        case("failed", Filter { status: text("failed"), ..none() }, "event_outcomes_unwell", false),
        case("pending", Filter { status: text("pending"), ..none() }, "", false),
        case("words", Filter { text: text("number77"), ..none() }, "words", false),
    ]
}

pub(crate) async fn every_question_has_its_index(store: &Store) {
    fill(store).await;
    // SQLite may have no statistics in operation; PostgreSQL makes them by itself.
    if store.kind() == Kind::Sqlite {
        check(store).await;
    }
    events::analyze(&mut store.write().await.unwrap()).await.unwrap();
    check(store).await;
}

async fn check(store: &Store) {
    let mut conn = store.read().await.unwrap();
    let after = Place { received_at: at(EVENTS - 500), sequence: EVENTS as i64 - 500 };
    for Case { name, filter, index, is_ordered } in cases() {
        for (after, ascending) in
            [(None, false), (None, true), (Some(after), false), (Some(after), true)]
        {
            let page = Page { after, limit: 50, ascending };
            let plan = events::explain(&mut conn, "default", &filter, &page).await.unwrap();
            let told = format!("{name}, {page:?}\n{}", plan.join("\n"));
            for index in index.split_whitespace() {
                let index = match (index, store.kind()) {
                    ("words", Kind::Sqlite) => "VIRTUAL TABLE INDEX",
                    ("words", Kind::Postgres) => "omni_events_by_words",
                    (index, _) => index,
                };
                assert!(plan.iter().any(|line| line.contains(index)), "no {index}: {told}");
            }
            assert!(!plan.iter().any(|line| reads_everything(line)), "a full scan: {told}");
            assert!(!is_ordered || !plan.iter().any(|line| sorts(line)), "a sort: {told}");
        }
    }
}

fn reads_everything(line: &str) -> bool {
    line.contains("Seq Scan on omni_events")
        || line.contains("Seq Scan on event_outcomes")
        || (line.starts_with("SCAN omni_events") || line.starts_with("SCAN event_outcomes"))
}

fn sorts(line: &str) -> bool {
    line.contains("USE TEMP B-TREE FOR ORDER BY")
        || line.trim_start_matches([' ', '-', '>']).starts_with("Sort")
}

pub(crate) async fn a_busy_neighbour_is_passed_over(store: &Store) {
    let writer = writer(store).await;
    let ours = crate::fixtures::of_org("acme", event(0, "custom.x"));
    commit(store, writer, &[plain(ours)]).await;
    for batch in (1..=10_500).collect::<Vec<u128>>().chunks(500) {
        let theirs: Vec<_> = batch.iter().map(|&n| plain(event(n, "custom.x"))).collect();
        commit(store, writer, &theirs).await;
    }
    let last = crate::fixtures::of_org("acme", event(20_000, "custom.x"));
    commit(store, writer, &[plain(last)]).await;

    let mut conn = store.read().await.unwrap();
    let first = events::since(&mut conn, "acme", 0, 10).await.unwrap();
    assert_eq!(first.events.iter().map(|found| found.event.id).collect::<Vec<_>>(), [id(0)]);
    assert!(first.is_full, "the neighbour's events go on");
    assert!(first.through >= 10_000, "and are not read again: {}", first.through);
    let second = events::since(&mut conn, "acme", first.through, 10).await.unwrap();
    assert_eq!(second.events.iter().map(|found| found.event.id).collect::<Vec<_>>(), [id(20_000)]);
    assert!(!second.is_full);
    let none = events::since(&mut conn, "acme", second.through, 10).await.unwrap();
    assert_eq!((none.events.len(), none.through), (0, second.through));
    // A page that is cut goes on where it was cut.
    let cut = events::since(&mut conn, "default", 0, 3).await.unwrap();
    assert_eq!(cut.through, cut.events[2].sequence);
}
