//! Schedules and their fires.

use chrono::{DateTime, Utc};
use omni_store::{
    Error, Store,
    executions::{self, Done, NewOutcome},
    schedules::{
        self, CANCELLED, Decided, Due, Ended, FAILED, FIRED, FirePage, FireRow, MISSED, Mark,
        PENDING, ScheduleRow, WAITING,
    },
};
use uuid::Uuid;

use crate::fixtures::{id, later, now};

fn schedule(number: u128, name: &str, due: i64) -> ScheduleRow {
    ScheduleRow {
        id: id(number),
        org: "default".into(),
        name: name.into(),
        version: 1,
        enabled: true,
        definition: "{}".into(),
        decided_until: now(),
        next_at: Some(later(due)),
        due_at: Some(later(due)),
        moves: 0,
        number: 0,
        fired: 0,
        skipped: 0,
        missed: 0,
        waiting: 0,
        last_event_id: None,
        last_fired_at: None,
        alarm: None,
        failure: None,
        alarm_at: None,
        alarm_told: true,
        overdue_told: None,
        created_at: now(),
        updated_at: now(),
        created_by: None,
    }
}

async fn add(store: &Store, number: u128, due: i64) -> ScheduleRow {
    let row = schedule(number, &format!("s{number}"), due);
    schedules::insert(&mut store.write().await.unwrap(), &row).await.unwrap();
    row
}

async fn get(store: &Store, number: u128) -> ScheduleRow {
    let name = format!("s{number}");
    let mut conn = store.read().await.unwrap();
    schedules::get(&mut conn, "default", &name).await.unwrap().unwrap()
}

/// A fire of an instant, with an event of its own.
fn fire(schedule: &ScheduleRow, number: u128, nominal: DateTime<Utc>, status: &str) -> FireRow {
    FireRow {
        id: id(number),
        schedule_id: schedule.id,
        org: "default".into(),
        nominal,
        due_at: nominal,
        event_id: id(number + 500_000),
        number: Some(1),
        reason: "regular".into(),
        status: status.into(),
        ready_at: (status == PENDING).then_some(nominal),
        fence: 0,
        error: None,
        work_cancelled: false,
        triggered_by: None,
        created_at: now(),
        fired_at: None,
    }
}

/// Decides that what is due fires, and is due again ten seconds later.
async fn decide(store: &Store, seconds: i64, limit: i64) -> Vec<Decided> {
    let at = later(seconds);
    let mut conn = store.write().await.unwrap();
    let mut judge = |Due { row, .. }: Due| {
        let nominal = row.due_at.unwrap();
        let number = row.id.as_u128() - id(0).as_u128();
        // Each decision draws ids of its own.
        let moves = u128::try_from(row.moves).unwrap();
        let ready = FireRow {
            ready_at: Some(at + chrono::TimeDelta::seconds(10)),
            fence: 1,
            ..fire(&row, 10_000 + number * 1_000 + moves, nominal, PENDING)
        };
        let next = Some(nominal + chrono::TimeDelta::seconds(10));
        let last_event_id = Some(ready.event_id);
        let number = row.number + 1;
        let row = ScheduleRow {
            decided_until: at,
            next_at: next,
            due_at: next,
            number,
            last_event_id,
            ..row
        };
        Some(Decided { row, fires: vec![ready], cancels: Vec::new() })
    };
    schedules::decide(&mut conn, at, (None, limit), &mut judge).await.unwrap()
}

async fn fires(store: &Store, schedule: &ScheduleRow) -> Vec<FireRow> {
    let page = FirePage { limit: 1_000, ..FirePage::default() };
    schedules::fires(&mut store.read().await.unwrap(), schedule.id, &page).await.unwrap()
}

fn mark_of(fire: &FireRow, ended: Ended) -> Mark {
    let FireRow { id, schedule_id, fence, event_id, .. } = *fire;
    Mark { id, schedule_id, fence, event_id, ended }
}

async fn mark(store: &Store, seconds: i64, marks: &[Mark]) -> usize {
    schedules::mark(&mut store.write().await.unwrap(), later(seconds), marks).await.unwrap()
}

/// The engine is done with an event.
async fn done(store: &Store, event_id: Uuid) {
    let outcome = NewOutcome {
        org: "default".to_owned(),
        event_id,
        status: "completed".to_owned(),
        retry_count: 0,
        processed_at: now(),
        executions: 0,
        error: None,
        received_at: now(),
    };
    let done = Done { outcome, executions: Vec::new(), dead: Vec::new() };
    executions::commit_batch(&mut store.write().await.unwrap(), &[done]).await.unwrap();
}

pub(crate) async fn schedules_live_and_die(store: &Store) {
    let one = add(store, 1, 10).await;
    assert_eq!(get(store, 1).await, one);
    let mut conn = store.write().await.unwrap();
    let twice = schedules::insert(&mut conn, &ScheduleRow { id: id(2), ..one.clone() }).await;
    assert!(matches!(twice, Err(Error::Exists { what: "schedule", .. })));
    let theirs = ScheduleRow { id: id(3), org: "acme".into(), ..one.clone() };
    schedules::insert(&mut conn, &theirs).await.unwrap();
    for (number, name) in [(4, "s1-a"), (5, "s10"), (6, "s1_b")] {
        let row = ScheduleRow { id: id(number), name: name.into(), ..one.clone() };
        schedules::insert(&mut conn, &row).await.unwrap();
    }
    let listed = schedules::list(&mut conn, "default", Some("s1"), 2).await.unwrap();
    let names: Vec<&str> = listed.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["s1-a", "s10"], "in the order of bytes");

    let changed = ScheduleRow { version: 2, definition: "{1}".into(), ..one.clone() };
    assert!(
        !schedules::update(&mut conn, &changed, (1, 7)).await.unwrap(),
        "an instant was decided"
    );
    assert!(schedules::update(&mut conn, &changed, (1, 0)).await.unwrap());
    assert!(!schedules::update(&mut conn, &changed, (1, 1)).await.unwrap(), "it has version 2");
    schedules::insert_fire(&mut conn, &fire(&one, 9, later(5), FIRED)).await.unwrap();
    assert!(schedules::delete(&mut conn, "default", "s1").await.unwrap());
    assert!(!schedules::delete(&mut conn, "default", "s1").await.unwrap());
    drop(conn);
    assert_eq!(fires(store, &one).await, []);
    let mut conn = store.read().await.unwrap();
    assert!(schedules::get(&mut conn, "acme", "s1").await.unwrap().is_some());
}

pub(crate) async fn what_is_due_is_decided_once_and_moves(store: &Store) {
    let (one, _) = (add(store, 1, 10).await, add(store, 2, 30).await);
    let mut conn = store.read().await.unwrap();
    let wake = schedules::wake(&mut conn).await.unwrap();
    assert_eq!((wake.due, wake.ready, wake.waits), (Some(later(10)), None, false));
    drop(conn);
    assert_eq!(decide(store, 9, 10).await.len(), 0);
    let decided = decide(store, 10, 10).await;
    assert_eq!((decided.len(), decided[0].row.id), (1, one.id));
    assert_eq!(decided[0].fires[0].nominal, later(10));
    let row = get(store, 1).await;
    assert_eq!((row.due_at, row.moves, row.number), (Some(later(20)), 1, 1));
    assert_eq!(decide(store, 10, 10).await.len(), 0, "it has moved");
    // The same instant once more, as after a clock that was set back behind an update.
    let mut conn = store.write().await.unwrap();
    let back = ScheduleRow { due_at: Some(later(10)), ..get(store, 1).await };
    assert!(schedules::update(&mut conn, &back, (1, 1)).await.unwrap());
    drop(conn);
    let again = decide(store, 11, 10).await;
    assert_eq!((again.len(), again[0].fires.len()), (1, 0), "an instant keeps the row it has");
    assert_eq!(fires(store, &one).await.len(), 1);
}

pub(crate) async fn of_many_who_decide_one_does(store: &Store) {
    for number in 0..60 {
        add(store, number, 10).await;
    }
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = 0;
                while get_due(&store).await {
                    mine += decide(&store, 10, 7)
                        .await
                        .iter()
                        .map(|one| one.fires.len())
                        .sum::<usize>();
                }
                mine
            })
        })
        .collect();
    let mut all = 0;
    for task in tasks {
        all += task.await.unwrap();
    }
    assert_eq!(all, 60);
    for number in 0..60 {
        assert_eq!(
            (get(store, number).await.moves, fires(store, &get(store, number).await).await.len()),
            (1, 1)
        );
    }
}

async fn get_due(store: &Store) -> bool {
    let mut conn = store.read().await.unwrap();
    schedules::wake(&mut conn).await.unwrap().due.is_some_and(|due| due <= later(10))
}

pub(crate) async fn only_who_has_a_fire_marks_it(store: &Store) {
    let one = add(store, 1, 10).await;
    let mine = decide(store, 10, 10).await.remove(0).fires.remove(0);
    let take = async |seconds, until| {
        let mut conn = store.write().await.unwrap();
        schedules::take(&mut conn, later(seconds), later(until), 10).await.unwrap()
    };
    assert_eq!(take(19, 29).await, [], "the lease is not over");
    let (row, theirs) = take(20, 30).await.remove(0);
    assert_eq!((row.id, theirs.id, theirs.fence), (one.id, mine.id, 2));
    assert_eq!(mark(store, 21, &[mark_of(&mine, Ended::Fired)]).await, 0, "it slept too long");
    assert_eq!(mark(store, 22, &[mark_of(&theirs, Ended::Fired)]).await, 1);
    assert_eq!(mark(store, 23, &[mark_of(&theirs, Ended::Fired)]).await, 0, "it is marked");
    let row = get(store, 1).await;
    assert_eq!((row.fired, row.last_fired_at), (1, Some(later(22))));
    let marked = fires(store, &one).await.remove(0);
    assert_eq!(
        (marked.status.as_str(), marked.fired_at, marked.ready_at),
        (FIRED, Some(later(22)), None)
    );
    assert_eq!(take(99, 109).await, []);

    let mine = decide(store, 99, 10).await.remove(0).fires.remove(0);
    let refused = mark_of(&mine, Ended::Failed("no".into()));
    assert_eq!(mark(store, 99, &[refused]).await, 1);
    let row = get(store, 1).await;
    assert_eq!(
        (row.failure.as_deref(), row.alarm_told, row.last_event_id),
        (Some("no"), false, None)
    );
    assert_eq!(fires(store, &one).await[0].status, FAILED);
    let mut conn = store.write().await.unwrap();
    let untold = schedules::untold(&mut conn, 10).await.unwrap();
    assert_eq!(untold.len(), 1);
    schedules::set_alarm_told(&mut conn, one.id, untold[0].alarm_at.unwrap()).await.unwrap();
    assert_eq!(schedules::untold(&mut conn, 10).await.unwrap(), []);
    drop(conn);
    let mine = decide(store, 100, 10).await.remove(0).fires.remove(0);
    assert_eq!(mark(store, 100, &[mark_of(&mine, Ended::Failed("no".into()))]).await, 1);
    assert!(get(store, 1).await.alarm_told, "the same trouble is told once");
    let mine = decide(store, 110, 10).await.remove(0).fires.remove(0);
    mark(store, 110, &[mark_of(&mine, Ended::Fired)]).await;
    assert_eq!(get(store, 1).await.failure, None);
}

pub(crate) async fn many_fires_are_taken_by_one_each(store: &Store) {
    let one = add(store, 1, 900).await;
    let mut conn = store.write().await.unwrap();
    for number in 0..40 {
        let row = fire(&one, 100 + number, later(i64::try_from(number).unwrap()), PENDING);
        schedules::insert_fire(&mut conn, &row).await.unwrap();
    }
    drop(conn);
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = 0;
                loop {
                    let mut conn = store.write().await.unwrap();
                    let taken = schedules::take(&mut conn, later(50), later(60), 3).await.unwrap();
                    let wake = schedules::wake(&mut conn).await.unwrap();
                    mine += taken.len();
                    if wake.ready.is_some_and(|ready| ready > later(50)) {
                        return mine;
                    }
                }
            })
        })
        .collect();
    let mut all = 0;
    for task in tasks {
        all += task.await.unwrap();
    }
    assert_eq!(all, 40);
    let mut conn = store.write().await.unwrap();
    let beyond = later(55);
    assert_eq!(schedules::release(&mut conn, later(50), beyond).await.unwrap(), 40);
    assert_eq!(schedules::take(&mut conn, later(50), later(60), 100).await.unwrap().len(), 40);
}

pub(crate) async fn what_waits_goes_when_the_work_is_done(store: &Store) {
    let one = add(store, 1, 10).await;
    let first = decide(store, 10, 10).await.remove(0).fires.remove(0);
    let mut conn = store.write().await.unwrap();
    for (number, seconds) in [(200, 30), (201, 20)] {
        schedules::insert_fire(&mut conn, &fire(&one, number, later(seconds), WAITING))
            .await
            .unwrap();
    }
    drop(conn);
    store.run_sql("UPDATE schedules SET waiting = 2").await;
    let promote = async |seconds| {
        let mut conn = store.write().await.unwrap();
        schedules::promote(&mut conn, later(seconds), later(seconds + 10), 10).await.unwrap()
    };
    assert_eq!(promote(40).await, []);
    done(store, first.event_id).await;
    let (row, gone) = promote(41).await.remove(0);
    assert_eq!((gone.nominal, gone.status.as_str(), gone.fence), (later(20), PENDING, 1));
    assert_eq!((row.waiting, row.last_event_id), (1, Some(gone.event_id)));
    assert_eq!(promote(42).await, [], "its own work is not done");
    store.run_sql("UPDATE schedules SET enabled = (1 = 0)").await;
    done(store, gone.event_id).await;
    assert_eq!(promote(43).await, [], "it is disabled");
    store.run_sql("UPDATE schedules SET enabled = (1 = 1)").await;
    assert_eq!(promote(44).await.len(), 1);
    let mut conn = store.read().await.unwrap();
    assert!(!schedules::wake(&mut conn).await.unwrap().waits);
}

pub(crate) async fn a_purge_cancels_what_nobody_has_taken_up(store: &Store) {
    let one = add(store, 1, 900).await;
    let mut conn = store.write().await.unwrap();
    let taken = FireRow { fence: 1, ..fire(&one, 100, later(1), PENDING) };
    let rows = [
        taken,
        fire(&one, 101, later(2), PENDING),
        fire(&one, 102, later(3), WAITING),
        fire(&one, 103, later(4), FIRED),
    ];
    for row in &rows {
        schedules::insert_fire(&mut conn, row).await.unwrap();
    }
    assert_eq!(schedules::purge(&mut conn, one.id).await.unwrap(), 2);
    assert_eq!(schedules::purge(&mut conn, one.id).await.unwrap(), 0);
    assert_eq!(schedules::purge(&mut conn, id(99)).await.unwrap(), 0);
    drop(conn);
    let statuses: Vec<String> =
        fires(store, &one).await.into_iter().map(|fire| fire.status).collect();
    assert_eq!(statuses, [FIRED, CANCELLED, CANCELLED, PENDING]);
}

pub(crate) async fn a_backfill_gives_an_instant_one_fire(store: &Store) {
    let one = add(store, 1, 900).await;
    let mut conn = store.write().await.unwrap();
    for (number, seconds, status) in [(100, 1, FIRED), (101, 2, MISSED), (102, 3, PENDING)] {
        schedules::insert_fire(&mut conn, &fire(&one, number, later(seconds), status))
            .await
            .unwrap();
    }
    let by_hand = FireRow { reason: "manual".into(), ..fire(&one, 103, later(4), FIRED) };
    schedules::insert_fire(&mut conn, &by_hand).await.unwrap();
    let present = schedules::present(&mut conn, one.id, now(), later(9)).await.unwrap();
    assert_eq!(present, [later(1), later(3)]);
    let wanted: Vec<FireRow> = (1..=4)
        .map(|second: i64| {
            let row = fire(&one, 200 + u128::try_from(second).unwrap(), later(second), PENDING);
            FireRow { reason: "backfill".into(), number: None, ..row }
        })
        .collect();
    assert_eq!(schedules::backfill(&mut conn, one.id, &wanted).await.unwrap(), 2);
    assert_eq!(schedules::backfill(&mut conn, one.id, &wanted).await.unwrap(), 0);
    assert_eq!(schedules::backfill(&mut conn, id(99), &wanted).await.unwrap(), 0, "it is gone");
    let present = schedules::present(&mut conn, one.id, later(1), later(9)).await.unwrap();
    assert_eq!(present, [later(2), later(3), later(4)]);
}

pub(crate) async fn old_fires_are_forgotten(store: &Store) {
    let one = add(store, 1, 900).await;
    store.run_sql("UPDATE schedules SET fired = 12").await;
    let mut conn = store.write().await.unwrap();
    for number in 0..12 {
        let status = if number == 3 { PENDING } else { FIRED };
        let row = fire(&one, 100 + number, later(i64::try_from(number).unwrap()), status);
        schedules::insert_fire(&mut conn, &row).await.unwrap();
    }
    assert_eq!(schedules::trim(&mut conn, id(102), 1).await.unwrap(), 1);
    assert_eq!(schedules::trim(&mut conn, id(102), 9).await.unwrap(), 1);
    assert_eq!(schedules::overfull(&mut conn, None, 20).await.unwrap(), None);
    let (schedule, last) = schedules::overfull(&mut conn, None, 5).await.unwrap().unwrap();
    assert_eq!((schedule, last), (one.id, Some(id(106))));
    let gone = schedules::trim_schedule(&mut conn, one.id, id(106), 9).await.unwrap();
    assert_eq!(gone, 4, "all but the newest five and the one that is pending");
    assert_eq!(schedules::overfull(&mut conn, Some(one.id), 5).await.unwrap(), None);
}

pub(crate) async fn what_is_overdue_is_told_once(store: &Store) {
    let (one, _) = (add(store, 1, 10).await, add(store, 2, 30).await);
    let mut conn = store.write().await.unwrap();
    let overdue = schedules::overdue(&mut conn, later(20), 10).await.unwrap();
    assert_eq!(overdue.iter().map(|row| row.id).collect::<Vec<_>>(), [one.id]);
    assert_eq!(schedules::late(&mut conn, later(20)).await.unwrap(), 1);
    schedules::set_overdue_told(&mut conn, one.id, later(10)).await.unwrap();
    assert_eq!(schedules::overdue(&mut conn, later(20), 10).await.unwrap(), []);
    drop(conn);
    decide(store, 20, 1).await;
    let mut conn = store.read().await.unwrap();
    let overdue = schedules::overdue(&mut conn, later(25), 10).await.unwrap();
    assert_eq!(overdue.len(), 1, "its next instant is another one");
}
