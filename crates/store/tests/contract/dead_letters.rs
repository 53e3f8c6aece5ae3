//! Dead letters: found, begun, ended and closed once, whoever else does the same.

use chrono::TimeDelta;
use omni_events::TypePattern;
use omni_store::{
    Store,
    dead_letters::{
        self as letters, ABANDONED, Filter, NewDeadLetter, Outcome, PENDING, Page, RESOLVED,
        RETRYING, Settle, Start, id_of, next_retry,
    },
    executions::{self, Done, NewOutcome},
    jobs::{self, Advanced, DEAD_LETTER_RETRY, NewJob, Progress},
};
use uuid::Uuid;

use crate::fixtures::{commit, event, id, later, now, plain, writer};

fn letter(number: u128) -> NewDeadLetter {
    NewDeadLetter {
        id: id_of("shop", id(number)),
        org: "default".into(),
        event_id: id(number),
        event_type: "custom.order.paid".into(),
        consumer: "shop".into(),
        automation_id: None,
        version: None,
        attempts: 3,
        errors: r#"["no answer"]"#.into(),
        message: None,
        status: PENDING.into(),
        retries: 0,
        next_retry_at: next_retry(now(), now()),
        dead_at: later(i64::try_from(number).unwrap()),
        changed_at: later(i64::try_from(number).unwrap()),
        told: false,
    }
}

fn start(number: u128, retries: i32, retry: u128) -> Start {
    Start {
        id: letter(number).id,
        retries,
        retry_event_id: id(retry),
        by: "ann".into(),
        at: later(100),
    }
}

fn settle(number: u128, retry: u128, outcome: Outcome) -> Settle {
    Settle { id: letter(number).id, retry_event_id: id(retry), outcome, at: later(200) }
}

fn failed() -> Outcome {
    Outcome::Failed { errors: r#"["no answer","again"]"#.into(), next_retry_at: Some(later(300)) }
}

async fn add(store: &Store, letters: &[NewDeadLetter]) {
    letters::add(&mut store.write().await.unwrap(), letters).await.unwrap();
}

async fn begin(store: &Store, start: &Start) -> bool {
    letters::start_retry(&mut store.write().await.unwrap(), start).await.unwrap()
}

async fn get(store: &Store, number: u128) -> letters::DeadLetterRow {
    let mut conn = store.read().await.unwrap();
    letters::get(&mut conn, "default", letter(number).id).await.unwrap().unwrap()
}

pub(crate) async fn letters_are_listed_by_filter_and_page(store: &Store) {
    let mut all: Vec<_> = (1..=9).map(letter).collect();
    // Of one time, so that their ids decide.
    for letter in &mut all[3..6] {
        letter.dead_at = later(4);
    }
    all[0].event_type = "message.received".into();
    all[1].org = "acme".into();
    all[2].consumer = format!("automation:{}", Uuid::from_u128(7));
    all[2].automation_id = Some(Uuid::from_u128(7));
    all[8].status = RESOLVED.into();
    add(store, &all).await;
    add(store, &all[..2]).await;
    let mut conn = store.read().await.unwrap();
    let whole = Page { after: None, limit: 100, ascending: false };
    let mut wanted: Vec<_> =
        all.iter().filter(|l| l.org == "default").map(|l| (l.dead_at, l.id)).collect();
    wanted.sort_unstable();
    for ascending in [true, false] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after, limit: 3, ascending };
            let found = letters::list(&mut conn, "default", &Filter::default(), &page).await;
            let found = found.unwrap();
            seen.extend(found.iter().map(|head| (head.dead_at, head.id)));
            let Some(last) = seen.last().filter(|_| found.len() == 3) else { break };
            after = Some(*last);
        }
        if !ascending {
            seen.reverse();
        }
        assert_eq!(seen, wanted, "every letter of the organisation once, ascending: {ascending}");
    }
    let pattern = |text: &str| Some(TypePattern::parse(text).unwrap());
    let filters = [
        (Filter { status: Some(RESOLVED.into()), ..Filter::default() }, 1),
        (Filter { consumer: Some("shop".into()), ..Filter::default() }, 7),
        (Filter { automation_id: Some(Uuid::from_u128(7)), ..Filter::default() }, 1),
        (Filter { event_id: Some(id(5)), ..Filter::default() }, 1),
        (Filter { event_type: pattern("custom.order.paid"), ..Filter::default() }, 7),
        (Filter { event_type: pattern("custom.>"), ..Filter::default() }, 7),
        (Filter { event_type: pattern("custom.*"), ..Filter::default() }, 0),
        (Filter { from: Some(later(4)), to: Some(later(7)), ..Filter::default() }, 3),
        (Filter { unchanged_since: Some(later(3)), ..Filter::default() }, 2),
    ];
    for (filter, count) in filters {
        let found = letters::list(&mut conn, "default", &filter, &whole).await.unwrap();
        assert_eq!(found.len(), count, "{filter:?}");
        if let Some(counted) = letters::count(&mut conn, "default", &filter).await.unwrap() {
            assert_eq!(usize::try_from(counted).unwrap(), count, "{filter:?}");
        }
    }
    let counts = letters::counts(&mut conn, "default").await.unwrap();
    assert_eq!(counts, [(PENDING.to_owned(), 7), (RESOLVED.to_owned(), 1)]);
    assert_eq!(letters::open(&mut conn).await.unwrap(), 8, "of all organisations");
    assert_eq!(letters::get(&mut conn, "acme", all[0].id).await.unwrap(), None);
}

pub(crate) async fn a_letter_is_told_until_it_is_said_that_it_is(store: &Store) {
    add(store, &[letter(2), letter(1), letter(3)]).await;
    let mut conn = store.write().await.unwrap();
    let untold = letters::untold(&mut conn, 2).await.unwrap();
    let ids: Vec<_> = untold.iter().map(|row| row.head.id).collect();
    assert_eq!(ids, [letter(1).id, letter(2).id], "the oldest first");
    letters::set_told(&mut conn, &ids).await.unwrap();
    letters::set_told(&mut conn, &ids).await.unwrap();
    let untold = letters::untold(&mut conn, 9).await.unwrap();
    assert_eq!(untold.len(), 1);
    assert_eq!(untold[0].head.id, letter(3).id);
}

pub(crate) async fn of_many_who_retry_a_letter_one_does(store: &Store) {
    add(store, &[letter(1)]).await;
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { begin(&store, &start(1, 0, 50 + n)).await })
        })
        .collect();
    let mut began = 0;
    for task in tasks {
        began += i32::from(task.await.unwrap());
    }
    assert_eq!(began, 1);
    let row = get(store, 1).await;
    assert_eq!((row.head.status.as_str(), row.head.retries), (RETRYING, 1));
    assert_eq!((row.head.next_retry_at, row.head.changed_at), (None, later(100)));
    assert!(!begin(store, &start(1, 1, 60)).await, "it is retried already");
}

pub(crate) async fn a_retry_is_due_sent_and_ended_in_this_order(store: &Store) {
    let writer = writer(store).await;
    let due_at = next_retry(now(), now()).unwrap();
    assert_eq!(due_at, now() + TimeDelta::hours(1));
    assert_eq!(next_retry(now(), due_at), Some(now() + TimeDelta::hours(6)));
    assert_eq!(next_retry(now(), now() + TimeDelta::hours(24)), None);
    add(store, &[letter(1), letter(2)]).await;
    let mut conn = store.write().await.unwrap();
    let early = due_at - TimeDelta::microseconds(1);
    assert_eq!(letters::due(&mut conn, early, 9).await.unwrap().len(), 0);
    assert_eq!(letters::due(&mut conn, due_at, 9).await.unwrap().len(), 2);
    assert!(letters::start_retry(&mut conn, &start(1, 0, 50)).await.unwrap());
    assert_eq!(letters::due(&mut conn, due_at, 9).await.unwrap().len(), 1);
    assert_eq!(letters::retrying(&mut conn).await.unwrap(), 1);
    let unsent = letters::unsent(&mut conn, 9).await.unwrap();
    assert_eq!(unsent.len(), 1);
    assert_eq!(unsent[0].head.retry_event_id, Some(id(50)));
    drop(conn);

    commit(store, writer, &[plain(event(50, "custom.order.paid"))]).await;
    let mut conn = store.write().await.unwrap();
    assert_eq!(letters::unsent(&mut conn, 9).await.unwrap().len(), 0);
    assert_eq!(letters::finished(&mut conn, 9).await.unwrap().len(), 0);
    let outcome = NewOutcome {
        event_id: id(50),
        org: "default".into(),
        status: "failed".into(),
        retry_count: 0,
        processed_at: later(1),
        executions: 1,
        error: Some("still no answer".into()),
        received_at: now(),
    };
    let done = Done { outcome, executions: Vec::new(), dead: Vec::new() };
    executions::commit_batch(&mut conn, &[done]).await.unwrap();
    let finished = letters::finished(&mut conn, 9).await.unwrap();
    assert_eq!(finished.len(), 1);
    assert_eq!(finished[0].letter.head.id, letter(1).id);
    let told = (finished[0].status.as_str(), finished[0].error.as_deref());
    assert_eq!(told, ("failed", Some("still no answer")));
}

pub(crate) async fn a_retry_ends_once(store: &Store) {
    add(store, &[letter(1), letter(2), letter(3)]).await;
    for n in 1..=3 {
        assert!(begin(store, &start(n, 0, 50 + n)).await);
    }
    let mut conn = store.write().await.unwrap();
    let ends = [
        settle(1, 51, Outcome::Succeeded),
        settle(2, 52, failed()),
        settle(3, 99, Outcome::Succeeded),
    ];
    assert_eq!(letters::settle(&mut conn, &ends).await.unwrap(), 2, "the third has another event");
    assert_eq!(letters::settle(&mut conn, &ends).await.unwrap(), 0);
    drop(conn);
    let row = get(store, 1).await;
    assert_eq!(
        (row.head.status.as_str(), row.head.changed_by.as_deref()),
        (RESOLVED, Some("retry"))
    );
    let row = get(store, 2).await;
    assert_eq!((row.head.status.as_str(), row.head.retry_event_id), (PENDING, None));
    assert_eq!((row.reasons().len(), row.head.next_retry_at), (2, Some(later(300))));
    assert_eq!(get(store, 3).await.head.status, RETRYING);

    let mut conn = store.write().await.unwrap();
    let late = [settle(1, 51, failed())];
    assert_eq!(letters::settle(&mut conn, &late).await.unwrap(), 1, "a consumer gave it up later");
    assert_eq!(letters::settle(&mut conn, &late).await.unwrap(), 0);
    drop(conn);
    assert!(begin(store, &start(1, 1, 61)).await, "it may be retried again");
    assert!(!begin(store, &start(1, 0, 62)).await, "but not by whom knows an old state");
}

pub(crate) async fn a_closed_letter_stays_closed(store: &Store) {
    add(store, &[letter(1), letter(2)]).await;
    assert!(begin(store, &start(2, 0, 52)).await);
    let mut conn = store.write().await.unwrap();
    let (one, two) = (("default", letter(1).id), ("default", letter(2).id));
    let foreign = ("acme", letter(1).id);
    let note = Some("paid by hand");
    assert!(!letters::resolve(&mut conn, foreign, note, "eve", later(5)).await.unwrap());
    assert!(letters::resolve(&mut conn, one, note, "ann", later(5)).await.unwrap());
    assert!(!letters::resolve(&mut conn, one, Some("other"), "bob", later(6)).await.unwrap());
    assert!(!letters::abandon(&mut conn, one, "bob", later(6)).await.unwrap());
    assert!(letters::abandon(&mut conn, two, "bob", later(7)).await.unwrap());
    let ends = [settle(2, 52, Outcome::Succeeded), settle(2, 52, failed())];
    assert_eq!(letters::settle(&mut conn, &ends).await.unwrap(), 0, "its retry is too late");
    drop(conn);
    assert!(!begin(store, &start(1, 0, 60)).await);
    let head = get(store, 1).await.head;
    assert_eq!((head.status.as_str(), head.note.as_deref()), (RESOLVED, note));
    assert_eq!((head.changed_by.as_deref(), head.next_retry_at), (Some("ann"), None));
    assert_eq!(get(store, 2).await.head.status, ABANDONED);
    let mut conn = store.read().await.unwrap();
    assert_eq!(letters::due(&mut conn, later(1_000_000), 9).await.unwrap().len(), 0);
}

pub(crate) async fn a_page_of_a_job_is_begun_once(store: &Store) {
    add(store, &[letter(1), letter(2), letter(3)]).await;
    let mut conn = store.write().await.unwrap();
    let new = NewJob {
        id: id(900),
        org: "default".into(),
        kind: DEAD_LETTER_RETRY,
        spec: "{}".into(),
        total: Some(3),
        created_by: None,
        created_at: now(),
    };
    jobs::create(&mut conn, &new).await.unwrap();
    let lease = TimeDelta::seconds(30);
    let claimed = jobs::claim(&mut conn, DEAD_LETTER_RETRY, now(), now() + lease).await.unwrap();
    let first = claimed.unwrap();
    let progress = Progress { total: Some(3), done: 0, failed: 0, position: None };
    let page = [start(1, 0, 51), start(2, 0, 52)];
    let at = Some("2".to_owned());
    let key = (first.id, first.epoch);
    let (going, after) =
        letters::start_page(&mut conn, key, &progress, (&page, at.clone()), (later(1), lease))
            .await
            .unwrap();
    assert_eq!(going, Advanced::Going);
    assert_eq!((after.done, after.position.as_deref()), (2, Some("2")));

    // Its process dies; another takes over, and the first comes back with a page that it had read before.
    let claimed = jobs::claim(&mut conn, DEAD_LETTER_RETRY, later(60), later(90)).await.unwrap();
    let second = claimed.unwrap();
    assert_eq!((second.done, second.position.as_deref()), (2, Some("2")));
    let stale = [start(3, 0, 53)];
    let (going, _) =
        letters::start_page(&mut conn, key, &after, (&stale, None), (later(61), lease))
            .await
            .unwrap();
    assert_eq!(going, Advanced::Lost);
    drop(conn);
    assert_eq!(get(store, 3).await.head.status, PENDING, "what is lost begins nothing");

    // The same page once more begins nothing and counts nothing.
    let mut conn = store.write().await.unwrap();
    let key = (second.id, second.epoch);
    let (going, again) =
        letters::start_page(&mut conn, key, &after, (&page, at), (later(62), lease)).await.unwrap();
    assert_eq!((going, again.done), (Advanced::Going, 2));
    drop(conn);
    assert_eq!(get(store, 1).await.head.retry_event_id, Some(id(51)));
}

/// What fails again after it was closed is open again, and what is told late changes nothing.
pub(crate) async fn a_closed_letter_is_opened_by_a_later_failure_only(store: &Store) {
    add(store, &[letter(1), letter(1)]).await;
    let (org, id) = ("default", letter(1).id);
    let mut conn = store.write().await.unwrap();
    letters::set_told(&mut conn, &[id]).await.unwrap();
    assert!(letters::resolve(&mut conn, (org, id), Some("paid"), "ann", later(50)).await.unwrap());
    drop(conn);

    add(store, &[letter(1)]).await;
    let closed = letters::get(&mut store.read().await.unwrap(), org, id).await.unwrap().unwrap();
    assert_eq!(closed.head.status, RESOLVED);

    let errors = r#"["refused"]"#.to_owned();
    add(store, &[NewDeadLetter { dead_at: later(60), errors, ..letter(1) }]).await;
    let mut conn = store.read().await.unwrap();
    let open = letters::get(&mut conn, org, id).await.unwrap().unwrap();
    assert_eq!((open.head.status.as_str(), open.reasons()), (PENDING, vec!["refused".to_owned()]));
    assert_eq!(letters::untold(&mut conn, 10).await.unwrap().len(), 1);
}
