//! The audit notices what is lost, and what was taken out behind its back; and traces stay within their bounds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures_util::future::join_all;
use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::{ConsumerConfig, EventBus, Start};
use omni_event_log::{Audit, Config, Draft, EventLog, Node, Parts, Report, TRACE_NODES_MAX, open};
use omni_events::{EventType, Org, Payload, SubjectPattern};
use omni_registry::Registry;
use omni_store::{
    Store,
    executions::{Done, NewOutcome, commit_batch},
    testing::server_url,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const CONSUMER: &str = "test";

async fn opened(store: &Store, bus: &EventBus, stop: &CancellationToken) -> EventLog {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
    let random = Arc::new(Random::from_entropy());
    let (store, bus, writer) = (store.clone(), bus.clone(), "test".to_owned());
    let config = Config::default();
    let parts = Parts { store, bus, registry, clock, random, writer, config };
    let (log, appender, publisher) = open(parts).await.unwrap();
    tokio::spawn(appender.run(stop.clone()));
    tokio::spawn(publisher.run(stop.clone()));
    log
}

fn draft() -> Draft {
    let event_type = EventType::parse("custom.test").unwrap();
    Draft::new(Org::default(), event_type, "test", Payload::default())
}

async fn audit(log: &EventLog, full: bool) -> Report {
    let audit = Audit { org: None, full, grace: TimeDelta::zero(), consumer: CONSUMER };
    log.audit(&audit).await.unwrap()
}

/// Audits until the report is as wanted.
async fn audited(log: &EventLog, what: &str, wanted: impl Fn(&Report) -> bool) -> Report {
    let waiting = async {
        loop {
            let report = audit(log, true).await;
            if wanted(&report) {
                return report;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    found.unwrap_or_else(|_| panic!("no audit says: {what}"))
}

async fn finish(store: &Store, id: Uuid) {
    let now = SystemClock::new().now();
    let outcome = NewOutcome {
        event_id: id,
        org: "default".into(),
        status: "completed".into(),
        retry_count: 0,
        processed_at: now,
        executions: 0,
        error: None,
        received_at: now,
    };
    let done = Done { outcome, executions: Vec::new(), dead: Vec::new() };
    commit_batch(&mut store.write().await.unwrap(), &[done]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_says_what_is_lost_and_what_was_taken_out() {
    for store in [Store::temporary().await, Store::temporary_postgres(&server_url()).await] {
        let (bus, stop) = (EventBus::temporary().await, CancellationToken::new());
        let log = opened(&store, &bus, &stop).await;
        let all = ConsumerConfig::new(CONSUMER, vec![SubjectPattern::all()]);
        let all = ConsumerConfig { start: Start::First, ..all };
        let mut consumer = bus.consumer(all).await.unwrap();
        let first = log.append(draft()).await.unwrap().event_id;
        let second = log.append(draft()).await.unwrap().event_id;
        finish(&store, first).await;
        let waiting = audit(&log, true).await;
        assert_eq!(waiting.orgs[0].lost, 0, "the bus has it, or will get it: {waiting:?}");
        assert_eq!((waiting.orgs[0].accepted, waiting.orgs[0].in_flight), (2, 1), "{waiting:?}");
        assert!(waiting.ok, "{waiting:?}");

        // Somebody takes it from the bus and does nothing.
        for _ in 0..2 {
            consumer.next().await.unwrap().ack().await;
        }
        let lost = audited(&log, "one is lost", |report| report.orgs[0].lost == 1).await;
        assert!(!lost.ok);
        assert_eq!(lost.orgs[0].difference, 1);
        assert_eq!(lost.findings[0].check, "events_lost");
        assert_eq!(lost.findings[0].samples, [second.to_string()]);
        assert!(!audit(&log, false).await.ok, "a quick one sees it, too");

        finish(&store, second).await;
        let fine = audit(&log, true).await;
        assert!(fine.ok && fine.findings.is_empty(), "{fine:?}");
        assert_eq!((fine.orgs[0].done, fine.orgs[0].difference), (2, 0));

        store
            .run_sql(
                "DELETE FROM omni_events WHERE sequence = (SELECT min(sequence) FROM omni_events)",
            )
            .await;
        let gone = audit(&log, true).await;
        assert!(!gone.ok);
        assert_eq!(gone.orgs[0].difference, -1, "{gone:?}");
        assert_eq!(gone.findings[0].check, "outcomes_without_event");
        assert_eq!(gone.findings[0].samples, [first.to_string()]);
        assert!(!audit(&log, false).await.ok, "a quick one sees it, too");
        stop.cancel();
    }
}

fn ids(node: &Node, found: &mut Vec<String>) {
    found.push(node.id.clone());
    node.children.iter().for_each(|child| ids(child, found));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_bounded_and_shows_the_way_to_the_event() {
    for store in [Store::temporary().await, Store::temporary_postgres(&server_url()).await] {
        let (bus, stop) = (EventBus::temporary().await, CancellationToken::new());
        let (log, org) = (opened(&store, &bus, &stop).await, Org::default());
        let root = log.append(draft()).await.unwrap().event_id;
        let cause = log.get(&org, root).await.unwrap().unwrap().event;
        let many = (0..1500).map(|_| log.append(draft().caused_by(&cause)));
        let mut many: Vec<_> = join_all(many).await.into_iter().map(Result::unwrap).collect();
        many.sort_by_key(|appended| appended.sequence);
        let last = many.last().unwrap().event_id;
        let trace = log.trace(&org, last).await.unwrap().unwrap();
        assert!(trace.truncated);
        assert!(trace.nodes >= TRACE_NODES_MAX && trace.nodes <= TRACE_NODES_MAX + 32);
        assert_eq!((trace.root_event_id, trace.event_id), (root, last));
        let mut shown = Vec::new();
        ids(&trace.root, &mut shown);
        assert_eq!(shown.len(), trace.nodes);
        assert!(shown.contains(&last.to_string()), "the way to it is whole");
        let acme = Org::parse("acme").unwrap();
        assert!(log.trace(&acme, last).await.unwrap().is_none());
        stop.cancel();
    }
}
