//! Events that happen later: at their time, once, whoever dies meanwhile, and not when they are refused or cancelled.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use omni_clock::{Clock, ManualClock, Random, SystemClock};
use omni_event_bus::EventBus;
use omni_event_log::{
    AppendError, Cancelled, Config, Draft, EventLog, Parts, SCHEDULE_DAYS_MAX, ScheduleError, open,
};
use omni_events::{EventType, Org, Payload};
use omni_registry::Registry;
use omni_store::{
    Kind, Store,
    events::{StoredEvent, count},
    scheduled::{self, Page},
    testing::server_url,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

/// A log with its loops, as one replica runs them.
struct Replica {
    log: EventLog,
    stop: CancellationToken,
    _stop: DropGuard,
}

async fn replica(store: &Store, bus: &EventBus, clock: &ManualClock) -> Replica {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
    let random = Arc::new(Random::from_entropy());
    let (store, bus, writer) = (store.clone(), bus.clone(), "test".to_owned());
    let config = Config::default();
    let parts = Parts { store, bus, registry, clock, random, writer, config };
    let (log, appender, publisher) = open(parts).await.unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(appender.run(stop.clone()));
    tokio::spawn(publisher.run(stop.clone()));
    Replica { log, _stop: stop.clone().drop_guard(), stop }
}

impl Replica {
    fn start_timer(&self) {
        tokio::spawn(self.log.timer().run(self.stop.clone()));
    }

    async fn stored(&self, id: Uuid) -> Option<StoredEvent> {
        self.log.get(&Org::default(), id).await.unwrap()
    }

    /// Waits until an event has happened. The time goes on, slower than the real one: a timer may have looked at the clock
    /// before the test moved it and gone to sleep after, for all the time that was left then.
    async fn happened(&self, id: Uuid, clock: &ManualClock) -> StoredEvent {
        let waiting = async {
            loop {
                if let Some(stored) = self.stored(id).await
                    && self.log.scheduled(&Org::default(), id).await.unwrap().is_none()
                {
                    return stored;
                }
                clock.advance(Duration::from_millis(4));
                SystemClock::new().sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap()
    }
}

fn draft(n: usize) -> Draft {
    let payload = Payload::parse(format!("{{\"n\":  {n}.50}}").into()).unwrap();
    Draft::new(Org::default(), EventType::parse("custom.test").unwrap(), "test", payload)
}

fn start() -> (ManualClock, DateTime<Utc>) {
    let clock = ManualClock::at_unix(1_795_255_200);
    let now = clock.now();
    (clock, now)
}

async fn stores() -> [Store; 2] {
    [Store::temporary().await, Store::temporary_postgres(&server_url()).await]
}

async fn events(store: &Store) -> i64 {
    count(&mut store.read().await.unwrap(), "default").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_happens_at_its_time_and_once_with_two_replicas() {
    for store in stores().await {
        let ((clock, now), bus) = (start(), EventBus::temporary().await);
        let mut replicas = vec![replica(&store, &bus, &clock).await];
        // An embedded store has one process at a time: a second one puts the first out of office.
        if store.kind() == Kind::Postgres {
            replicas.push(replica(&store, &bus, &clock).await);
        }
        replicas.iter().for_each(Replica::start_timer);
        let (one, other) = (&replicas[0], &replicas[replicas.len() - 1]);
        // All within what a replica may be silent: the time of the test stands still for their signs of life.
        let later = now + TimeDelta::seconds(8);
        let wanted = one.log.schedule(draft(1), later).await.unwrap();
        let sooner =
            other.log.schedule(draft(2), now + TimeDelta::milliseconds(200)).await.unwrap();
        one.happened(sooner, &clock).await;
        assert_eq!(one.stored(wanted).await, None, "its time has not come");
        clock.advance((later - clock.now()).to_std().unwrap());
        let stored = one.happened(wanted, &clock).await;
        assert_eq!(stored.event.time, later);
        assert!(stored.event.received_at >= later, "{stored:?}");
        assert_eq!(stored.event.payload, draft(1).payload, "byte for byte");
        assert_eq!(stored.event.metadata.correlation_id, wanted.to_string());
        assert_eq!(events(&store).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_is_past_is_now() {
    for store in stores().await {
        let ((clock, now), bus) = (start(), EventBus::temporary().await);
        let one = replica(&store, &bus, &clock).await;
        one.start_timer();
        let past = now - TimeDelta::days(3);
        let id = one.log.schedule(draft(1), past).await.unwrap();
        assert_eq!(one.happened(id, &clock).await.event.time, past);
    }
}

/// The process died after it had appended the event and before it could write that down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_had_begun_is_finished_and_not_repeated() {
    for store in stores().await {
        let ((clock, now), bus) = (start(), EventBus::temporary().await);
        let dead = replica(&store, &bus, &clock).await;
        let appended = dead.log.schedule(draft(1), now).await.unwrap();
        let taken = dead.log.schedule(draft(2), now).await.unwrap();
        let mut conn = store.write().await.unwrap();
        let due = scheduled::due(&mut conn, now, now, 10).await.unwrap();
        assert_eq!(scheduled::take(&mut conn, &due, now).await.unwrap().len(), 2);
        drop(conn);
        let again = Draft { id: Some(appended), ..draft(1) };
        dead.log.append(again).await.unwrap();
        drop(dead);

        clock.advance(Duration::from_secs(20));
        let next = replica(&store, &bus, &clock).await;
        next.start_timer();
        next.happened(appended, &clock).await;
        next.happened(taken, &clock).await;
        assert_eq!(events(&store).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_refused_is_refused_at_once() {
    let ((clock, now), bus, store) =
        (start(), EventBus::temporary().await, Store::temporary().await);
    let one = replica(&store, &bus, &clock).await;
    let soon = now + TimeDelta::minutes(1);
    let unknown = Draft { event_type: EventType::parse("message.nonsense").unwrap(), ..draft(1) };
    let refused = one.log.schedule(unknown, soon).await;
    assert!(matches!(refused, Err(ScheduleError::Append(AppendError::Refused(_)))), "{refused:?}");
    let mut controlled = draft(1);
    controlled.metadata.triggered_by = Some("a\nb".to_owned());
    let refused = one.log.schedule(controlled, soon).await;
    assert!(
        matches!(refused, Err(ScheduleError::Append(AppendError::Metadata { .. }))),
        "{refused:?}"
    );
    let too_far = now + TimeDelta::days(SCHEDULE_DAYS_MAX) + TimeDelta::seconds(1);
    assert!(matches!(one.log.schedule(draft(1), too_far).await, Err(ScheduleError::TooFar)));
    let page = Page { cancelled: false, after: None, limit: 10 };
    let kept = one.log.list_scheduled(&Org::default(), &page).await.unwrap();
    assert!(kept.is_empty(), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_happens_or_is_cancelled() {
    for store in stores().await {
        let ((clock, now), bus) = (start(), EventBus::temporary().await);
        let one = replica(&store, &bus, &clock).await;
        one.start_timer();
        let (org, soon) = (Org::default(), now + TimeDelta::minutes(1));
        let cancelled = one.log.schedule(draft(1), soon).await.unwrap();
        let happens = one.log.schedule(draft(2), soon).await.unwrap();
        for _ in 0..2 {
            let answer = one.log.cancel(&org, cancelled).await.unwrap();
            assert!(matches!(answer, Cancelled::Done(_)), "{answer:?}");
        }
        assert_eq!(one.log.cancel(&org, Uuid::nil()).await.unwrap(), Cancelled::Unknown);
        clock.advance(Duration::from_secs(61));
        one.happened(happens, &clock).await;
        assert_eq!(one.log.cancel(&org, happens).await.unwrap(), Cancelled::TooLate);
        assert_eq!(one.stored(cancelled).await, None);
        assert_eq!(events(&store).await, 1);
    }
}
