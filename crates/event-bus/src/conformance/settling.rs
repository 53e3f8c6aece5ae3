//! What becomes of a message by what its consumer says, or does not say.

use std::time::Duration;

use omni_retry::{Policy, Strategy};

use super::{
    Suite, Time, config, consumer, message, messages, next, number, numbers, publish, take, within,
};
use crate::{ConsumerConfig, DeadLetter, EventBus};

const SECOND: Duration = Duration::from_secs(1);

fn three_tries(name: &str) -> ConsumerConfig {
    let retry = Policy {
        max_attempts: 3,
        initial_delay_ms: 1_000,
        max_delay_ms: 60_000,
        strategy: Strategy::Exponential,
        jitter: 0.0,
    };
    ConsumerConfig { retry, ..config(name, &["custom.>"]) }
}

/// A retry comes after its delay and not before, as the next attempt; others go first.
pub async fn retries_wait(suite: &Suite) {
    let bus = suite.open().await;
    let mut consumer = consumer(&bus, config("retries", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", [1, 2])).await;
    next(&mut consumer).await.retry(Some(SECOND)).await;
    let second = next(&mut consumer).await;
    assert_eq!((number(&second), second.attempt), (2, 1));
    second.ack().await;
    suite.time.pass(SECOND / 2).await;
    publish(&bus, messages("custom.a._._", [3])).await;
    let third = next(&mut consumer).await;
    assert_eq!(number(&third), 3, "the retry came before its time");
    third.ack().await;
    let (again, ()) = tokio::join!(next(&mut consumer), suite.time.pass(SECOND));
    assert_eq!((number(&again), again.attempt), (1, 2));
    again.retry(Some(Duration::ZERO)).await;
    let again = next(&mut consumer).await;
    assert_eq!((number(&again), again.attempt), (1, 3));
    assert_eq!(bus.stats().redelivered, 2);
}

/// What was dropped unsettled is handed out again after the ack wait, to whoever asks.
pub async fn the_unsettled_comes_back(suite: &Suite) {
    let bus = suite.open().await;
    let mut one = consumer(&bus, config("forgetful", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", [1, 2])).await;
    drop(take(&mut one, 2).await);
    suite.time.pass(SECOND).await;
    publish(&bus, messages("custom.a._._", [3])).await;
    let third = next(&mut one).await;
    assert_eq!(number(&third), 3, "it came back before its time");
    third.ack().await;
    let mut two = consumer(&bus, config("forgetful", &["custom.>"])).await;
    let (again, ()) = tokio::join!(take(&mut two, 2), suite.time.pass(SECOND * 2));
    assert_eq!(numbers(&again), [1, 2]);
    assert!(again.iter().all(|delivery| delivery.attempt == 2));
    bus.ack_all(again).await;
    suite.time.pass(SECOND * 3).await;
    publish(&bus, messages("custom.a._._", [4])).await;
    assert_eq!(number(&next(&mut one).await), 4, "the settled came back");
}

/// Saying that it takes longer begins the ack wait anew.
pub async fn progress_extends_the_wait(suite: &Suite) {
    let bus = suite.open().await;
    let mut consumer = consumer(&bus, config("slow", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", [1])).await;
    let slow = next(&mut consumer).await;
    suite.time.pass(SECOND).await;
    slow.in_progress().await;
    suite.time.pass(SECOND * 5 / 4).await;
    publish(&bus, messages("custom.a._._", [2])).await;
    let second = next(&mut consumer).await;
    assert_eq!(number(&second), 2, "it came back though it was in progress");
    second.ack().await;
    suite.time.pass(SECOND * 3 / 2).await;
    let again = next(&mut consumer).await;
    assert_eq!((number(&again), again.attempt), (1, 2));
}

/// An ack after the ack wait is taken for the later attempt too; a late retry is not.
pub async fn late_acks_count(suite: &Suite) {
    let bus = suite.open().await;
    let mut consumer = consumer(&bus, config("late", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", [1, 2])).await;
    let early = take(&mut consumer, 2).await;
    suite.time.pass(SECOND * 3).await;
    let late = take(&mut consumer, 2).await;
    let [first, second] = <[_; 2]>::try_from(early).expect("two");
    first.ack().await;
    second.reject("too late to say so").await;
    bus.ack_all(late).await;
    assert_eq!(bus.dead_letters(10).await.expect("a list"), []);
    suite.time.pass(SECOND * 3).await;
    publish(&bus, messages("custom.a._._", [3])).await;
    assert_eq!(number(&next(&mut consumer).await), 3);
}

async fn only_dead_letter(bus: &EventBus) -> DeadLetter {
    let mut dead = bus.dead_letters(10).await.expect("a list");
    assert_eq!(dead.len(), 1, "{dead:?}");
    dead.pop().expect("one")
}

/// A message that fails at every attempt is tried by the policy, then kept with its story, and stays dead.
pub async fn failures_end_as_dead_letters(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, three_tries("failing")).await;
    let poison = message("custom.poison._._", 1);
    publish(&bus, vec![poison.clone()]).await;
    for (attempt, delay) in [(1, SECOND), (2, SECOND * 2), (3, SECOND * 4)] {
        // What really takes time may take a little longer.
        let margin = if let Time::Real(_) = suite.time { delay / 2 } else { SECOND / 4 };
        let delivery = next(&mut member).await;
        assert_eq!((number(&delivery), delivery.attempt), (1, attempt));
        delivery.fail(&format!("no luck {attempt}")).await;
        for fine in [u64::from(attempt) * 2, u64::from(attempt) * 2 + 1] {
            publish(&bus, vec![message("custom.fine._._", fine)]).await;
            let other = next(&mut member).await;
            assert_eq!(number(&other), fine, "the retry came before its time");
            other.ack().await;
            suite
                .time
                .pass(if fine % 2 == 0 { delay.saturating_sub(margin) } else { margin })
                .await;
        }
    }
    let dead = only_dead_letter(&bus).await;
    assert_eq!((dead.consumer.as_str(), dead.sequence, dead.attempts), ("failing", 1, 3));
    assert_eq!(dead.message, poison);
    let reasons = ["attempt 1: no luck 1", "attempt 2: no luck 2", "attempt 3: no luck 3"];
    assert_eq!(dead.reasons, reasons);
    assert_eq!(bus.stats().dead_lettered, 1);
    let bus = suite.reopen(bus).await;
    let mut member = consumer(&bus, three_tries("failing")).await;
    publish(&bus, vec![message("custom.fine._._", 8)]).await;
    assert_eq!(number(&next(&mut member).await), 8, "the dead came back");
    assert_eq!(only_dead_letter(&bus).await, dead);
}

/// A message whose attempts all go silent is given up too.
pub async fn silence_ends_as_dead_letter(suite: &Suite) {
    let bus = suite.open().await;
    let mut consumer = consumer(&bus, three_tries("silent")).await;
    publish(&bus, messages("custom.a._._", [1])).await;
    for attempt in 1..=3 {
        assert_eq!(next(&mut consumer).await.attempt, attempt);
        suite.time.pass(SECOND * 5 / 2).await;
    }
    publish(&bus, messages("custom.a._._", [2])).await;
    assert_eq!(number(&next(&mut consumer).await), 2, "a fourth attempt was made");
    let buried = async { while bus.dead_letters(1).await.expect("a list").is_empty() {} };
    // It is given up when it comes to somebody who pulls.
    tokio::select! {
        more = consumer.next() => panic!("{more:?} is a fourth attempt"),
        () = within(buried) => {}
    }
    let dead = only_dead_letter(&bus).await;
    assert_eq!(dead.sequence, 1);
    assert!(dead.reasons.last().expect("a reason").contains("3 attempts"), "{:?}", dead.reasons);
}

/// A rejected message is a dead letter without another attempt.
pub async fn the_rejected_is_dead_at_once(suite: &Suite) {
    let bus = suite.open().await;
    let mut consumer = consumer(&bus, config("strict", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", [1, 2])).await;
    next(&mut consumer).await.reject("not an event").await;
    // Longer than the ack wait.
    suite.time.pass(SECOND * 3).await;
    assert_eq!(number(&next(&mut consumer).await), 2);
    let dead = only_dead_letter(&bus).await;
    assert_eq!((dead.attempts, dead.reasons.as_slice()), (1, &["not an event".to_owned()][..]));
    assert!(dead.event().is_err());
}
