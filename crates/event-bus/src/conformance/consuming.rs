//! What consumers are given, and in which order.

use std::time::Duration;

use futures_util::FutureExt;

use super::{
    Suite, config, consumer, message, messages, next, number, numbers, publish, take, within,
};
use crate::{ConsumerConfig, Error, Start};

/// Exact subjects, `*`, `>` and several filters over several streams select what they say.
pub async fn filters_select(suite: &Suite) {
    let bus = suite.open().await;
    let subjects = [
        "custom.order.paid._._",
        "custom.order.shipped._._",
        "custom.order.item.added._._",
        "message.received.whatsapp.wa-1",
        "message.sent.whatsapp.wa-2",
        "media.stored._._",
    ];
    let all = subjects.iter().zip(1..).map(|(subject, number)| message(subject, number));
    publish(&bus, all.collect()).await;
    let cases: [(&str, &[&str], &[u64]); 6] = [
        ("exact", &["custom.order.paid._._"], &[1]),
        ("star", &["custom.order.*._._"], &[1, 2]),
        ("rest", &["custom.order.>"], &[1, 2, 3]),
        ("several", &["message.*.whatsapp.wa-2", "media.>", "custom.order.paid.>"], &[1, 5, 6]),
        ("anywhere", &["*.*.whatsapp.*"], &[4, 5]),
        ("overlap", &["custom.>", "custom.order.paid._._"], &[1, 2, 3]),
    ];
    for (name, filters, expected) in cases {
        let mut consumer = consumer(&bus, config(name, filters)).await;
        let mut got = numbers(&take(&mut consumer, expected.len()).await);
        got.sort_unstable();
        assert_eq!(got, expected, "{name}: {filters:?}");
        assert!(consumer.next().now_or_never().is_none(), "{name} got more");
    }
}

/// A consumer that waits is woken by what is published later.
pub async fn waiting_consumers_are_woken(suite: &Suite) {
    let bus = suite.open().await;
    let mut consumer = consumer(&bus, config("waiting", &["custom.>"])).await;
    for number in 1..=20 {
        let (delivery, _) = tokio::join!(
            next(&mut consumer),
            publish(
                &bus,
                vec![message("media.x._._", 100 + number), message("custom.x._._", number)]
            ),
        );
        assert_eq!(super::number(&delivery), number);
        delivery.ack().await;
    }
}

/// Each message goes to one member of a consumer, and members must agree on its settings.
pub async fn members_share(suite: &Suite) {
    let bus = suite.open().await;
    let mut one = consumer(&bus, config("shared", &["custom.>"])).await;
    let mut two = consumer(&bus, config("shared", &["custom.>"])).await;
    publish(&bus, messages("custom.a._._", 1..=10)).await;
    let first = take(&mut one, 5).await;
    let second = take(&mut two, 5).await;
    let mut all = [numbers(&first), numbers(&second)].concat();
    all.sort_unstable();
    assert_eq!(all, (1..=10).collect::<Vec<_>>());
    bus.ack_all(first.into_iter().chain(second).collect()).await;
    // Both wait, one gets it.
    let waiting = async {
        tokio::select! { d = next(&mut one) => d, d = next(&mut two) => d }
    };
    let (delivery, _) = tokio::join!(waiting, publish(&bus, messages("custom.a._._", [11])));
    assert_eq!(number(&delivery), 11);
    let other = bus.consumer(config("shared", &["media.>"])).await;
    assert!(matches!(other, Err(Error::Consumer { .. })), "{other:?}");
}

/// Consumers of different names each get everything.
pub async fn consumers_are_independent(suite: &Suite) {
    let bus = suite.open().await;
    publish(&bus, messages("custom.a._._", 1..=3)).await;
    for name in ["one", "two"] {
        let mut consumer = consumer(&bus, config(name, &["custom.>"])).await;
        let deliveries = take(&mut consumer, 3).await;
        assert_eq!(numbers(&deliveries), [1, 2, 3]);
        bus.ack_all(deliveries).await;
    }
}

/// New, first, last, a sequence and a time, and those only decide for a consumer that is new.
pub async fn consumers_start_where_asked(suite: &Suite) {
    let bus = suite.open().await;
    publish(&bus, messages("custom.a._._", 1..=3)).await;
    suite.time.pass(Duration::from_secs(1)).await;
    let between = suite.time.clock().now();
    suite.time.pass(Duration::from_secs(1)).await;
    publish(&bus, messages("custom.a._._", 4..=5)).await;
    publish(&bus, messages("custom.b._._", [6])).await;
    let cases = [
        ("new", Start::New, 7),
        ("first", Start::First, 1),
        ("last", Start::Last, 5),
        ("sequence", Start::Sequence(3), 3),
        ("future-sequence", Start::Sequence(7), 7),
        ("time", Start::Time(between), 4),
        ("long-ago", Start::Time(chrono::DateTime::UNIX_EPOCH), 1),
        ("tomorrow", Start::Time(between + Duration::from_hours(24)), 7),
    ];
    let mut consumers = Vec::new();
    for (name, start, first) in cases {
        let config = ConsumerConfig { start, ..config(name, &["custom.a._._"]) };
        consumers.push((name, first, consumer(&bus, config).await));
    }
    publish(&bus, messages("custom.a._._", [7])).await;
    for (name, first, mut member) in consumers {
        let delivery = next(&mut member).await;
        assert_eq!(number(&delivery), first, "{name}");
        delivery.ack().await;
    }
    let again = ConsumerConfig { start: Start::First, ..config("time", &["custom.a._._"]) };
    let delivery = next(&mut consumer(&bus, again).await).await;
    assert_eq!(number(&delivery), 5, "an old consumer goes on");
}

/// No more than `max_in_flight` are out, and settling one makes room for one.
pub async fn in_flight_is_bounded(suite: &Suite) {
    let bus = suite.open().await;
    let config = ConsumerConfig { max_in_flight: 2, ..config("bounded", &["custom.>"]) };
    let mut consumer = consumer(&bus, config).await;
    publish(&bus, messages("custom.a._._", 1..=4)).await;
    let mut out = take(&mut consumer, 2).await;
    assert_eq!(numbers(&out), [1, 2]);
    assert!(consumer.next_batch(10).now_or_never().is_none(), "a third was handed out");
    assert_eq!(bus.stats().consumers[0].in_flight, 2);
    let second = out.pop().expect("two");
    let (batch, ()) = tokio::join!(within(consumer.next_batch(10)), second.ack());
    assert_eq!(numbers(&batch), [3]);
    bus.ack_all(batch).await;
    assert_eq!(number(&next(&mut consumer).await), 4);
}

/// A consumer that comes late reads what has long been written, and goes over to what is new without a gap.
pub async fn a_backlog_comes_in_order(suite: &Suite) {
    let bus = suite.open().await;
    for start in (0..3000).step_by(500) {
        let batch = (start..start + 500).map(|number| {
            message(if number % 3 == 0 { "custom.third._._" } else { "custom.other._._" }, number)
        });
        publish(&bus, batch.collect()).await;
    }
    let bus = suite.reopen(bus).await;
    let mut all = consumer(&bus, config("all", &["custom.>"])).await;
    let mut third = consumer(&bus, config("third", &["custom.third._._"])).await;
    publish(&bus, messages("custom.third._._", 3000..3100)).await;
    let mut expected = 0..3100;
    while !expected.is_empty() {
        let batch = within(all.next_batch(70)).await;
        assert_eq!(numbers(&batch), expected.by_ref().take(batch.len()).collect::<Vec<_>>());
        bus.ack_all(batch).await;
    }
    let thirds = take(&mut third, 1000).await;
    assert_eq!(numbers(&thirds), (0..3000).step_by(3).collect::<Vec<_>>());
    bus.ack_all(thirds).await;
    assert_eq!(numbers(&take(&mut third, 100).await), (3000..3100).collect::<Vec<_>>());
}
