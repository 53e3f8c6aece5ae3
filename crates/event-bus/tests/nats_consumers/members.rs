//! Members of one consumer in several processes.

use omni_event_bus::Error;

use super::*;

#[tokio::test]
async fn what_a_killed_member_had_goes_to_the_others() {
    let server = NatsServer::start().await;
    let (one, two) = (open(&server).await, open(&server).await);
    let mut first = one.consumer(config("shared")).await.unwrap();
    let mut second = two.consumer(config("shared")).await.unwrap();
    publish(&one, 1..=40).await;
    let held = take(&mut first, 10).await;
    let others = take(&mut second, 10).await;
    let mut numbers: Vec<_> = held.iter().chain(&others).map(number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 20, "each goes to one of them");
    two.ack_all(others).await;
    let lost: Vec<_> = held.iter().map(number).collect();
    drop((held, first, one));
    let rest: Vec<_> = (1..=40).filter(|n| lost.contains(n) || !numbers.contains(n)).collect();
    let seen = finish(&two, &mut second, &rest).await;
    assert_eq!(seen.values().sum::<usize>(), rest.len(), "nothing comes twice: {seen:?}");
}

#[tokio::test]
async fn a_poison_message_ends_after_its_tries_whoever_had_it() {
    let server = NatsServer::start().await;
    let config = tries(4, config("poisoned"));
    let bus = open(&server).await;
    publish(&bus, [1]).await;
    // It kills every process that has it.
    for attempt in 1..=4 {
        let process = open(&server).await;
        let mut member = process.consumer(config.clone()).await.unwrap();
        let delivery = next(&mut member).await;
        assert_eq!(story(&[delivery]), [(1, attempt)]);
        drop((member, process));
    }
    let mut last = bus.consumer(config).await.unwrap();
    publish(&bus, [2]).await;
    assert_eq!(story(&[next(&mut last).await]), [(2, 1)]);
    let mut letters = Vec::new();
    while letters.is_empty() {
        // The poison comes and is given up without being handed out; nobody may wait for it but the list.
        tokio::select! {
            more = last.next_batch(1) => bus.ack_all(more).await,
            found = within(until_dead(&bus)) => letters = found,
        }
    }
    assert_eq!((letters.len(), letters[0].sequence), (1, 1));
    assert_eq!(letters[0].message, message("custom.a._._", 1));
    let reasons = &letters[0].reasons;
    let silent = |n| format!("attempt {n}: not settled within 1s");
    let expected: Vec<_> = (1..=4).map(silent).collect();
    assert_eq!(reasons[..4], expected, "{reasons:?}");
    assert!(reasons[4].contains("4 attempts") && reasons.len() == 5, "{reasons:?}");
}

async fn until_dead(bus: &EventBus) -> Vec<DeadLetter> {
    loop {
        let letters = dead(bus).await;
        if !letters.is_empty() {
            return letters;
        }
    }
}

#[tokio::test]
async fn failures_in_several_processes_are_one_story() {
    let server = NatsServer::start().await;
    let config = tries(3, config("failing"));
    let bus = open(&server).await;
    publish(&bus, [1]).await;
    for attempt in 1..=3 {
        let process = open(&server).await;
        let mut member = process.consumer(config.clone()).await.unwrap();
        let delivery = next(&mut member).await;
        assert_eq!(delivery.attempt, attempt);
        if attempt == 2 {
            drop((delivery, member, process));
            continue;
        }
        delivery.fail(&format!("no luck in process {attempt}")).await;
        drop(member);
        process.drain().await.unwrap();
    }
    let letters = dead(&bus).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(
        letters[0].reasons,
        [
            "attempt 1: no luck in process 1",
            "attempt 2: not settled within 1s",
            "attempt 3: no luck in process 3"
        ]
    );
    assert_eq!(letters[0].attempts, 3);
}

#[tokio::test]
async fn what_nobody_was_given_does_not_die_of_restarts() {
    let server = NatsServer::start().await;
    let config = tries(2, config("prefetching"));
    let bus = open(&server).await;
    publish(&bus, 1..=80).await;
    for _ in 0..4 {
        let process = open(&server).await;
        let mut member = process.consumer(config.clone()).await.unwrap();
        // As many again are on their way to it, and nobody looks at them.
        let batch = within(member.next_batch(15)).await;
        process.ack_all(batch).await;
        // So that what was acknowledged is known to the server.
        process.dead_letters(1).await.unwrap();
        drop((member, process));
    }
    let mut member = bus.consumer(config).await.unwrap();
    let mut left = Vec::new();
    while bus.stats().consumers[0].behind > 0 || left.is_empty() {
        let batch = within(member.next_batch(100)).await;
        left.extend(batch.iter().map(number));
        bus.ack_all(batch).await;
    }
    assert_eq!(dead(&bus).await, []);
}

#[tokio::test]
async fn the_guilty_one_is_given_up_and_those_beside_it_are_not() {
    let server = NatsServer::start().await;
    let config = tries(3, config("crashing"));
    let bus = open(&server).await;
    publish(&bus, 1..=4).await;
    for attempt in 1..=2 {
        let process = open(&server).await;
        let mut member = process.consumer(config.clone()).await.unwrap();
        let all = take(&mut member, 4).await;
        assert_eq!(story(&all), [(1, attempt), (2, attempt), (3, attempt), (4, attempt)]);
        drop((all, member, process));
    }
    let process = open(&server).await;
    let mut member = process.consumer(config.clone()).await.unwrap();
    let last_chance = within(member.next_batch(4)).await;
    assert_eq!(last_chance.len(), 1, "one at a time");
    assert_eq!(last_chance[0].attempt, 3);
    let guilty = number(&last_chance[0]);
    drop((last_chance, member, process));

    let mut member = bus.consumer(config).await.unwrap();
    for _ in 0..3 {
        let innocent = next(&mut member).await;
        assert_eq!(innocent.attempt, 3);
        assert_ne!(number(&innocent), guilty);
        innocent.ack().await;
    }
    let letters = tokio::select! {
        more = member.next() => panic!("{more:?}"),
        letters = within(until_dead(&bus)) => letters,
    };
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].message, message("custom.a._._", guilty));
}

#[tokio::test]
async fn a_single_try_is_a_single_try() {
    let server = NatsServer::start().await;
    let config = tries(1, config("once"));
    let bus = open(&server).await;
    publish(&bus, [1]).await;
    let process = open(&server).await;
    let mut member = process.consumer(config.clone()).await.unwrap();
    let delivery = next(&mut member).await;
    assert_eq!(delivery.attempt, 1);
    drop((delivery, member, process));
    let mut member = bus.consumer(config).await.unwrap();
    let letters = tokio::select! {
        more = member.next() => panic!("{more:?}"),
        letters = within(until_dead(&bus)) => letters,
    };
    assert_eq!(letters[0].reasons[0], "attempt 1: not settled within 1s");
}

#[tokio::test]
async fn a_member_past_its_ack_wait_decides_nothing_but_that_it_is_done() {
    let server = NatsServer::start().await;
    let (one, two) = (open(&server).await, open(&server).await);
    let mut slow = one.consumer(config("slow")).await.unwrap();
    let mut fast = two.consumer(config("slow")).await.unwrap();
    publish(&one, [1]).await;
    let late = next(&mut slow).await;
    let again = next(&mut fast).await;
    assert_eq!(story(&[again]), [(1, 2)]);
    late.reject("too late to say so").await;
    assert_eq!(dead(&one).await, []);
    let again = next(&mut fast).await;
    assert_eq!(again.attempt, 3, "it was dropped, not settled");
    again.ack().await;

    publish(&one, [2]).await;
    let late = next(&mut slow).await;
    let again = next(&mut fast).await;
    assert_eq!((number(&again), again.attempt), (2, late.attempt + 1));
    late.ack().await;
    publish(&two, [3]).await;
    assert_eq!(story(&[next(&mut fast).await]), [(3, 1)], "what is done is done");
}

#[tokio::test]
async fn members_of_other_settings_are_refused_here_and_followed_elsewhere() {
    let server = NatsServer::start().await;
    let (old, new) = (open(&server).await, open(&server).await);
    let mut member = old.consumer(config("released")).await.unwrap();
    publish(&old, 1..=3).await;
    let out = take(&mut member, 3).await;
    old.ack_all(out).await;
    let wider = ConsumerConfig {
        filters: filters(&["custom.>", "media.>"]),
        max_in_flight: 7,
        ..config("released")
    };
    let refused = old.consumer(wider.clone()).await;
    assert!(matches!(refused, Err(Error::Consumer { .. })), "{refused:?}");
    drop(member);
    old.drain().await.unwrap();
    let mut member = new.consumer(wider).await.unwrap();
    new.publish_raw(vec![message("custom.b._._", 4), message("media.b._._", 5)]).await.unwrap();
    let mut out = take(&mut member, 2).await;
    out.sort_by_key(number);
    assert_eq!(story(&out), [(4, 1), (5, 1)]);
    let info = stranger(&server).await;
    let stream = info.get_stream("CUSTOM").await.unwrap();
    assert_eq!(stream.consumer_info("released").await.unwrap().config.max_ack_pending, 7);
}
