//! Messages of one key are handled one at a time and in order, whatever becomes of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;

use super::{
    Suite, config, consumer,
    events::{Seen, event, seen},
    message, messages, next, number, numbers, publish, take, within,
};
use crate::{ConsumerConfig, Error, Failure, OrderingKey, Start};

const SECOND: Duration = Duration::from_secs(1);

/// A consumer whose messages are ordered by their subject.
fn ordered(name: &str) -> ConsumerConfig {
    ConsumerConfig { ordering: Some(OrderingKey::Subject), ..config(name, &["custom.>"]) }
}

/// Of each key one message is out, and settling it, in whatever way, lets the next one go.
pub async fn keys_go_one_at_a_time(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, ordered("one-at-a-time")).await;
    for number in 1..=9 {
        let subject = ["custom.a._._", "custom.b._._", "custom.c._._"][number as usize % 3];
        publish(&bus, vec![message(subject, number)]).await;
    }
    let mut heads = take(&mut member, 3).await;
    assert_eq!(numbers(&heads), [1, 2, 3]);
    assert!(member.next_batch(10).now_or_never().is_none(), "a second one of a key was handed out");
    heads.remove(1).ack().await;
    let next_of_two = next(&mut member).await;
    assert_eq!(number(&next_of_two), 5);
    heads.remove(0).reject("it is no good").await;
    let next_of_one = next(&mut member).await;
    assert_eq!(number(&next_of_one), 4);
    heads.extend([next_of_one, next_of_two]);
    bus.ack_all(heads).await;
    let rest = take(&mut member, 3).await;
    let mut rest_of = numbers(&rest);
    rest_of.sort_unstable();
    assert_eq!(rest_of, [6, 7, 8]);
    bus.ack_all(rest).await;
    assert_eq!(number(&next(&mut member).await), 9);
    let senseless = OrderingKey::Pointer("payload".into());
    let refused = ConsumerConfig { ordering: Some(senseless), ..ordered("senseless") };
    assert!(matches!(bus.consumer(refused).await, Err(Error::Consumer { .. })));
}

/// A key that waits for a retry keeps back its own messages, however many, and those of no other.
pub async fn a_blocked_key_parks_alone(suite: &Suite) {
    let bus = suite.open().await;
    let config = ConsumerConfig { max_in_flight: 2, ..ordered("blocked") };
    let mut member = consumer(&bus, config).await;
    publish(&bus, messages("custom.stuck._._", 1..=20)).await;
    publish(&bus, messages("custom.fine._._", 101..=110)).await;
    let stuck = next(&mut member).await;
    assert_eq!(number(&stuck), 1);
    let begin = suite.time.clock().elapsed();
    stuck.retry_in(SECOND, "not yet").await;
    for fine in 101..=110 {
        let delivery = next(&mut member).await;
        assert_eq!(number(&delivery), fine);
        delivery.ack().await;
    }
    let again = suite.time.until(next(&mut member)).await;
    assert_eq!((number(&again), again.attempt), (1, 2));
    assert!(suite.time.clock().elapsed() >= begin + SECOND, "the retry came before its time");
    again.ack().await;
    for late in 2..=20 {
        let delivery = next(&mut member).await;
        assert_eq!((number(&delivery), delivery.attempt), (late, 1));
        delivery.ack().await;
    }
}

/// What is kept back does not go stale, however long the one before it takes.
pub async fn what_is_parked_is_kept_alive(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, ordered("patient")).await;
    publish(&bus, messages("custom.slow._._", 1..=3)).await;
    let slow = next(&mut member).await;
    for step in 0..9 {
        suite.time.pass(SECOND / 2).await;
        slow.in_progress().await;
        publish(&bus, messages("custom.quick._._", [100 + step])).await;
        let quick = next(&mut member).await;
        assert_eq!(number(&quick), 100 + step, "a message overtook the one before it");
        quick.ack().await;
    }
    slow.ack().await;
    for late in 2..=3 {
        let delivery = next(&mut member).await;
        assert_eq!((number(&delivery), delivery.attempt), (late, 1));
        delivery.ack().await;
    }
    assert_eq!(bus.stats().redelivered, 0);
}

/// A message that was dropped unsettled comes again before those behind it.
pub async fn a_dropped_message_comes_before_its_followers(suite: &Suite) {
    let bus = suite.open().await;
    let config = ConsumerConfig { max_in_flight: 1, ..ordered("dropped") };
    let mut member = consumer(&bus, config).await;
    publish(&bus, messages("custom.a._._", 1..=3)).await;
    drop(next(&mut member).await);
    let again = suite.time.until(next(&mut member)).await;
    assert_eq!((number(&again), again.attempt), (1, 2));
    again.ack().await;
    let second = next(&mut member).await;
    assert_eq!((number(&second), second.attempt), (2, 1));
    second.retry_in(Duration::ZERO, "once more").await;
    let again = suite.time.until(next(&mut member)).await;
    assert_eq!((number(&again), again.attempt), (2, 2));
    again.ack().await;
    assert_eq!(number(&next(&mut member).await), 3);
}

/// Members of one consumer share its lanes: what one settles lets another one go on that waits.
pub async fn members_share_lanes(suite: &Suite) {
    let bus = suite.open().await;
    let mut one = consumer(&bus, ordered("members")).await;
    let mut two = consumer(&bus, ordered("members")).await;
    publish(&bus, messages("custom.a._._", 1..=20)).await;
    let mut head = next(&mut one).await;
    for follower in 2..=20 {
        assert!(two.next().now_or_never().is_none(), "two of one key are out");
        let (delivery, ()) = tokio::join!(next(&mut two), head.ack());
        assert_eq!((number(&delivery), delivery.attempt), (follower, 1));
        head = delivery;
        std::mem::swap(&mut one, &mut two);
    }
    head.ack().await;
}

/// After a restart what was not settled comes again in order, also what was kept back.
pub async fn order_outlives_a_restart(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, ordered("restarted")).await;
    publish(&bus, messages("custom.a._._", 1..=4)).await;
    publish(&bus, messages("custom.b._._", [5])).await;
    let mut out = take(&mut member, 2).await;
    assert_eq!(numbers(&out), [1, 5]);
    out.remove(1).ack().await;
    drop(member);
    let bus = suite.reopen(bus).await;
    let mut member = consumer(&bus, ordered("restarted")).await;
    publish(&bus, messages("custom.a._._", [6])).await;
    drop(out);
    let mut order = Vec::new();
    while order.len() < 5 {
        let batch = suite.time.until(within(member.next_batch(10))).await;
        // What was settled above something that was not may be repeated.
        let of_a: Vec<_> = numbers(&batch).into_iter().filter(|number| *number != 5).collect();
        assert!(of_a.len() <= 1, "{of_a:?} are out together");
        order.extend(of_a);
        bus.ack_all(batch).await;
    }
    assert_eq!(order, [1, 2, 3, 4, 6]);
}

/// A consumer that is moved forgets what it kept back, and begins there in order.
pub async fn moving_forgets_what_is_parked(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, ordered("moved-lanes")).await;
    publish(&bus, messages("custom.a._._", 1..=5)).await;
    next(&mut member).await.ack().await;
    let second = next(&mut member).await;
    assert_eq!(number(&second), 2);
    bus.seek("moved-lanes", Start::Sequence(4)).await.expect("it moves");
    for expected in 4..=5 {
        let delivery = next(&mut member).await;
        assert_eq!((number(&delivery), delivery.attempt), (expected, 1));
        delivery.ack().await;
    }
    drop(second);
    bus.seek("moved-lanes", Start::First).await.expect("it moves");
    for expected in 1..=5 {
        let delivery = next(&mut member).await;
        assert_eq!((number(&delivery), delivery.attempt), (expected, 1));
        delivery.ack().await;
    }
}

/// Several subscriptions of one consumer, whose handlers fail and panic, handle each key in order and different ones
/// side by side.
pub async fn handlers_keep_the_order_of_each_key(suite: &Suite) {
    const KEYS: u64 = 6;
    const EVENTS: u64 = 120;
    let bus = suite.open().await;
    let (log, done) = seen();
    let running = Arc::new(Mutex::new(HashMap::new()));
    let most = Arc::new(Mutex::new(0));
    let config = ConsumerConfig {
        max_in_flight: 8,
        ordering: Some(OrderingKey::Pointer("/payload/key".into())),
        ..ordered("handlers")
    };
    for _ in 0..2 {
        let (log, running, most) = (log.clone(), running.clone(), most.clone());
        let handler = move |received: crate::Received| {
            let (log, running, most) = (log.clone(), running.clone(), most.clone());
            async move {
                let seen = Seen::of(&received);
                let key = seen.number % KEYS;
                {
                    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
                    assert_eq!(running.insert(key, seen.number), None, "two of one key at once");
                    let mut most = most.lock().unwrap_or_else(PoisonError::into_inner);
                    *most = running.len().max(*most);
                }
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
                running.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
                if received.attempt == 1 && seen.number % 5 == 1 {
                    return Err(Failure::retry_in(Duration::ZERO, "once more"));
                }
                assert!(received.attempt > 1 || seen.number % 7 != 3, "a panic");
                let _ = log.send(seen);
                Ok(())
            }
        };
        let policy = omni_retry::Policy { initial_delay_ms: 1, ..config.retry.clone() };
        let config = ConsumerConfig { retry: policy, ..config.clone() };
        bus.subscribe(config, handler).await.expect("it subscribes");
    }
    let all: Vec<_> = (0..EVENTS)
        .map(|number| event("custom.ordered", number, &format!(r#"{{"key":{}}}"#, number % KEYS)))
        .collect();
    bus.publish(&all).await.expect("published");
    let mut done = done;
    let mut last = HashMap::new();
    for _ in 0..EVENTS {
        let seen = suite.time.until(within(done.recv())).await.expect("the log is open");
        let before = last.insert(seen.number % KEYS, seen.number);
        assert!(before.is_none_or(|before| before < seen.number), "{before:?}, then {seen:?}");
    }
    let most = *most.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(most > 1, "keys were not handled side by side");
    assert_eq!(bus.dead_letters(10).await.expect("a list"), []);
    bus.drain().await.expect("it drains");
}
