//! Publishing to a server that is there.

use futures_util::future::join_all;
use omni_event_bus::{Error, Receipt, Stream, testing::NatsServer};

use super::{message, open, orders, stranger};

#[tokio::test]
async fn a_batch_is_stored_in_order_as_documented_for_strangers() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let messages = orders(5_000);
    let receipts = bus.publish_raw(messages.clone()).await.unwrap();
    let expected: Vec<_> = (1..=5_000)
        .map(|sequence| Receipt { stream: Stream::Custom, sequence, duplicate: false })
        .collect();
    assert_eq!(receipts, expected);

    let stream = stranger(&server).await.get_stream("CUSTOM").await.unwrap();
    for sequence in [1, 2_500, 5_000] {
        let stored = stream.direct_get(sequence).await.unwrap();
        let message = &messages[usize::try_from(sequence).unwrap() - 1];
        assert_eq!(stored.subject.as_str(), &*message.subject);
        assert_eq!(stored.payload, message.data);
        let id = stored.headers.get("Nats-Msg-Id").unwrap();
        assert_eq!(id.as_str(), message.id.to_string());
    }
}

#[tokio::test]
async fn a_repeat_gets_the_receipt_of_the_first() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut messages = orders(3);
    let first = bus.publish_raw(messages.clone()).await.unwrap();
    messages.extend(orders(1));
    let second = bus.publish_raw(messages).await.unwrap();
    for (first, second) in first.iter().zip(&second) {
        assert_eq!((first.sequence, first.duplicate), (second.sequence, false));
        assert!(second.duplicate);
    }
    assert_eq!((second[3].sequence, second[3].duplicate), (4, false));
}

#[tokio::test]
async fn messages_of_one_batch_go_to_the_streams_of_their_domains() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let subjects = ["message.received.whatsapp.wa-1", "custom.a._._", "message.sent._._"];
    let messages = subjects.iter().map(|subject| message(subject, "{}")).collect();
    let receipts = bus.publish_raw(messages).await.unwrap();
    let places: Vec<_> =
        receipts.iter().map(|receipt| (receipt.stream, receipt.sequence)).collect();
    assert_eq!(places, [(Stream::Message, 1), (Stream::Custom, 1), (Stream::Message, 2)]);
}

#[tokio::test]
async fn many_publishers_with_large_messages_share_one_window_without_blocking_each_other() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    // Together several times what may wait for acks.
    let batch = |_| (0..16).map(|_| message("custom.big._._", vec![b' '; 512 << 10])).collect();
    let publishing = (0..8).map(batch).map(|messages| bus.publish_raw(messages));
    let mut sequences: Vec<u64> = Vec::new();
    for receipts in join_all(publishing).await {
        let receipts = receipts.unwrap();
        assert!(receipts.is_sorted_by_key(|receipt| receipt.sequence));
        sequences.extend(receipts.iter().map(|receipt| receipt.sequence));
    }
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=128).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_message_as_large_as_allowed_fits_and_a_larger_one_is_refused() {
    let server = NatsServer::start_with("max_payload: 65536").await;
    let bus = open(&server).await;
    let max = bus.message_size_max();
    assert!(max > 60_000 && max < 65_536, "{max}");
    bus.publish_raw(vec![message("custom.big._._", vec![b' '; max])]).await.unwrap();
    let batch = vec![message("custom.a._._", "{}"), message("custom.big._._", vec![b' '; max + 1])];
    let error = bus.publish_raw(batch).await.unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { size, max: told, .. } if size == max + 1 && told == max)
    );
    let mut stream = stranger(&server).await.get_stream("CUSTOM").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
}

#[tokio::test]
async fn a_subject_that_would_break_the_protocol_is_refused() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    for subject in ["custom.a b", "custom.a\r\nPUB x 0", "custom.\ta"] {
        assert!(bus.publish_raw(vec![message(subject, "{}")]).await.is_err(), "{subject:?}");
    }
    assert_eq!(bus.publish_raw(orders(1)).await.unwrap()[0].sequence, 1);
}

#[tokio::test]
async fn after_drain_the_bus_is_closed_and_what_was_published_is_there() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let (published, drained) = tokio::join!(bus.publish_raw(orders(500)), bus.drain());
    drained.unwrap();
    assert_eq!(published.unwrap().len(), 500);
    assert!(matches!(bus.publish_raw(orders(1)).await, Err(Error::Closed)));
    assert!(matches!(bus.identity().await, Err(Error::Closed)));
}
