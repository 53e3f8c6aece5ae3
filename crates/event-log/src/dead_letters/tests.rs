//! What cannot be brought about from outside: a process that dies between two steps.

use std::time::Duration;

use chrono::TimeDelta;
use omni_clock::{Clock, ManualClock, Random};
use omni_event_bus::EventBus;
use omni_events::{EventType, Payload};
use omni_registry::Registry;
use omni_store::{
    Store,
    dead_letters::{NewDeadLetter, RESOLVED, id_of},
    events::StoredEvent,
    executions::{Done, NewOutcome, commit_batch},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{Config, Draft, Parts, open};

/// A log that runs, without an engine.
struct World {
    store: Store,
    clock: ManualClock,
    letters: DeadLetters,
}

impl World {
    async fn start() -> Self {
        let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
        let manual = ManualClock::at_unix(1_800_000_000);
        let clock: Arc<dyn Clock> = Arc::new(manual.clone());
        let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
        let parts = Parts {
            store: store.clone(),
            bus,
            registry,
            clock,
            random: Arc::new(Random::from_entropy()),
            writer: "test".to_owned(),
            config: Config::default(),
        };
        let (log, appender, publisher) = open(parts).await.unwrap();
        tokio::spawn(appender.run(CancellationToken::new()));
        tokio::spawn(publisher.run(CancellationToken::new()));
        Self { store, clock: manual, letters: DeadLetters::new(log) }
    }

    /// Appends an event and makes a letter about it.
    async fn dead(&self) -> NewDeadLetter {
        let payload = Payload::parse(br#"{"n": 1.50}"#.to_vec().into()).unwrap();
        let event_type = EventType::parse("custom.test").unwrap();
        let draft = Draft::new(Org::default(), event_type, "test", payload);
        let event_id = self.letters.log.append(draft).await.unwrap().event_id;
        let now = self.clock.now();
        let letter = NewDeadLetter {
            id: id_of("shop", event_id),
            org: "default".into(),
            event_id,
            event_type: "custom.test".into(),
            consumer: "shop".into(),
            automation_id: None,
            version: None,
            attempts: 1,
            errors: r#"["no answer"]"#.into(),
            message: None,
            status: PENDING.into(),
            retries: 0,
            next_retry_at: next_retry(now, now),
            dead_at: now,
            changed_at: now,
            told: false,
        };
        let mut conn = self.store.write().await.unwrap();
        letters::add(&mut conn, std::slice::from_ref(&letter)).await.unwrap();
        letter
    }

    async fn get(&self, id: Uuid) -> Story {
        self.letters.get(&Org::default(), id).await.unwrap()
    }

    async fn event(&self, id: Uuid) -> Option<StoredEvent> {
        self.letters.log.get(&Org::default(), id).await.unwrap()
    }

    async fn events(&self) -> i64 {
        let mut conn = self.store.read().await.unwrap();
        omni_store::events::count(&mut conn, "default").await.unwrap()
    }

    /// What the engine says of an event.
    async fn end(&self, event_id: Uuid, status: &str) {
        let outcome = NewOutcome {
            event_id,
            org: "default".into(),
            status: status.into(),
            retry_count: 0,
            processed_at: self.clock.now(),
            executions: 1,
            error: Some("still no answer".into()),
            received_at: self.clock.now(),
        };
        let done = Done { outcome, executions: Vec::new(), dead: Vec::new() };
        commit_batch(&mut self.store.write().await.unwrap(), &[done]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_whose_process_died_before_it_was_sent_is_sent_once() {
    let world = World::start().await;
    let letter = world.dead().await;
    world.letters.agent().turn().await;
    let head = world.get(letter.id).await.letter.head;
    let start = world.letters.start(&head, "ann");
    assert!(letters::start_retry(&mut world.store.write().await.unwrap(), &start).await.unwrap());
    let before = world.events().await;
    assert!(world.event(start.retry_event_id).await.is_none(), "it died here");

    let mut agents: Vec<_> = (0..4).map(|_| world.letters.agent()).collect();
    futures_util::future::join_all(agents.iter_mut().map(DeadLetterAgent::turn)).await;
    let sent = world.event(start.retry_event_id).await.unwrap().event;
    assert_eq!(sent.payload.as_str(), r#"{"n": 1.50}"#);
    assert_eq!((sent.source.as_str(), sent.metadata.replay_of), ("test", Some(letter.event_id)));
    let replay = sent.metadata.replay.unwrap();
    assert_eq!((replay.id, replay.dead_letter, replay.repeat_effects), (letter.id, true, false));
    assert_eq!(world.events().await, before + 1, "once, however many agents send it");

    // It has an outcome, and nobody was there to see it.
    world.end(start.retry_event_id, "completed").await;
    world.letters.agent().turn().await;
    let head = world.get(letter.id).await.letter.head;
    assert_eq!((head.status.as_str(), head.retries), (RESOLVED, 1));
    assert_eq!(world.events().await, before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_that_fails_waits_for_the_next_time_after_its_death() {
    let world = World::start().await;
    let letter = world.dead().await;
    // Everything was off when the first time came.
    world.clock.advance(Duration::from_hours(7));
    world.letters.agent().turn().await;
    let head = world.get(letter.id).await.letter.head;
    assert_eq!((head.status.as_str(), head.changed_by.as_deref()), (RETRYING, Some("automatic")));
    world.end(head.retry_event_id.unwrap(), "failed").await;
    world.letters.agent().turn().await;
    let story = world.get(letter.id).await;
    assert_eq!(story.letter.head.status, PENDING);
    assert_eq!(story.letter.reasons(), ["no answer", "still no answer"]);
    assert_eq!(story.letter.head.next_retry_at, Some(letter.dead_at + TimeDelta::hours(24)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_expunged_is_not_retried() {
    let world = World::start().await;
    let letter = world.dead().await;
    let mut conn = world.store.write().await.unwrap();
    let now = world.clock.now();
    omni_store::expunges::expunge(&mut conn, "default", letter.event_id, ("asked for", now))
        .await
        .unwrap();
    drop(conn);
    let error = world.letters.retry(&Org::default(), letter.id, "ann").await.unwrap_err();
    assert!(matches!(error, DeadLetterError::Expunged { .. }), "{error}");
    assert_eq!(world.get(letter.id).await.letter.head.retries, 0);
    world.clock.advance(Duration::from_hours(1));
    world.letters.agent().turn().await;
    let story = world.get(letter.id).await;
    assert_eq!(
        (story.letter.head.status.as_str(), story.letter.head.next_retry_at),
        (PENDING, None)
    );
    assert!(story.letter.reasons()[1].contains("was expunged"), "{:?}", story.letter.reasons());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_retry_goes_on_when_the_lease_of_who_died_has_ended() {
    let world = World::start().await;
    for _ in 0..agent::BATCH + 20 {
        world.dead().await;
    }
    let org = Org::default();
    let job = world.letters.retry_all(&org, &RetryFilter::default(), "ann").await.unwrap();
    assert_eq!(job.total, Some(agent::BATCH + 20));
    // Died later than the job was asked for, so not its own.
    world.clock.advance(Duration::from_secs(1));
    let late = world.dead().await;
    let mut first = world.letters.agent();
    first.turn().await;
    drop(first);
    let mut second = world.letters.agent();
    second.turn().await;
    let job = world.letters.job(&org, job.id).await.unwrap().unwrap();
    assert_eq!((job.done, job.finished_at), (agent::BATCH, None), "the first may still live");
    world.clock.advance(Duration::from_secs(30));
    second.turn().await;
    let job = world.letters.job(&org, job.id).await.unwrap().unwrap();
    assert_eq!((job.done, job.status.as_str()), (agent::BATCH + 20, "completed"));
    assert_eq!(world.get(late.id).await.letter.head.status, PENDING);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_up_again_after_it_was_closed_is_told_again() {
    let world = World::start().await;
    let letter = world.dead().await;
    let mut agent = world.letters.agent();
    agent.turn().await;
    let told = world.events().await;
    world.letters.resolve(&Org::default(), letter.id, None, "ann").await.unwrap();

    world.clock.advance(Duration::from_mins(1));
    let (dead_at, changed_at) = (world.clock.now(), world.clock.now());
    let again = NewDeadLetter { dead_at, changed_at, ..letter };
    letters::add(&mut world.store.write().await.unwrap(), &[again]).await.unwrap();
    agent.turn().await;
    assert_eq!(world.events().await, told + 1);
    agent.turn().await;
    assert_eq!(world.events().await, told + 1, "and only once");
}
