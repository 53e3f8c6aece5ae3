//! Moving consumers while others use them, and moves that were interrupted.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_move_elsewhere_is_followed() {
    let server = NatsServer::start().await;
    let (one, two) = (open(&server).await, open(&server).await);
    let mut here = one.consumer(config("moved")).await.unwrap();
    let _there = two.consumer(config("moved")).await.unwrap();
    publish(&one, 1..=5).await;
    let out = take(&mut here, 5).await;
    one.ack_all(out).await;
    let (again, ()) = tokio::join!(take(&mut here, 3), async {
        two.seek("moved", Start::Sequence(3)).await.unwrap();
    });
    assert_eq!(story(&again), [(3, 1), (4, 1), (5, 1)]);
}

#[tokio::test]
async fn a_move_that_was_interrupted_loses_no_position() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let new = ConsumerConfig { start: Start::New, ..config("interrupted") };
    let mut member = bus.consumer(new.clone()).await.unwrap();
    publish(&bus, 1..=6).await;
    let out = take(&mut member, 2).await;
    bus.ack_all(out).await;
    drop(member);
    bus.drain().await.unwrap();
    // What a process leaves behind that wrote down where to go and was killed when it had removed the consumer.
    let server_side = stranger(&server).await;
    let mut stream = server_side.get_stream("CUSTOM").await.unwrap();
    let made = stream.info().await.unwrap().created.timestamp_nanos_opt().unwrap().to_string();
    let info = stream.consumer_info("interrupted").await.unwrap();
    let mut wanted = serde_json::to_value(&info.config).unwrap();
    let object = wanted.as_object_mut().unwrap();
    object.insert("deliver_policy".into(), json!("by_start_sequence"));
    object.insert("opt_start_seq".into(), json!(2));
    let note = json!({ "stream": made, "old": "1", "config": wanted });
    let key = "$KV.omni_failures.=moving.interrupted.CUSTOM";
    server_side.publish(key, note.to_string().into()).await.unwrap().await.unwrap();
    stream.delete_consumer("interrupted").await.unwrap();

    let bus = open(&server).await;
    let mut member = bus.consumer(new).await.unwrap();
    assert_eq!(story(&take(&mut member, 5).await), [(2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]);
}

#[tokio::test]
async fn a_sequence_that_is_yet_to_come_is_waited_for() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    publish(&bus, [1]).await;
    let later = ConsumerConfig { start: Start::Sequence(4), ..config("patient") };
    let mut member = bus.consumer(later).await.unwrap();
    publish(&bus, 2..=5).await;
    assert_eq!(story(&take(&mut member, 2).await), [(4, 1), (5, 1)]);
}
