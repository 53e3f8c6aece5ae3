//! The limit of the bus on NATS: the client library that it is built on, used by hand on the same server and streams.

use std::{collections::VecDeque, sync::Arc};

use async_nats::{
    Subject,
    jetstream::{
        Context,
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
        context::PublishAckFuture,
        message::PublishMessage,
    },
};
use futures_util::StreamExt as _;
use omni_event_bus::{ConsumerConfig, Message};
use tokio::task::JoinSet;

use crate::{
    Extent,
    book::Book,
    embedded::TAKEN,
    events::{self, Messages, SIZE},
    latency::{self, Stamps},
    meter::{Meter, Rate, Watch},
    nats::Shape,
};

/// Tasks that publish with a `Nats-Msg-Id`, each with so many messages out: when the window is full the oldest ack is awaited
/// before the next message is sent.
pub(crate) async fn publish(
    context: &Context,
    (shape, server): (Shape, Option<u32>),
    extent: &Extent,
    messages: &Arc<Messages>,
) -> Rate {
    let meter = Arc::new(Meter::default());
    let mut tasks = JoinSet::new();
    for _ in 0..shape.tasks {
        let (meter, messages) = (Arc::clone(&meter), Arc::clone(messages));
        let context = context.clone();
        tasks.spawn(async move {
            let subject = Subject::from(&*messages.subject);
            let mut sent = VecDeque::with_capacity(shape.window);
            while !meter.is_over() {
                if sent.len() == shape.window {
                    acked(sent.pop_front().unwrap()).await;
                    meter.add(1);
                }
                sent.push_back(send(&context, &subject, messages.take()).await);
            }
            for ack in sent {
                acked(ack).await;
                meter.add(1);
            }
        });
    }
    meter.run(extent.time, server, tasks).await
}

async fn send(context: &Context, subject: &Subject, message: Message) -> PublishAckFuture {
    let Message { id, data, .. } = message;
    let publish = PublishMessage::build().payload(data).message_id(id.to_string());
    context.send_publish(subject.clone(), publish).await.unwrap()
}

async fn acked(ack: PublishAckFuture) {
    assert!(!ack.await.unwrap().duplicate);
}

/// A durable pull consumer that acknowledges each message as soon as it is there; the client asks for the next batch while
/// there are still messages of the last.
pub(crate) async fn consume(
    context: &Context,
    name: &str,
    count: usize,
    server: Option<u32>,
) -> Rate {
    let consumer = consumer(context, name, "custom.bench.published.>", DeliverPolicy::All).await;
    let watch = Watch::start(server);
    let mut messages = consumer.stream().max_messages_per_batch(TAKEN).messages().await.unwrap();
    for _ in 0..count {
        let message = messages.next().await.unwrap().unwrap();
        assert_eq!(message.payload.len(), SIZE);
        message.ack().await.unwrap();
    }
    context.client().flush().await.unwrap();
    watch.rate(count as u64)
}

/// The same way as on the bus, without its handlers.
pub(crate) async fn latency(context: &Context, extent: &Extent, book: &mut Book) {
    let stamps = Stamps::new();
    let consumer =
        consumer(context, "raw_timed", &format!("{}.>", latency::TYPE), DeliverPolicy::New).await;
    let mut messages = consumer.stream().max_messages_per_batch(TAKEN).messages().await.unwrap();
    let receiver = {
        let stamps = Arc::clone(&stamps);
        tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                let message = message.unwrap();
                let event: omni_events::Event = serde_json::from_slice(&message.payload).unwrap();
                stamps.arrived(events::number(event.id));
                message.ack().await.unwrap();
            }
        })
    };
    let publish = async |event| {
        let message = Message::of(&event).unwrap();
        let subject = Subject::from(&*message.subject);
        acked(send(context, &subject, message).await).await;
    };
    stamps.drive("raw_nats", extent, book, publish).await;
    receiver.abort();
    context.delete_consumer_from_stream("raw_timed", "CUSTOM").await.unwrap();
}

/// With the same bounds as a consumer of the bus.
async fn consumer(
    context: &Context,
    name: &str,
    filter: &str,
    start: DeliverPolicy,
) -> PullConsumer {
    let usual = ConsumerConfig::new(name, Vec::new());
    let config = pull::Config {
        durable_name: Some(name.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: usual.ack_wait,
        max_ack_pending: usual.max_in_flight as i64,
        filter_subject: filter.to_owned(),
        deliver_policy: start,
        ..pull::Config::default()
    };
    context.create_consumer_on_stream(config, "CUSTOM").await.unwrap()
}
