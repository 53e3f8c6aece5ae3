//! From the call of `publish` to the first line of a handler, for one event at a time.
//!
//! Open loop: an event that is late because its predecessor took so long counts from when it should have been published.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::{ConsumerConfig, EventBus, Failure};
use omni_events::{Event, SubjectPattern};
use tokio::sync::watch;

use crate::{Extent, book, book::Book, events};

/// What is published here; nothing else is.
pub(crate) const TYPE: &str = "custom.bench.timed";

/// Not counted: connections and caches warm up.
const FIRST: usize = 20;

/// A handler that is not reached by then is not reached at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// When events were published, and how long they took.
pub(crate) struct Stamps {
    published: Mutex<Vec<Instant>>,
    waits: Mutex<Histogram<u64>>,
    arrived: watch::Sender<usize>,
}

impl Stamps {
    pub(crate) fn new() -> Arc<Self> {
        let waits = Mutex::new(book::histogram());
        Arc::new(Self { published: Mutex::default(), waits, arrived: watch::Sender::new(0) })
    }

    /// The event with this number is there.
    pub(crate) fn arrived(&self, number: usize) {
        let wait = self.published.lock().unwrap()[number].elapsed();
        if number >= FIRST {
            book::record(&mut self.waits.lock().unwrap(), wait);
        }
        self.arrived.send_modify(|arrived| *arrived += 1);
    }

    /// Publishes at a fixed rate; notes how long that took each time, and how long the events took to arrive.
    pub(crate) async fn drive(
        &self,
        name: &str,
        extent: &Extent,
        book: &mut Book,
        publish: impl AsyncFn(Event),
    ) {
        let clock = SystemClock::new();
        let events = FIRST + (extent.time.as_secs() * u64::from(extent.rate)) as usize;
        let series = Random::from_entropy().next_u64();
        let mut receipts = book::histogram();
        let begun = Instant::now();
        for number in 0..events {
            let event = events::event(TYPE, series, number as u64);
            let due = begun + number as u32 * Duration::from_secs(1) / extent.rate;
            let early = due.saturating_duration_since(Instant::now());
            let started = if early.is_zero() {
                due
            } else {
                clock.sleep(early).await;
                Instant::now()
            };
            self.published.lock().unwrap().push(started);
            publish(event).await;
            if number >= FIRST {
                book::record(&mut receipts, started.elapsed());
            }
        }
        let all = async {
            self.arrived.subscribe().wait_for(|arrived| *arrived >= events).await.map(drop)
        };
        tokio::time::timeout(PATIENCE, all).await.unwrap().unwrap();
        book.latency(&format!("{name}_publish_to_receipt"), &receipts);
        book.latency(&format!("{name}_publish_to_handler"), &self.waits.lock().unwrap());
    }
}

/// Measures a bus.
pub(crate) async fn bus(bus: &EventBus, name: &str, extent: &Extent, book: &mut Book) {
    let stamps = Stamps::new();
    let filter = SubjectPattern::parse(&format!("{TYPE}.>")).unwrap();
    let config = ConsumerConfig::new("timed", vec![filter]);
    let subscription = {
        let stamps = Arc::clone(&stamps);
        bus.subscribe(config, move |received| {
            stamps.arrived(events::number(received.event.id));
            std::future::ready(Ok::<_, Failure>(()))
        })
    };
    let subscription = subscription.await.unwrap();
    let publish = async |event: Event| {
        bus.publish(std::slice::from_ref(&event)).await.unwrap();
    };
    stamps.drive(name, extent, book, publish).await;
    subscription.stop().await;
    bus.forget("timed").await.unwrap();
}
