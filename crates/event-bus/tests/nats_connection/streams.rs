//! The streams on the server.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use omni_event_bus::{Error, EventBus, Limit, Limits, NatsOptions, Stream, testing::NatsServer};

use super::{message, open, orders, refusal, stranger};

const DAY: Duration = Duration::from_hours(24);

async fn config(server: &NatsServer, name: &str) -> Config {
    stranger(server).await.get_stream(name).await.unwrap().cached_info().config.clone()
}

#[tokio::test]
async fn the_seven_streams_are_made_with_their_subjects_and_retention() {
    let server = NatsServer::start().await;
    open(&server).await;
    for (stream, token, days) in [
        (Stream::Message, "message", 30),
        (Stream::Instance, "instance", 7),
        (Stream::Identity, "identity", 90),
        (Stream::Media, "media", 7),
        (Stream::Access, "access", 30),
        (Stream::Custom, "custom", 7),
        (Stream::System, "system", 7),
    ] {
        let config = config(&server, stream.as_str()).await;
        assert_eq!(config.subjects, [format!("{token}.>"), format!("routed.{token}.>")]);
        assert_eq!(config.max_age, DAY * days, "{stream}");
        assert_eq!(config.max_bytes, -1);
        assert_eq!(config.storage, StorageType::File);
        assert_eq!(config.retention, RetentionPolicy::Limits);
        assert_eq!(config.discard, DiscardPolicy::Old);
        assert_eq!(config.duplicate_window, Duration::from_mins(2));
        assert_eq!(config.num_replicas, 1);
        assert!(config.allow_direct);
    }
    let dead = config(&server, "DEAD_LETTERS").await;
    assert_eq!((dead.subjects, dead.max_age), (vec!["dead_letter.>".to_owned()], DAY * 30));
    assert_eq!(config(&server, "KV_omni_failures").await.max_age, DAY * 14);
    assert_eq!(config(&server, "KV_omni_leases").await.max_age, Duration::from_secs(10));
}

#[tokio::test]
async fn changed_settings_are_updated_and_what_is_in_a_stream_stays() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    bus.publish_raw(orders(3)).await.unwrap();
    let identity = bus.identity().await.unwrap();
    // Something that an operator set, which is none of our settings.
    let jetstream = stranger(&server).await;
    let mut config = config(&server, "CUSTOM").await;
    config.description = Some("watched".into());
    config.max_age = DAY;
    jetstream.update_stream(&config).await.unwrap();

    let limit = Limit { age: Duration::from_hours(5), bytes: Some(1 << 20) };
    let limits = Limits::default().with(Stream::Custom, limit);
    let options = NatsOptions { limits, ..NatsOptions::new(server.url()) };
    let bus = EventBus::nats(options).await.unwrap();
    let stream = jetstream.get_stream("CUSTOM").await.unwrap();
    let info = stream.cached_info();
    assert_eq!(info.config.max_age, Duration::from_hours(5));
    assert_eq!(info.config.max_bytes, 1 << 20);
    assert_eq!(info.config.description.as_deref(), Some("watched"));
    assert_eq!(info.state.messages, 3);
    assert_eq!(bus.identity().await.unwrap(), identity);
}

#[tokio::test]
async fn a_stream_may_keep_messages_for_less_than_repeats_are_looked_for() {
    let server = NatsServer::start().await;
    let limits = Limits::default().with(Stream::Custom, Limit::by_age(Duration::from_secs(1)));
    EventBus::nats(NatsOptions { limits, ..NatsOptions::new(server.url()) }).await.unwrap();
    let config = config(&server, "CUSTOM").await;
    assert_eq!((config.max_age, config.duplicate_window), (Duration::from_secs(1), config.max_age));
}

#[tokio::test]
async fn a_prefix_keeps_two_installations_on_one_server_apart() {
    let server = NatsServer::start().await;
    let plain = open(&server).await;
    let options = NatsOptions { prefix: Some("acme".into()), ..NatsOptions::new(server.url()) };
    let acme = EventBus::nats(options).await.unwrap();
    acme.publish_raw(orders(2)).await.unwrap();
    let receipts = plain.publish_raw(orders(1)).await.unwrap();
    assert_eq!(receipts[0].sequence, 1);
    assert_ne!(plain.identity().await.unwrap(), acme.identity().await.unwrap());

    let jetstream = stranger(&server).await;
    let stream = jetstream.get_stream("acme_CUSTOM").await.unwrap();
    assert_eq!(stream.cached_info().config.subjects, ["acme.custom.>", "acme.routed.custom.>"]);
    assert_eq!(stream.cached_info().state.messages, 2);
    let first = stream.direct_get(1).await.unwrap();
    assert_eq!(first.subject.as_str(), "acme.custom.order.paid._._");

    let bad = NatsOptions { prefix: Some("a.b".into()), ..NatsOptions::new(server.url()) };
    let (error, text) = refusal(bad).await;
    assert!(matches!(error, Error::Connect { .. }) && text.contains("a.b"), "{text}");
}

#[tokio::test]
async fn a_stream_of_somebody_else_that_takes_our_subjects_is_named() {
    let server = NatsServer::start().await;
    let jetstream = stranger(&server).await;
    let subjects = vec!["custom.>".to_owned()];
    let theirs = Config { name: "THEIRS".into(), subjects, ..Config::default() };
    jetstream.create_stream(theirs).await.unwrap();
    let (error, text) = refusal(NatsOptions::new(server.url())).await;
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    assert!(text.contains("CUSTOM") && text.contains("prefix"), "{text}");
}

#[tokio::test]
async fn settings_that_the_server_refuses_are_an_error_and_nothing_is_made_anew() {
    let server = NatsServer::start().await;
    // One server cannot keep three copies.
    let (error, text) =
        refusal(NatsOptions { replicas: 3, ..NatsOptions::new(server.url()) }).await;
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    assert!(text.contains("replicas"), "{text}");

    let jetstream = stranger(&server).await;
    let subjects = vec!["custom.>".to_owned()];
    let storage = StorageType::Memory;
    let theirs = Config { name: "CUSTOM".into(), subjects, storage, ..Config::default() };
    jetstream.create_stream(theirs).await.unwrap();
    jetstream.publish("custom.a", "kept".into()).await.unwrap().await.unwrap();
    let (error, text) = refusal(NatsOptions::new(server.url())).await;
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    assert!(text.contains("CUSTOM") && text.contains("storage"), "{text}");
    let stream = jetstream.get_stream("CUSTOM").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 1);
}

#[tokio::test]
async fn a_routed_type_is_in_the_other_stream_under_a_subject_that_says_so() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    bus.set_routes([("custom.order.paid".to_owned(), Stream::Identity)].into(), &[]).await.unwrap();
    let mut messages = orders(1);
    messages.push(message("custom.order.late._._", "{}"));
    let receipts = bus.publish_raw(messages).await.unwrap();
    assert_eq!([receipts[0].stream, receipts[1].stream], [Stream::Identity, Stream::Custom]);
    let stream = stranger(&server).await.get_stream("IDENTITY").await.unwrap();
    let routed = stream.direct_get(1).await.unwrap();
    assert_eq!(routed.subject.as_str(), "routed.identity.custom.order.paid._._");
}
