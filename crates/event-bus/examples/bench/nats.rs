//! The bus on NATS, and beside it the client library by hand. Server, streams, messages and windows are the same.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{self, Context};
use omni_clock::{Clock, SystemClock};
use omni_event_bus::{EventBus, NatsOptions, testing::NatsServer};
use tokio::task::JoinSet;

use crate::{
    Extent,
    book::Book,
    embedded,
    events::Messages,
    latency,
    meter::{Meter, Rate},
    raw_nats,
};

/// How messages are kept on their way: so many tasks, each with so many messages that are not acknowledged yet.
///
/// The bus publishes batches: a task of it sends its whole window, and the next one when all are acknowledged. The raw
/// client fills its window up with every ack.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) tasks: usize,
    pub(crate) window: usize,
}

/// Several busy publishers: while one has the last of its batch on the way, the others keep the server busy.
const SHARED: Shape = Shape { tasks: 8, window: 32 };
/// One publisher with large batches, like the relay of a log that catches up: nothing is on the way between two batches.
const ALONE: Shape = Shape { tasks: 1, window: 256 };

/// How long the last acknowledgements may be on their way, and how often the server is asked.
const PATIENCE: Duration = Duration::from_secs(20);
const ASK_EVERY: Duration = Duration::from_millis(5);

pub(crate) struct Nats {
    server: NatsServer,
    bus: EventBus,
    raw: Context,
}

impl Nats {
    /// Starts a server of our own.
    pub(crate) async fn start() -> Self {
        let server = NatsServer::start().await;
        let bus = EventBus::nats(NatsOptions::new(server.url())).await.unwrap();
        let raw = jetstream::new(async_nats::connect(server.url()).await.unwrap());
        Self { server, bus, raw }
    }

    pub(crate) fn version(&self) -> String {
        self.raw.client().server_info().version
    }

    /// How long events take, by hand and over the bus.
    pub(crate) async fn waits(&self, extent: &Extent, book: &mut Book) {
        raw_nats::latency(&self.raw, extent, book).await;
        latency::bus(&self.bus, "nats", extent, book).await;
        self.empty().await;
    }

    pub(crate) async fn rates(&self, round: u32, extent: &Extent, book: &mut Book) {
        let Self { server, bus, raw } = self;
        let server = Some(server.pid());
        let messages = Arc::new(Messages::new("custom.bench.published"));
        for (shape, suffix) in [(SHARED, ""), (ALONE, "_by_one_task")] {
            let limit = raw_nats::publish(raw, (shape, server), extent, &messages).await;
            self.empty().await;
            let ours = self.publish(shape, extent, &messages).await;
            self.empty().await;
            book.pair(
                &format!("nats_publish{suffix}_vs_raw_client"),
                (&format!("nats_publish{suffix}"), ours),
                (&format!("raw_nats_publish{suffix}"), limit),
            );
        }

        let count = extent.count();
        embedded::fill(bus, &messages, count).await;
        let (by_hand, by_bus) = (format!("raw_taken_{round}"), format!("taken_{round}"));
        let limit = raw_nats::consume(raw, &by_hand, count, server).await;
        let ours = embedded::consume(bus, &by_bus, count, server).await;
        self.settled(&by_hand).await;
        self.settled(&by_bus).await;
        raw.delete_consumer_from_stream(&by_hand, "CUSTOM").await.unwrap();
        bus.forget(&by_bus).await.unwrap();
        self.empty().await;
        book.pair(
            "nats_consume_vs_raw_client",
            ("nats_consume", ours),
            ("raw_nats_consume", limit),
        );

        let flow = embedded::flow(bus, "nats_flow_and_read", &messages, (count, true), server);
        book.rate("nats_flow_and_read", flow.await);
        self.empty().await;
    }

    /// Tasks that publish batches as large as the window of the raw client, one after the other.
    async fn publish(&self, shape: Shape, extent: &Extent, messages: &Arc<Messages>) -> Rate {
        let before = self.bus.stats();
        let meter = Arc::new(Meter::default());
        let mut tasks = JoinSet::new();
        for _ in 0..shape.tasks {
            let (meter, messages) = (Arc::clone(&meter), Arc::clone(messages));
            let bus = self.bus.clone();
            tasks.spawn(async move {
                while !meter.is_over() {
                    bus.publish_raw(messages.batch(shape.window)).await.unwrap();
                    meter.add(shape.window);
                }
            });
        }
        let rate = meter.run(extent.time, Some(self.server.pid()), tasks).await;
        let after = self.bus.stats();
        assert_eq!(after.published - before.published, meter.done());
        assert_eq!(after.duplicates, before.duplicates);
        rate
    }

    async fn empty(&self) {
        self.raw.get_stream("CUSTOM").await.unwrap().purge().await.unwrap();
    }

    /// Makes sure that in the end nothing is left for a consumer, so that both have done the same work.
    async fn settled(&self, consumer: &str) {
        let clock = SystemClock::new();
        let stream = self.raw.get_stream("CUSTOM").await.unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let info = stream.consumer_info(consumer).await.unwrap();
            if (info.num_pending, info.num_ack_pending) == (0, 0) {
                return;
            }
            assert!(Instant::now() < deadline, "{consumer} has not done all: {info:?}");
            clock.sleep(ASK_EVERY).await;
        }
    }
}
