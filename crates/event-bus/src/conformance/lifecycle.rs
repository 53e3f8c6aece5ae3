//! What outlives a restart, and how things end.

use std::time::Duration;

use super::{
    Suite, Time, config, consumer, message, messages, next, number, numbers, publish, take,
};
use crate::{ConsumerConfig, Error, Start};

/// After a restart a consumer gets what it had not settled, and only that.
pub async fn consumers_resume(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, config("durable", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", 1..=6)).await;
    let out = take(&mut member, 5).await;
    let (settled, lost): (Vec<_>, Vec<_>) =
        out.into_iter().partition(|delivery| [1, 3, 4].contains(&number(delivery)));
    bus.ack_all(settled).await;
    let bus = suite.reopen(bus).await;
    let mut member = consumer(&bus, config("durable", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", [7])).await;
    let rest = take(&mut member, 4).await;
    let mut left = numbers(&rest);
    if let Time::Real(_) = suite.time {
        // A server that cannot tell that its member is gone waits for what that one had.
        left.sort_unstable();
    }
    assert_eq!(left, [2, 5, 6, 7]);
    assert!(rest.iter().filter(|delivery| number(delivery) > 5).all(|fresh| fresh.attempt == 1));
    drop(lost);
    bus.ack_all(rest).await;
    let bus = suite.reopen(bus).await;
    let mut member = consumer(&bus, config("durable", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", [8])).await;
    assert_eq!(number(&next(&mut member).await), 8);
}

/// A consumer of new messages gets what came after it was made, also while it was away.
pub async fn an_idle_consumer_misses_nothing(suite: &Suite) {
    let bus = suite.open().await;
    publish(&bus, messages("custom.a._._", [1])).await;
    let new = || ConsumerConfig { start: Start::New, ..config("idle", &["custom.>"]) };
    drop(consumer(&bus, new()).await);
    let bus = suite.reopen(bus).await;
    publish(&bus, messages("custom.a._._", [2])).await;
    let bus = suite.reopen(bus).await;
    assert_eq!(number(&next(&mut consumer(&bus, new()).await).await), 2);
}

/// A consumer can be moved back and forth, and stays there.
pub async fn consumers_can_be_moved(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, config("moved", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", 1..=5)).await;
    bus.ack_all(take(&mut member, 5).await).await;
    bus.seek("moved", Start::Sequence(3)).await.expect("it moves");
    let again = take(&mut member, 3).await;
    assert_eq!(numbers(&again), [3, 4, 5]);
    assert!(again.iter().all(|delivery| delivery.attempt == 1));
    bus.ack_all(again).await;
    bus.seek("moved", Start::First).await.expect("it moves");
    let bus = suite.reopen(bus).await;
    let mut member = consumer(&bus, config("moved", &["custom.>"])).await;
    assert_eq!(number(&next(&mut member).await), 1);
    bus.seek("moved", Start::New).await.expect("it moves");
    publish(&bus, messages("custom.a._._", [6])).await;
    assert_eq!(number(&next(&mut member).await), 6);
    let unknown = bus.seek("nobody", Start::New).await;
    assert!(matches!(unknown, Err(Error::NoConsumer { .. })), "{unknown:?}");
}

/// A removed consumer ends its members, and one of its name begins anew.
pub async fn consumers_can_be_removed(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, config("passing", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", [1])).await;
    next(&mut member).await.ack().await;
    let (ended, removed) = tokio::join!(member.next(), bus.forget("passing"));
    removed.expect("it is removed");
    assert!(ended.is_none(), "{ended:?}");
    let mut member = consumer(&bus, config("passing", &["custom.>"])).await;
    assert_eq!(number(&next(&mut member).await), 1);
}

/// Messages past their stream's retention go, the others stay, and sequences do not begin anew.
pub async fn old_messages_are_removed(suite: &Suite) {
    let Time::Manual(clock) = &suite.time else { return };
    let bus = suite.open().await;
    publish(&bus, messages("custom.a._._", 1..=1500)).await;
    publish(&bus, messages("identity.a._._", [2001])).await;
    assert_eq!(bus.purge_expired().await.expect("purged"), 0);
    clock.advance(Duration::from_hours(24 * 4));
    publish(&bus, vec![message("media.a._._", 2002), message("custom.a._._", 1501)]).await;
    clock.advance(Duration::from_hours(24 * 4));
    assert_eq!(bus.purge_expired().await.expect("purged"), 1500);
    clock.advance(Duration::from_hours(24 * 4));
    assert_eq!(bus.purge_expired().await.expect("purged"), 2);
    let bus = suite.reopen(bus).await;
    assert_eq!(publish(&bus, messages("custom.a._._", [1502])).await, [1502]);
    let mut member = consumer(&bus, config("late", &[">"])).await;
    let mut left = numbers(&take(&mut member, 2).await);
    left.sort_unstable();
    assert_eq!(left, [1502, 2001]);
}

/// After a drain nothing more is handed out or taken in, and what was settled is settled.
pub async fn drain_ends_everything(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, config("drained", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", 1..=2)).await;
    next(&mut member).await.ack().await;
    let late = next(&mut member).await;
    let (ended, drained) = tokio::join!(member.next(), bus.drain());
    drained.expect("it drains");
    assert!(ended.is_none(), "{ended:?}");
    assert!(member.next().await.is_none());
    assert!(matches!(bus.publish_raw(messages("custom.a._._", [3])).await, Err(Error::Closed)));
    late.ack().await;
    bus.drain().await.expect("draining twice is fine");
    drop((member, bus));
    let bus = suite.open().await;
    let mut member = consumer(&bus, config("drained", &["custom.>"])).await;
    let again = next(&mut member).await;
    assert_eq!(number(&again), 2, "an ack after the drain cannot count");
}
