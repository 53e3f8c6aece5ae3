//! What handlers can rely on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use omni_retry::{Policy, Strategy};
use tokio::sync::{Semaphore, mpsc::UnboundedReceiver};

use super::{
    Suite, config,
    events::{Seen, event, seen},
    messages, publish, within,
};
use crate::{ConsumerConfig, DeadLetter, Ended, EventBus, Failure, Received, Subscription};

const SECOND: Duration = Duration::from_secs(1);

fn tries(name: &str, max_attempts: u32) -> ConsumerConfig {
    let retry = Policy {
        max_attempts,
        initial_delay_ms: 200,
        max_delay_ms: 60_000,
        strategy: Strategy::Exponential,
        jitter: 0.0,
    };
    ConsumerConfig { retry, ..config(name, &["custom.>"]) }
}

/// Subscribes with a handler that says what it sees and then does what it is told to.
async fn subscribe<F>(
    bus: &EventBus,
    config: ConsumerConfig,
    work: impl Fn(Seen) -> F + Send + Sync + 'static,
) -> (Subscription, UnboundedReceiver<Seen>)
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let (say, said) = seen();
    let handler = move |received: Received| {
        let seen = Seen::of(&received);
        let _ = say.send(seen);
        work(seen)
    };
    (bus.subscribe(config, handler).await.expect("it subscribes"), said)
}

async fn handled(seen: &mut UnboundedReceiver<Seen>) -> (u64, u32) {
    let Seen { number, attempt } = within(seen.recv()).await.expect("the handler is there");
    (number, attempt)
}

async fn publish_events(bus: &EventBus, numbers: impl IntoIterator<Item = u64>) {
    let event = |number| event("custom.thing", number, "{}");
    let events: Vec<_> = numbers.into_iter().map(event).collect();
    bus.publish(&events).await.expect("published");
}

/// Waits until so many dead letters are there; newest first.
async fn dead_letters(suite: &Suite, bus: &EventBus, count: usize) -> Vec<DeadLetter> {
    let look = async {
        loop {
            let dead = bus.dead_letters(10).await.expect("a list");
            if dead.len() >= count {
                return dead;
            }
            tokio::task::yield_now().await;
        }
    };
    suite.time.until(within(look)).await
}

/// Events are handled side by side, as many as may be in flight, and each is acknowledged.
pub async fn handlers_run_side_by_side(suite: &Suite) {
    let bus = suite.open().await;
    let config = ConsumerConfig { max_in_flight: 3, ..config("side-by-side", &["custom.>"]) };
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let both = Arc::new(tokio::sync::Barrier::new(3));
    let work = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        move |_| {
            let (running, most, both) = (running.clone(), most.clone(), both.clone());
            async move {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                both.wait().await;
                running.fetch_sub(1, SeqCst);
                Ok(())
            }
        }
    };
    let (subscription, mut seen) = subscribe(&bus, config.clone(), work).await;
    publish_events(&bus, 1..=30).await;
    let mut numbers = Vec::new();
    for _ in 1..=30 {
        numbers.push(handled(&mut seen).await.0);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
    assert_eq!(within(subscription.stop()).await, Ended::Stopped);
    assert_eq!((running.load(SeqCst), most.load(SeqCst)), (0, 3));
    let stats = bus.stats();
    let [of_consumer] = stats.consumers.as_slice() else { panic!("one consumer: {stats:?}") };
    assert_eq!((of_consumer.name.as_str(), of_consumer.delivered), ("side-by-side", 30));
    assert_eq!((of_consumer.acked, of_consumer.ack_latency.count), (30, 30));
    assert_eq!((of_consumer.redelivered, of_consumer.dead_lettered), (0, 0));
    // The next one goes on where this one stopped.
    let bus = suite.reopen(bus).await;
    let (_, mut seen) = subscribe(&bus, config, async |_| Ok(())).await;
    publish_events(&bus, [31]).await;
    assert_eq!(handled(&mut seen).await, (31, 1));
    bus.drain().await.expect("it drains");
}

/// A failed handler is called again by the policy, until the event is a dead letter with the whole story.
pub async fn failures_are_tried_again(suite: &Suite) {
    let bus = suite.open().await;
    let work = async |seen: Seen| {
        "x".parse::<u64>()?;
        Err(Failure::retry(format!("{seen:?}")))
    };
    let (_, mut seen) = subscribe(&bus, tries("failing-handler", 3), work).await;
    let clock = suite.time.clock();
    publish_events(&bus, [1]).await;
    let mut times = Vec::new();
    for attempt in 1..=3 {
        assert_eq!(suite.time.until(handled(&mut seen)).await, (1, attempt));
        times.push(clock.elapsed());
    }
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    assert!(waits[0] >= SECOND / 5 && waits[1] >= SECOND * 2 / 5, "{waits:?}");
    let dead = dead_letters(suite, &bus, 1).await.remove(0);
    assert_eq!((dead.attempts, dead.event().expect("the event").source), (3, "conformance".into()));
    let reason = |attempt| format!("attempt {attempt}: invalid digit found in string");
    assert_eq!(dead.reasons, [reason(1), reason(2), reason(3)]);
    assert_eq!(bus.stats().consumers[0].dead_lettered, 1);
    bus.drain().await.expect("it drains");
}

/// A handler may say itself how long to wait, and that another try makes no sense.
pub async fn handlers_decide_what_becomes_of_an_event(suite: &Suite) {
    let bus = suite.open().await;
    let work = async |seen: Seen| match (seen.number, seen.attempt) {
        (1, 1) => Err(Failure::retry_in(SECOND, "later")),
        (2, _) => Err(Failure::reject("never")),
        _ => Ok(()),
    };
    let (_, mut seen) = subscribe(&bus, tries("deciding", 3), work).await;
    publish_events(&bus, [1]).await;
    assert_eq!(handled(&mut seen).await, (1, 1));
    let begin = suite.time.clock().elapsed();
    publish_events(&bus, [2, 3]).await;
    let mut others = [handled(&mut seen).await, handled(&mut seen).await];
    others.sort_unstable();
    assert_eq!(others, [(2, 1), (3, 1)]);
    assert_eq!(suite.time.until(handled(&mut seen)).await, (1, 2));
    let margin = SECOND / 10;
    assert!(suite.time.clock().elapsed() + margin >= begin + SECOND, "it came before its time");
    let dead = dead_letters(suite, &bus, 1).await;
    assert_eq!((dead.len(), dead[0].reasons.as_slice()), (1, &["never".to_owned()][..]));
    bus.drain().await.expect("it drains");
}

/// A panic is a failure like any other, and what is no event is a dead letter; the subscription goes on.
pub async fn panics_and_nonsense_are_survived(suite: &Suite) {
    let bus = suite.open().await;
    let work = async |seen: Seen| {
        assert!(seen.number != 1, "no luck with {}", seen.number);
        Ok(())
    };
    let (_, mut seen) = subscribe(&bus, tries("panicking", 2), work).await;
    publish_events(&bus, [1]).await;
    assert_eq!(handled(&mut seen).await, (1, 1));
    assert_eq!(suite.time.until(handled(&mut seen)).await, (1, 2));
    let dead = dead_letters(suite, &bus, 1).await;
    let reason = |attempt| format!("attempt {attempt}: panicked: no luck with 1");
    assert_eq!(dead[0].reasons, [reason(1), reason(2)]);
    publish(&bus, messages("custom.nonsense._._", [2])).await;
    publish_events(&bus, [3]).await;
    assert_eq!(handled(&mut seen).await, (3, 1));
    let dead = dead_letters(suite, &bus, 2).await;
    let [reason] = dead[0].reasons.as_slice() else { panic!("one reason: {dead:?}") };
    assert!(reason.contains("is not an event: "), "{reason}");
    bus.drain().await.expect("it drains");
}

/// A handler that takes longer than the ack wait is left in peace, and called once.
pub async fn slow_handlers_are_kept_alive(suite: &Suite) {
    let bus = suite.open().await;
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    let work = move |seen: Seen| {
        let gate = Arc::clone(&gate);
        async move {
            if seen.number == 1 {
                let _ = gate.acquire().await;
            }
            Ok(())
        }
    };
    let (subscription, mut seen) =
        subscribe(&bus, config("slow-handler", &["custom.>"]), work).await;
    publish_events(&bus, [1]).await;
    assert_eq!(handled(&mut seen).await, (1, 1));
    for step in 1..=9 {
        suite.time.pass(SECOND / 2).await;
        publish_events(&bus, [100 + step]).await;
        assert_eq!(handled(&mut seen).await, (100 + step, 1));
    }
    open.add_permits(1);
    within(subscription.stop()).await;
    assert!(seen.try_recv().is_err(), "the slow handler was called again");
    let stats = bus.stats();
    assert_eq!((stats.delivered, stats.redelivered, stats.acked), (10, 0, 10));
    bus.drain().await.expect("it drains");
}

/// Events with violations never reach the handler: they are dead letters that name what is wrong.
pub async fn only_valid_events_are_handled(suite: &Suite) {
    let bus = suite.open().await;
    let (say, mut seen) = seen();
    let check = |event: &omni_events::Event| match event.payload.as_str() {
        "{}" => vec!["/id is missing".to_owned(), "/name is missing".to_owned()],
        _ => Vec::new(),
    };
    let handler = move |received: Received| {
        let _ = say.send(Seen::of(&received));
        async { Ok(()) }
    };
    let config = tries("validated", 3);
    bus.subscribe_validated(config, check, handler).await.expect("it subscribes");
    publish_events(&bus, [1]).await;
    bus.publish(&[event("custom.thing", 2, r#"{"id":1}"#)]).await.expect("published");
    assert_eq!(handled(&mut seen).await, (2, 1));
    let dead = dead_letters(suite, &bus, 1).await.remove(0);
    assert_eq!((dead.sequence, dead.attempts), (1, 1));
    assert_eq!(dead.reasons, ["the event is not valid: /id is missing; /name is missing"]);
    bus.drain().await.expect("it drains");
}

/// A drain lets handlers end and settles their events; one that does not end is given up, and its event comes back.
pub async fn a_drain_finishes_handlers(suite: &Suite) {
    let bus = suite.open().await;
    let gate = Arc::new(Semaphore::new(0));
    let (open, ended) = (Arc::clone(&gate), Arc::new(AtomicUsize::new(0)));
    let config = config("drained-handler", &["custom.>"]);
    let work = {
        let ended = Arc::clone(&ended);
        move |_| {
            let (gate, ended) = (Arc::clone(&gate), Arc::clone(&ended));
            async move {
                let _ = gate.acquire().await;
                ended.fetch_add(1, SeqCst);
                Ok(())
            }
        }
    };
    let (subscription, mut seen) = subscribe(&bus, config.clone(), work).await;
    publish_events(&bus, [1, 2]).await;
    handled(&mut seen).await;
    handled(&mut seen).await;
    let until_then = async {
        // The bus is open for as long as a handler runs: it may want to publish.
        for number in 1..=20 {
            publish(&bus, messages("media.unwanted._._", [number])).await;
        }
        open.add_permits(2);
    };
    let (drained, ()) = tokio::join!(bus.drain(), until_then);
    drained.expect("it drains");
    assert_eq!((ended.load(SeqCst), subscription.ended().await), (2, Ended::Stopped));
    bus.drain().await.expect("draining twice is fine");
    drop(bus);
    let bus = suite.open().await;
    let endless = async |_| std::future::pending().await;
    let (_, mut seen) = subscribe(&bus, config.clone(), endless).await;
    publish_events(&bus, [3]).await;
    assert_eq!(handled(&mut seen).await, (3, 1), "what was handled came again");
    let drained = suite.time.until(within(bus.drain_within(SECOND / 5))).await;
    drained.expect("it drains");
    drop(bus);
    let bus = suite.open().await;
    let (_, mut seen) = subscribe(&bus, config, async |_| Ok(())).await;
    assert_eq!(suite.time.until(handled(&mut seen)).await.0, 3);
    bus.drain().await.expect("it drains");
}

/// A subscription whose consumer is removed ends, and says so.
pub async fn a_removed_consumer_ends_its_subscription(suite: &Suite) {
    let bus = suite.open().await;
    let config = config("removed", &["custom.>"]);
    let (subscription, mut seen) = subscribe(&bus, config.clone(), async |_| Ok(())).await;
    publish_events(&bus, [1]).await;
    assert_eq!(handled(&mut seen).await, (1, 1));
    bus.forget("removed").await.expect("it is removed");
    assert_eq!(within(subscription.ended()).await, Ended::Forgotten);
    let (_, mut seen) = subscribe(&bus, config, async |_| Ok(())).await;
    assert_eq!(handled(&mut seen).await, (1, 1), "one of its name begins anew");
    bus.drain().await.expect("it drains");
}
