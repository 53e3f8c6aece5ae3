//! Where consumers look: filters that a server cannot take as they are, routed messages, prefixes.

use std::collections::HashMap;

use omni_event_bus::{Read, ReadFrom, Stream};

use super::*;

#[tokio::test]
async fn several_narrow_filters_select_what_they_say_once() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let narrow = ["custom.order.paid.>", "custom.order.*._._", "custom.order.sent.whatsapp.*"];
    let mut member = bus
        .consumer(ConsumerConfig { filters: filters(&narrow), ..config("narrow") })
        .await
        .unwrap();
    let subjects = [
        "custom.order.paid._._",
        "custom.order.lost.whatsapp.a",
        "custom.order.sent.whatsapp.a",
        "custom.user.paid._._",
        "custom.order.sent._._",
        "custom.order.paid.whatsapp.b",
    ];
    let all = subjects.iter().zip(1..).map(|(subject, number)| message(subject, number));
    bus.publish_raw(all.collect()).await.unwrap();
    let seen = finish(&bus, &mut member, &[1, 3, 5, 6]).await;
    assert_eq!(seen, [(1, 1), (3, 1), (5, 1), (6, 1)].into());
    // What was passed over is settled as well.
    let mut settled = stranger(&server).await.get_stream("CUSTOM").await.unwrap();
    settled.info().await.unwrap();
    let floor = async {
        loop {
            let info = settled.consumer_info("narrow").await.unwrap();
            if info.ack_floor.stream_sequence >= 6 && info.num_ack_pending == 0 {
                return;
            }
        }
    };
    within(floor).await;
}

#[tokio::test]
async fn routed_messages_reach_consumers_in_other_processes_under_a_prefix() {
    let server = NatsServer::start().await;
    let options = || NatsOptions { prefix: Some("acme".into()), ..NatsOptions::new(server.url()) };
    let one = EventBus::nats(options()).await.unwrap();
    let two = EventBus::nats(options()).await.unwrap();
    let all = || ConsumerConfig { filters: filters(&[">"]), ..config("all") };
    let mut early = two.consumer(all()).await.unwrap();
    let routes: HashMap<_, _> = [("custom.order.paid".to_owned(), Stream::Identity)].into();
    one.set_routes(routes.clone(), &[]).await.unwrap();
    one.publish_raw(vec![message("custom.order.paid._._", 1), message("identity.x._._", 2)])
        .await
        .unwrap();
    two.set_routes(routes, &[]).await.unwrap();
    let mut out = take(&mut early, 2).await;
    out.sort_by_key(number);
    assert_eq!(story(&out), [(1, 1), (2, 1)]);
    assert_eq!(
        (out[0].stream, &*out[0].message.subject),
        (Stream::Identity, "custom.order.paid._._")
    );
    two.ack_all(out).await;
    let read = Read {
        stream: Stream::Identity,
        from: ReadFrom::Sequence(1),
        filters: filters(&["custom.>"]),
        max: 10,
    };
    let page = two.read(&read).await.unwrap();
    assert_eq!((page.messages.len(), page.next), (1, None));
    assert!(stranger(&server).await.get_stream("acme_IDENTITY").await.is_ok());
}

#[tokio::test]
async fn a_message_of_a_stranger_is_delivered_and_given_up_like_any_other() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut member = bus.consumer(config("open")).await.unwrap();
    let foreign = stranger(&server).await;
    foreign.publish("custom.x._._", vec![0xff, 0xfe].into()).await.unwrap().await.unwrap();
    let delivery = next(&mut member).await;
    let id = delivery.message.id;
    delivery.reject("what is this").await;
    let letters = dead(&bus).await;
    assert_eq!(letters[0].message.id, id);
    assert_eq!(&letters[0].message.data[..], [0xff, 0xfe]);
}

#[tokio::test]
async fn the_largest_message_can_be_given_up() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut member = bus.consumer(config("heavy")).await.unwrap();
    let mut size = 1 << 20;
    let heavy = loop {
        let data = format!("\"{}\"", "x".repeat(size));
        let heavy = Message { data: data.into(), ..message("custom.x._._", 1) };
        match bus.publish_raw(vec![heavy.clone()]).await {
            Ok(_) => break heavy,
            Err(_) => size -= 1,
        }
    };
    next(&mut member).await.reject(&"too heavy ".repeat(400)).await;
    let letters = dead(&bus).await;
    assert_eq!(letters[0].message, heavy);
    assert!(letters[0].reasons[0].starts_with("too heavy"));
}
