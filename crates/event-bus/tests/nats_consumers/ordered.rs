//! Ordered consumers: one process at a time.

use omni_event_bus::OrderingKey;

use super::*;

fn ordered(name: &str) -> ConsumerConfig {
    ConsumerConfig { ordering: Some(OrderingKey::Subject), ..config(name) }
}

#[tokio::test]
async fn a_killed_process_is_followed_by_another_one_in_order() {
    let server = NatsServer::start().await;
    let one = open(&server).await;
    let mut active = one.consumer(ordered("lanes")).await.unwrap();
    let subjects = ["custom.a._._", "custom.b._._", "custom.c._._"];
    let all =
        (1..=60).map(|number| message(subjects[usize::try_from(number % 3).unwrap()], number));
    one.publish_raw(all.collect()).await.unwrap();
    // It settles some of the keys further than others, and is killed with messages in hand.
    let mut done = Vec::new();
    while done.len() < 10 {
        for delivery in within(active.next_batch(3)).await {
            if number(&delivery) % 3 != 1 || done.len() < 3 {
                done.push(number(&delivery));
                delivery.ack().await;
            }
        }
    }
    let two = open(&server).await;
    let mut waiting = two.consumer(ordered("lanes")).await.unwrap();
    drop((active, one));
    let mut last = [0; 3];
    let mut seen = Vec::new();
    while seen.len() < 60
        || !(1..=60).all(|number| seen.contains(&number) || done.contains(&number))
    {
        let batch = within(waiting.next_batch(3)).await;
        for delivery in batch {
            let (number, lane) =
                (number(&delivery), usize::try_from(number(&delivery) % 3).unwrap());
            assert!(number > last[lane], "{number} came after {} in {seen:?}", last[lane]);
            last[lane] = number;
            seen.push(number);
            delivery.ack().await;
        }
        if (1..=60).all(|number| seen.contains(&number) || done.contains(&number)) {
            break;
        }
    }
}

#[tokio::test]
async fn only_one_process_is_active() {
    let server = NatsServer::start().await;
    let (one, two) = (open(&server).await, open(&server).await);
    let mut active = one.consumer(ordered("lanes")).await.unwrap();
    publish(&one, 1..=3).await;
    let first = next(&mut active).await;
    let mut waiting = two.consumer(ordered("lanes")).await.unwrap();
    // It comes back here, for it is not settled, and not there.
    let again = tokio::select! {
        early = waiting.next() => panic!("{early:?} while {first:?} is out"),
        again = next(&mut active) => again,
    };
    assert_eq!(story(&[again]), [(1, 2)]);
    drop(active);
    one.drain().await.unwrap();
    let after = next(&mut waiting).await;
    assert_eq!(number(&after), 1);
}
