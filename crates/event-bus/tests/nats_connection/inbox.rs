//! Messages from strangers.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        AckKind, Context,
        consumer::{PullConsumer, pull},
    },
};
use futures_util::TryStreamExt as _;
use omni_event_bus::{Error, EventBus, Foreign, Inbox, NatsOptions, testing::NatsServer};
use serde_json::Value;
use tokio::time::timeout;

use super::{PATIENCE, open, stranger};

async fn next(inbox: &mut Inbox) -> Vec<Foreign> {
    timeout(PATIENCE, inbox.next_batch(10)).await.unwrap().unwrap()
}

async fn one(inbox: &mut Inbox) -> Foreign {
    let mut batch = next(inbox).await;
    assert_eq!(batch.len(), 1);
    batch.remove(0)
}

async fn send(stranger: &Context, subject: &str, data: &'static str) {
    let mut headers = HeaderMap::new();
    headers.append("ce-type", "com.example.order");
    headers.append("ce-tag", "a");
    headers.append("ce-tag", "b");
    let sent = stranger.publish_with_headers(subject.to_owned(), headers, data.into()).await;
    sent.unwrap().await.unwrap();
}

/// The story of the dead letter, and what it carries.
async fn dead_letter(stranger: &Context, stream: &str) -> (Value, Vec<u8>) {
    let mut stream = stranger.get_stream(stream).await.unwrap();
    let last = stream.info().await.unwrap().state.last_sequence;
    let dead = stream.get_raw_message(last).await.unwrap();
    let story = dead.headers.get("Omni-Dead-Letter").unwrap();
    (serde_json::from_str(story.as_str()).unwrap(), dead.payload.to_vec())
}

#[tokio::test]
async fn what_a_stranger_publishes_comes_with_its_headers() {
    let server = NatsServer::start().await;
    let options = NatsOptions { prefix: Some("acme".into()), ..NatsOptions::new(server.url()) };
    let bus = EventBus::nats(options).await.unwrap();
    let mut inbox = bus.inbox("bridge").await.unwrap();
    let stranger = stranger(&server).await;
    let stream = stranger.get_stream("acme_INBOX").await.unwrap();
    assert_eq!(stream.cached_info().config.subjects, ["acme.in.>"]);
    assert_eq!(stream.cached_info().config.max_age, Duration::from_hours(24 * 7));

    send(&stranger, "acme.in.default.shop", "{\"n\":1}").await;
    let mut foreign = one(&mut inbox).await;
    foreign.headers.sort();
    assert_eq!(foreign.subject, "in.default.shop");
    assert_eq!(&foreign.data[..], b"{\"n\":1}");
    assert_eq!((foreign.stream_sequence, foreign.attempt), (1, 1));
    let headers = [("ce-tag", "a"), ("ce-tag", "b"), ("ce-type", "com.example.order")];
    assert_eq!(foreign.headers, headers.map(|(a, b)| (a.to_owned(), b.to_owned())));
    foreign.ack().await.unwrap();

    send(&stranger, "acme.in.default.shop", "2").await;
    // The first one does not come again.
    assert_eq!(one(&mut inbox).await.stream_sequence, 2);
}

#[tokio::test]
async fn what_cannot_be_handled_comes_again_and_then_is_kept_with_its_story() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut inbox = bus.inbox("bridge").await.unwrap();
    let stranger = stranger(&server).await;
    send(&stranger, "in.default.shop", "poison").await;
    for attempt in 1..=4 {
        let foreign = one(&mut inbox).await;
        assert_eq!(foreign.attempt, attempt);
        foreign.retry(Duration::from_millis(10)).await.unwrap();
    }
    let (story, data) = dead_letter(&stranger, "DEAD_LETTERS").await;
    assert_eq!(data, b"poison");
    assert_eq!(story["consumer"], "bridge");
    assert_eq!(story["stream"], "INBOX");
    assert_eq!(story["subject"], "in.default.shop");
    assert_eq!(story["attempts"], 4);
    assert_eq!(story["headers"].as_array().unwrap().len(), 3);

    send(&stranger, "in.default.shop", "wrong").await;
    one(&mut inbox).await.reject("no such source").await.unwrap();
    let (story, data) = dead_letter(&stranger, "DEAD_LETTERS").await;
    assert_eq!((data, &story["reasons"][0]), (b"wrong".to_vec(), &"no such source".into()));
    // Nothing of ours, so not among ours.
    assert!(bus.dead_letters(10).await.unwrap().is_empty());
}

/// Takes all messages so many times without us, and gives them back.
async fn take_and_give_back(stranger: &Context, messages: usize, times: usize) {
    let consumer: PullConsumer =
        stranger.get_consumer_from_stream("bridge", "INBOX").await.unwrap();
    for _ in 0..times {
        let batch = consumer.batch().max_messages(messages).messages().await.unwrap();
        let batch: Vec<_> = batch.try_collect().await.unwrap();
        assert_eq!(batch.len(), messages);
        for message in batch {
            message.double_ack_with(AckKind::Nak(None)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_never_settled_comes_alone() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut inbox = bus.inbox("bridge").await.unwrap();
    let stranger = stranger(&server).await;
    send(&stranger, "in.default.shop", "innocent").await;
    send(&stranger, "in.default.shop", "poison").await;
    take_and_give_back(&stranger, 2, 4).await;
    // One of them may have killed its taker: not both at once.
    let innocent = one(&mut inbox).await;
    assert_eq!((&innocent.data[..], innocent.attempt), (&b"innocent"[..], 5));
    innocent.ack().await.unwrap();
    assert_eq!(&one(&mut inbox).await.data[..], b"poison");
}

#[tokio::test]
async fn what_nobody_ever_settles_becomes_a_dead_letter() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut inbox = bus.inbox("bridge").await.unwrap();
    let stranger = stranger(&server).await;
    send(&stranger, "in.default.shop", "poison").await;
    take_and_give_back(&stranger, 1, 8).await;
    send(&stranger, "in.default.shop", "next").await;
    assert_eq!(&one(&mut inbox).await.data[..], b"next");
    let (story, data) = dead_letter(&stranger, "DEAD_LETTERS").await;
    assert_eq!(data, b"poison");
    assert!(story["reasons"][0].as_str().unwrap().contains("never settled"), "{story}");
}

#[tokio::test]
async fn the_largest_message_fits_into_a_dead_letter_or_is_left_in_the_inbox() {
    let server = NatsServer::start_with("max_payload: 4096").await;
    let bus = open(&server).await;
    let mut inbox = bus.inbox("bridge").await.unwrap();
    let stranger = stranger(&server).await;
    let full = "x".repeat(4096);
    stranger.publish("in.a.b", full.into()).await.unwrap().await.unwrap();
    one(&mut inbox).await.reject(&"why ".repeat(5_000)).await.unwrap();
    let (story, data) = dead_letter(&stranger, "DEAD_LETTERS").await;
    assert!(
        data.is_empty() && story["reasons"][1].as_str().unwrap().contains("the inbox has them")
    );
    let kept = stranger.get_stream("INBOX").await.unwrap().get_raw_message(1).await.unwrap();
    assert_eq!(kept.payload.len(), 4096);
}

#[tokio::test]
async fn those_who_share_an_inbox_share_its_messages_and_it_survives_outages() {
    let mut server = NatsServer::start().await;
    let bus = open(&server).await;
    let (mut a, mut b) = (bus.inbox("bridge").await.unwrap(), bus.inbox("bridge").await.unwrap());
    let waiting = tokio::spawn(async move {
        let batch = next(&mut a).await;
        (a, batch)
    });
    server.kill().await;
    super::healthy(&bus, |health| *health != omni_event_bus::Health::Up).await;
    server.restart().await;
    send(&stranger(&server).await, "in.default.shop", "1").await;
    let (mut a, batch) = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    for foreign in batch {
        foreign.ack().await.unwrap();
    }
    send(&stranger(&server).await, "in.default.shop", "2").await;
    tokio::select! {
        batch = next(&mut a) => assert_eq!(&batch[0].data[..], b"2"),
        batch = next(&mut b) => assert_eq!(&batch[0].data[..], b"2"),
    }
}

#[tokio::test]
async fn a_deleted_inbox_is_made_again() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut inbox = bus.inbox("bridge").await.unwrap();
    let stranger = stranger(&server).await;
    stranger.delete_stream("INBOX").await.unwrap();
    timeout(PATIENCE, inbox.next_batch(1)).await.unwrap().unwrap_err();
    let (sent, foreign) = tokio::join!(
        async {
            // Made after the stream, which takes messages by then.
            while stranger
                .get_consumer_from_stream::<pull::Config, _, _>("bridge", "INBOX")
                .await
                .is_err()
            {}
            send(&stranger, "in.default.shop", "1").await;
        },
        one(&mut inbox)
    );
    let () = sent;
    assert_eq!(foreign.stream_sequence, 1);
}

#[tokio::test]
async fn a_drained_bus_hands_out_nothing_and_the_embedded_bus_has_no_inbox() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut inbox = bus.inbox("bridge").await.unwrap();
    let (batch, drained) = tokio::join!(next(&mut inbox), bus.drain());
    drained.unwrap();
    assert!(batch.is_empty());
    assert!(matches!(bus.inbox("bad name").await, Err(Error::Consumer { .. })));

    let embedded = EventBus::temporary().await;
    let error = embedded.inbox("bridge").await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
}
