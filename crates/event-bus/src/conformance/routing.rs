//! Messages in another stream than that of their domain: whoever selects them finds them.

use super::{Suite, config, consumer, messages, next, number, numbers, publish, reading, take};
use crate::{ConsumerConfig, EventBus, Start, Stream};

/// Sends a type to the stream of identities.
async fn route(bus: &EventBus) {
    let routes = [("custom.order.paid".to_owned(), Stream::Identity)].into();
    bus.set_routes(routes, &[]).await.expect("the routes are in force");
}

const PAID: &str = "custom.order.paid._._";
const OTHER: &str = "custom.order.sent._._";

/// A consumer that is open when a type is routed elsewhere gets its messages from there too, and only what it wants.
pub async fn open_consumers_find_routed_messages(suite: &Suite) {
    let bus = suite.open().await;
    let new = |name, filter| ConsumerConfig { start: Start::New, ..config(name, &[filter]) };
    let mut all = consumer(&bus, new("all", "custom.>")).await;
    let mut identities = consumer(&bus, new("identities", "identity.>")).await;
    publish(&bus, messages(PAID, [1])).await;
    publish(&bus, messages("identity.made._._", [2])).await;
    bus.ack_all(take(&mut all, 1).await).await;
    route(&bus).await;
    let receipts = bus.publish_raw(messages(PAID, [3])).await.expect("published");
    assert_eq!((receipts[0].stream, receipts[0].sequence), (Stream::Identity, 2));
    publish(&bus, messages(OTHER, [4])).await;
    let mut got = take(&mut all, 2).await;
    got.sort_by_key(number);
    assert_eq!(numbers(&got), [3, 4]);
    assert_eq!(got[0].stream, Stream::Identity);
    bus.ack_all(got).await;
    // What is routed to a stream is not of its domain.
    publish(&bus, messages("identity.made._._", [5])).await;
    assert_eq!(numbers(&take(&mut identities, 2).await), [2, 5]);
    // Waiting members are woken, and routing once more changes nothing for them.
    route(&bus).await;
    let (delivery, _) = tokio::join!(next(&mut all), publish(&bus, messages(PAID, [6])));
    assert_eq!(number(&delivery), 6);
}

/// A consumer that was away while a type came to be routed misses nothing, a new one begins where it wants, and both
/// go on where they were.
pub async fn other_consumers_find_routed_messages(suite: &Suite) {
    let bus = suite.open().await;
    let start = |name, start| ConsumerConfig { start, ..config(name, &["custom.>"]) };
    drop(consumer(&bus, start("away", Start::New)).await);
    let bus = suite.reopen(bus).await;
    route(&bus).await;
    publish(&bus, messages(PAID, 1..=3)).await;
    let bus = suite.reopen(bus).await;
    route(&bus).await;
    let mut away = consumer(&bus, start("away", Start::New)).await;
    bus.ack_all(take(&mut away, 3).await).await;
    let mut new = consumer(&bus, start("new", Start::New)).await;
    let mut first = consumer(&bus, start("first", Start::First)).await;
    publish(&bus, messages(PAID, [4])).await;
    assert_eq!(number(&next(&mut new).await), 4);
    assert_eq!(numbers(&take(&mut first, 4).await), [1, 2, 3, 4]);
    // Opened before the routes are known again.
    let bus = suite.reopen(bus).await;
    let mut away = consumer(&bus, start("away", Start::New)).await;
    route(&bus).await;
    let delivery = next(&mut away).await;
    assert_eq!((number(&delivery), delivery.attempt), (4, 1));
}

/// A replay finds routed messages as well.
pub async fn replays_find_routed_messages(suite: &Suite) {
    let bus = suite.open().await;
    publish(&bus, messages(PAID, [1])).await;
    route(&bus).await;
    suite.time.pass(std::time::Duration::from_millis(5)).await;
    publish(&bus, messages(PAID, [2])).await;
    publish(&bus, messages("identity.made._._", [3])).await;
    suite.time.pass(std::time::Duration::from_millis(50)).await;
    let replay = bus.replay(reading::all(&["custom.>"])).expect("it opens");
    assert_eq!(reading::rest(replay).await, [1, 2]);
}
