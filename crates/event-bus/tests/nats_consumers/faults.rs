//! Servers that die, and forget.

use super::*;

#[tokio::test]
async fn nothing_is_lost_when_the_server_is_killed_while_pulling_and_settling() {
    let mut server = NatsServer::start().await;
    let bus = open(&server).await;
    let publisher = open(&server).await;
    let mut member = bus.consumer(config("steady")).await.unwrap();
    let total = 3_000;
    let publishing = tokio::spawn(async move {
        for start in (1..=total).step_by(50) {
            let numbers: Vec<_> = (start..start + 50).collect();
            let messages: Vec<_> =
                numbers.iter().map(|number| message("custom.a._._", *number)).collect();
            while publisher.publish_raw(messages.clone()).await.is_err() {
                pause(Duration::from_millis(20)).await;
            }
            pause(Duration::from_millis(5)).await;
        }
    });
    let mut seen = BTreeMap::<u64, usize>::new();
    let mut kills = 0;
    while seen.len() < usize::try_from(total).unwrap() {
        let batch = within(member.next_batch(64)).await;
        assert!(!batch.is_empty());
        for delivery in &batch {
            *seen.entry(number(delivery)).or_default() += 1;
        }
        let half = batch.len() / 2;
        let mut batch = batch;
        let rest = batch.split_off(half);
        bus.ack_all(batch).await;
        if kills < 3 && seen.len() > 700 * (kills + 1) {
            kills += 1;
            server.restart().await;
        }
        bus.ack_all(rest).await;
    }
    within(publishing).await.unwrap();
    assert_eq!(kills, 3);
    assert_eq!(dead(&bus).await, []);
    // What was acknowledged for good stays away.
    publish(&bus, [total + 1]).await;
    let seen = finish(&bus, &mut member, &[total + 1]).await;
    assert!(seen.len() < 1_000, "{} came again", seen.len());
}

#[tokio::test]
async fn a_consumer_goes_on_when_its_stream_was_deleted() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let patient = ConsumerConfig { ack_wait: SECOND * 30, ..config("bereft") };
    let mut member = bus.consumer(patient).await.unwrap();
    publish(&bus, [1, 2]).await;
    let held = take(&mut member, 2).await;
    let server_side = stranger(&server).await;
    server_side.delete_stream("CUSTOM").await.unwrap();
    let meanwhile = async {
        // The stream is made again by whoever misses it first.
        publish(&bus, 3..=5).await;
        let delivered = async {
            loop {
                let Ok(stream) = server_side.get_stream("CUSTOM").await else { continue };
                let info = stream.consumer_info("bereft").await;
                if info.is_ok_and(|info| info.num_ack_pending == 3) {
                    return;
                }
            }
        };
        within(delivered).await;
        // What was held has the sequences of what is there now, and must not be taken for it.
        bus.ack_all(held).await;
    };
    let (again, ()) = tokio::join!(take(&mut member, 3), meanwhile);
    assert_eq!(story(&again), [(3, 1), (4, 1), (5, 1)]);
    let stream = server_side.get_stream("CUSTOM").await.unwrap();
    assert_eq!(stream.consumer_info("bereft").await.unwrap().num_ack_pending, 3);
    bus.ack_all(again).await;
}

#[tokio::test]
async fn a_consumer_goes_on_when_the_server_lost_its_data() {
    let mut server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut member = bus.consumer(config("bereft")).await.unwrap();
    publish(&bus, 1..=5).await;
    let out = take(&mut member, 5).await;
    bus.ack_all(out).await;
    let before = bus.identity().await.unwrap();
    server.delete_data().await;
    server.restart().await;
    let republish = async {
        while bus.identity().await.is_err() {
            pause(Duration::from_millis(20)).await;
        }
        let again = (1..=3).map(|number| message("custom.a._._", number)).collect::<Vec<_>>();
        while bus.publish_raw(again.clone()).await.is_err() {
            pause(Duration::from_millis(20)).await;
        }
    };
    let (again, ()) = tokio::join!(take(&mut member, 3), within(republish));
    assert_eq!(story(&again), [(1, 1), (2, 1), (3, 1)]);
    assert_ne!(bus.identity().await.unwrap(), before);
}

#[tokio::test]
async fn a_consumer_that_was_forgotten_elsewhere_ends() {
    let server = NatsServer::start().await;
    let (one, two) = (open(&server).await, open(&server).await);
    let mut member = one.consumer(config("passing")).await.unwrap();
    publish(&one, [1]).await;
    let held = next(&mut member).await;
    let (ended, ()) = tokio::join!(within(member.next()), async {
        two.forget("passing").await.unwrap();
    });
    assert!(ended.is_none(), "{ended:?}");
    held.ack().await;
    let mut anew = one.consumer(config("passing")).await.unwrap();
    assert_eq!(story(&[next(&mut anew).await]), [(1, 1)]);
}

#[tokio::test]
async fn a_cancelled_pull_loses_nothing() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut member = bus.consumer(config("hasty")).await.unwrap();
    let publishing = async {
        for number in 1..=200 {
            publish(&bus, [number]).await;
        }
    };
    let mut seen = Vec::new();
    let pulling = async {
        let mut turn = 0_u32;
        while seen.len() < 200 {
            turn += 1;
            let short = Duration::from_micros(u64::from(turn % 37) * 50);
            let batch = tokio::select! {
                batch = member.next_batch(8) => batch,
                () = pause(short) => continue,
            };
            seen.extend(batch.iter().map(number));
            bus.ack_all(batch).await;
        }
    };
    within(async { tokio::join!(publishing, pulling) }).await;
    assert_eq!(seen, (1..=200).collect::<Vec<_>>(), "each once, in order");
}
