//! What one consumer does with deliveries, settlements and stories, without a server. Each test names what must stay true.

use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::{Message, Settlement, Verdict};

const SECOND: Duration = Duration::from_secs(1);

fn state(change: impl FnOnce(&mut ConsumerConfig)) -> State {
    let mut config = ConsumerConfig::new("tested", vec![]);
    config.ack_wait = SECOND * 8;
    config.retry.max_attempts = 3;
    change(&mut config);
    let mut state = State::new(&config);
    state.sources.push(Standing { made: "7".into(), ..Standing::default() });
    if config.ordering.is_some() {
        state.take_over(SECOND * 1000);
    }
    state
}

fn delivered(sequence: u64, count: u64) -> Delivered {
    let message = Message {
        id: Uuid::from_u128(u128::from(sequence)),
        subject: "custom.a._._".into(),
        data: "1".into(),
    };
    let pulled = Pulled {
        message,
        stream: Stream::Custom,
        sequence,
        published_at: DateTime::UNIX_EPOCH,
        attempt: 1,
    };
    let reply = Subject::from(format!("reply.{sequence}.{count}"));
    Delivered { pulled, source: 0, reply, count, pending: 0 }
}

fn key(sequence: u64) -> Key {
    (Stream::Custom, sequence)
}

/// Takes, and marks what has to be.
fn take(state: &mut State, now: Duration, max: usize) -> Vec<(u64, u32)> {
    loop {
        match state.take(now, max) {
            Taken::Messages { pulled, .. } => {
                return pulled.iter().map(|pulled| (pulled.sequence, pulled.attempt)).collect();
            }
            Taken::Unmarked(stories) => state.mark(&stories.iter().map(|story| story.0).collect()),
            Taken::Nothing { .. } => return Vec::new(),
        }
    }
}

fn resolve(state: &mut State, record: Option<Record>) {
    let stories = state.unresolved().into_iter().map(|(key, _)| (key, record.clone()));
    let stories = stories.collect();
    state.resolve(stories);
}

fn settle(
    state: &mut State,
    sequence: u64,
    attempt: u32,
    now: Duration,
    verdict: Verdict,
) -> Option<Action> {
    let settlement = Settlement { stream: Stream::Custom, sequence, attempt, verdict };
    state.settle(settlement, (now, DateTime::UNIX_EPOCH)).0
}

fn silent(attempt: u32) -> String {
    format!("attempt {attempt}: not settled within 8s")
}

#[test]
fn first_deliveries_cost_nothing_and_repeats_wait_for_their_story() {
    let mut state = state(|_| {});
    state.arrive(delivered(1, 1), SECOND);
    state.arrive(delivered(2, 2), SECOND);
    assert_eq!(take(&mut state, SECOND, 9), [(1, 1)]);
    assert_eq!(state.unresolved(), [(key(2), "tested.CUSTOM.7.2".to_owned())]);
    resolve(&mut state, None);
    match state.take(SECOND, 9) {
        Taken::Unmarked(stories) => {
            let record = Record { failures: vec![silent(1)], out: Some(2) };
            assert_eq!(stories, [(key(2), "tested.CUSTOM.7.2".to_owned(), record)]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(take(&mut state, SECOND, 9), [(2, 2)]);
    assert_eq!(state.counts(SECOND), (2, 0));
}

#[test]
fn what_is_written_down_is_the_story() {
    let story = |record: Option<Record>| {
        let mut state = state(|_| {});
        state.arrive(delivered(1, 4), SECOND);
        resolve(&mut state, record);
        take(&mut state, SECOND, 1)
    };
    let record = |failures: &[&str], out| {
        let failures = failures.iter().map(|text| (*text).to_owned()).collect();
        Some(Record { failures, out })
    };
    assert_eq!(story(record(&[], None)), [(1, 1)], "it was never handed out");
    assert_eq!(story(record(&["a"], None)), [(1, 2)]);
    assert_eq!(story(record(&["a"], Some(2))), [(1, 3)]);
    assert_eq!(story(record(&["a", "b", "c"], None)), [(1, 4)]);
}

#[test]
fn what_lay_here_too_long_is_thrown_away_and_was_no_attempt() {
    let mut state = state(|_| {});
    state.arrive(delivered(1, 1), SECOND);
    assert_eq!(take(&mut state, SECOND * 81 / 10 + SECOND / 5, 1), []);
    state.arrive(delivered(1, 2), SECOND * 9);
    resolve(&mut state, None);
    assert_eq!(take(&mut state, SECOND * 9, 1), [(1, 1)]);
}

#[test]
fn what_lay_here_for_a_while_begins_its_ack_wait_anew() {
    let mut state = state(|_| {});
    state.arrive(delivered(1, 1), SECOND);
    match state.take(SECOND * 4, 1) {
        Taken::Messages { extend, .. } => assert_eq!(extend, [Subject::from("reply.1.1")]),
        other => panic!("{other:?}"),
    }
    assert!(settle(&mut state, 1, 1, SECOND * 11, Verdict::InProgress).is_some());
}

#[test]
fn only_an_ack_counts_after_the_ack_wait() {
    for (verdict, counts) in [
        (Verdict::Ack, true),
        (Verdict::InProgress, false),
        (Verdict::Retry { delay: SECOND, reason: String::new() }, false),
        (Verdict::Dead { reason: String::new() }, false),
    ] {
        let mut state = state(|_| {});
        state.arrive(delivered(1, 1), SECOND);
        take(&mut state, SECOND, 1);
        let action = settle(&mut state, 1, 1, SECOND * 9, verdict.clone());
        assert_eq!(action.is_some(), counts, "{verdict:?}");
    }
}

#[test]
fn a_late_ack_is_for_the_copy_that_came_again_too() {
    let mut state = state(|_| {});
    state.arrive(delivered(1, 1), SECOND);
    take(&mut state, SECOND, 1);
    state.arrive(delivered(1, 2), SECOND * 10);
    assert!(matches!(
        settle(&mut state, 1, 1, SECOND * 10, Verdict::Ack),
        Some(Action::Ack { .. })
    ));
    assert_eq!(state.unresolved(), []);
    assert_eq!(take(&mut state, SECOND * 10, 1), []);
}

#[test]
fn retries_and_attempts_build_one_story() {
    let mut state = state(|_| {});
    state.arrive(delivered(1, 1), SECOND);
    take(&mut state, SECOND, 1);
    let retry = Verdict::Retry { delay: SECOND, reason: "no".into() };
    match settle(&mut state, 1, 1, SECOND, retry.clone()) {
        Some(Action::Again { record, .. }) => {
            assert_eq!(record, Record { failures: vec!["no".into()], out: None });
        }
        other => panic!("{other:?}"),
    }
    assert!(settle(&mut state, 1, 1, SECOND, retry).is_none(), "it waits already");
    // The record was lost; what is known here counts.
    state.arrive(delivered(1, 2), SECOND * 2);
    resolve(&mut state, None);
    assert_eq!(take(&mut state, SECOND * 2, 1), [(1, 2)]);
    match settle(&mut state, 1, 2, SECOND * 2, Verdict::Dead { reason: "never".into() }) {
        Some(Action::Bury { letter, recorded, .. }) => {
            assert_eq!(letter.reasons, ["no", "never"]);
            assert_eq!(letter.attempts, 2);
            assert!(recorded.is_some());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_more_are_out_than_may_be_and_the_expired_make_room() {
    let mut state = state(|config| config.max_in_flight = 2);
    for sequence in 1..=5 {
        state.arrive(delivered(sequence, 1), SECOND);
    }
    assert_eq!(take(&mut state, SECOND, 9), [(1, 1), (2, 1)]);
    match state.take(SECOND, 9) {
        Taken::Nothing { until } => assert_eq!(until, Some(SECOND * 9)),
        other => panic!("{other:?}"),
    }
    settle(&mut state, 2, 1, SECOND, Verdict::Ack);
    assert_eq!(take(&mut state, SECOND, 9), [(3, 1)]);
    state.arrive(delivered(6, 1), SECOND * 10);
    assert_eq!(take(&mut state, SECOND * 10, 9), [(6, 1)]);
    assert!(settle(&mut state, 1, 1, SECOND * 10, Verdict::Ack).is_some(), "late, and it counts");
}

#[test]
fn the_last_chance_after_silence_is_one_at_a_time() {
    let mut state = state(|_| {});
    for sequence in 1..=3 {
        state.arrive(delivered(sequence, 3), SECOND);
    }
    resolve(&mut state, Some(Record { failures: vec![silent(1)], out: Some(2) }));
    state.arrive(delivered(4, 1), SECOND);
    assert_eq!(take(&mut state, SECOND, 9), [(1, 3), (4, 1)]);
    assert_eq!(take(&mut state, SECOND, 9), []);
    settle(&mut state, 1, 3, SECOND, Verdict::Ack);
    assert_eq!(take(&mut state, SECOND, 9), [(2, 3)]);
    assert_eq!(take(&mut state, SECOND * 2, 9), []);
    // The second one is never settled.
    state.arrive(delivered(3, 4), SECOND * 10);
    resolve(&mut state, Some(Record { failures: vec![silent(1)], out: Some(2) }));
    assert_eq!(take(&mut state, SECOND * 10, 9), [(3, 3)]);
}

#[test]
fn ordered_messages_stay_behind_what_came_before_them() {
    let mut state = state(|config| config.ordering = Some(crate::OrderingKey::Subject));
    state.sources[0].rewound_to = 2;
    for sequence in 1..=4 {
        state.arrive(delivered(sequence, 1), SECOND);
    }
    assert_eq!(take(&mut state, SECOND, 9), [], "their stories come first");
    resolve(&mut state, None);
    assert_eq!(take(&mut state, SECOND, 9), [(1, 2), (2, 2), (3, 1), (4, 1)]);
    state.step_down();
    state.arrive(delivered(5, 1), SECOND);
    assert_eq!(take(&mut state, SECOND, 9), [], "another process is active");
}

#[test]
fn what_is_said_about_a_lost_stream_is_not_taken_for_the_new_one() {
    let mut state = state(|_| {});
    state.arrive(delivered(1, 1), SECOND);
    take(&mut state, SECOND, 1);
    state.lose_source(0);
    state.arrive(delivered(1, 1), SECOND * 2);
    state.arrive(delivered(2, 1), SECOND * 2);
    assert_eq!(take(&mut state, SECOND * 2, 9), [(2, 1)]);
    assert!(settle(&mut state, 1, 1, SECOND * 2, Verdict::InProgress).is_none());
    assert!(settle(&mut state, 1, 1, SECOND * 3, Verdict::Ack).is_none());
    assert_eq!(take(&mut state, SECOND * 3, 9), [(1, 1)]);
    assert!(settle(&mut state, 1, 1, SECOND * 3, Verdict::Ack).is_some());
}

#[test]
fn a_single_try_is_written_down_before_it_is_made() {
    let mut state = state(|config| config.retry.max_attempts = 1);
    state.arrive(delivered(1, 1), SECOND);
    match state.take(SECOND, 1) {
        Taken::Unmarked(stories) => {
            assert_eq!(stories[0].2, Record { failures: vec![], out: Some(1) });
        }
        other => panic!("{other:?}"),
    }
    // It was only on its way when the process died.
    state.arrive(delivered(1, 2), SECOND * 2);
    resolve(&mut state, None);
    assert_eq!(take(&mut state, SECOND * 2, 1), [(1, 1)]);
}

#[test]
fn what_was_not_handed_out_is_given_back() {
    let mut state = state(|_| {});
    state.arrive(delivered(1, 1), SECOND);
    state.arrive(delivered(2, 1), SECOND);
    state.arrive(delivered(3, 2), SECOND);
    assert_eq!(take(&mut state, SECOND, 1), [(1, 1)]);
    let back = state.give_back();
    assert_eq!(
        back,
        [
            (Subject::from("reply.2.1"), Some("tested.CUSTOM.7.2".to_owned())),
            (Subject::from("reply.3.2"), None)
        ]
    );
    assert_eq!(state.counts(SECOND), (1, 0));
}

#[test]
fn nothing_overtakes_what_was_thrown_away_and_comes_again() {
    let ordered = |config: &mut ConsumerConfig| config.ordering = Some(crate::OrderingKey::Subject);
    let mut state = state(ordered);
    state.arrive(delivered(1, 1), Duration::ZERO);
    state.arrive(delivered(2, 1), SECOND);
    // The first lay here for too long, the second did not yet.
    let now = SECOND * 15 / 2;
    assert_eq!(take(&mut state, now, 9), [], "the first one comes again");
    state.arrive(delivered(3, 1), now);
    assert_eq!(take(&mut state, now, 9), []);
    state.arrive(delivered(1, 2), SECOND * 8);
    resolve(&mut state, None);
    assert_eq!(take(&mut state, SECOND * 8, 1), [(1, 1)]);
    // The second one is too old by now, too.
    assert_eq!(take(&mut state, SECOND * 8 + SECOND / 2, 9), []);
    // What does not come is not waited for for ever.
    assert_eq!(take(&mut state, SECOND * 14, 9), [(3, 1)]);
}
