//! PostgreSQL stops, crashes, comes back, or cuts every connection off while events come in. Each test ends with its
//! ledger: everything acknowledged is there and took effect once, although every request was repeated until it was.

#![expect(clippy::print_stdout, reason = "tests that report what became of every event")]

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use omni_store::testing::{PostgresServer, Stop};
use omni_testing::{Http, Receiver, TestApp, eventually};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Senders at once, each with one request on its way.
const SENDERS: u64 = 8;
/// Connections that one process may have.
const CONNECTIONS_MAX: i64 = 16;
/// How soon after the database the product must be back; looked at only in a full run on a machine that does nothing
/// else.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// All rounds when `OMNI_TEST_FAULTS` is `all`, else a few.
#[expect(clippy::disallowed_methods, reason = "no server reads the environment of a test")]
fn is_full() -> bool {
    std::env::var("OMNI_TEST_FAULTS").is_ok_and(|faults| faults == "all")
}

fn rounds() -> u64 {
    if is_full() { 20 } else { 3 }
}

/// Sends events without end, each under its own key and again until it is acknowledged.
struct Load {
    shared: Arc<Shared>,
    senders: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    next: AtomicU64,
    stop: AtomicBool,
    refused: AtomicU64,
    /// Number, event and time of each acknowledgement.
    acknowledged: Mutex<Vec<(u64, String, Instant)>>,
}

impl Load {
    fn start(http: &Http) -> Self {
        let shared = Arc::new(Shared::default());
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(send_all(http.clone(), shared.clone()));
        }
        Self { shared, senders }
    }

    fn count(&self) -> usize {
        self.shared.acknowledged.lock().unwrap().len()
    }

    /// Waits until so many more are acknowledged.
    async fn more(&self, count: usize) {
        let wanted = self.count() + count;
        eventually("events are acknowledged", async || (self.count() >= wanted).then_some(()))
            .await;
    }

    /// Waits for the first acknowledgement of what was sent or repeated after the moment.
    async fn back(&self, since: Instant) -> Duration {
        eventually("the first event is acknowledged", async || {
            let acknowledged = self.shared.acknowledged.lock().unwrap();
            acknowledged.iter().map(|(_, _, at)| *at).find(|at| *at > since)
        })
        .await
        .duration_since(since)
    }

    /// Lets every sender have its last event acknowledged.
    async fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
    }
}

async fn send_all(http: Http, shared: Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "eventType": "custom.fault", "payload": { "n": number } }).to_string();
        let headers = [("content-type", "application/json".to_owned())];
        let mut headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        headers.push(("idempotency-key".to_owned(), format!("fault-{number}")));
        let id = eventually("the event is acknowledged", async || {
            let sent = http.send(http::Method::POST, "/api/events/trigger", &headers, body.clone());
            let reply = sent.await;
            if !matches!(reply.status.as_u16(), 200 | 201) {
                // Never anything but "not now".
                assert_eq!(reply.status.as_u16(), 503, "{}", reply.text());
                shared.refused.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            Some(reply.json()["eventId"].as_str().unwrap().to_owned())
        });
        let id = id.await;
        shared.acknowledged.lock().unwrap().push((number, id, Instant::now()));
    }
}

/// A database of its own, a product on it, and something that counts effects.
struct Bench {
    postgres: PostgresServer,
    app: TestApp,
    receiver: Receiver,
    load: Load,
    /// The longest time from a database that takes connections to the first acknowledgement.
    slowest: Duration,
}

impl Bench {
    async fn start() -> Self {
        let postgres = PostgresServer::start().await;
        let app = TestApp::start_at(&postgres.url()).await;
        let receiver = Receiver::start().await;
        app.add_automation(&json!({
            "name": "effect", "triggerEventType": "custom.fault",
            "actions": [{ "type": "webhook", "config": { "url": receiver.url("/effect") } }]
        }))
        .await;
        let load = Load::start(&app.http);
        Self { postgres, app, receiver, load, slowest: Duration::ZERO }
    }

    async fn restart(&mut self, how: Stop) {
        self.load.more(50).await;
        self.postgres.stop(how).await;
        let refused = self.load.shared.refused.load(Ordering::Relaxed);
        eventually("the outage is told to who sends", async || {
            (self.load.shared.refused.load(Ordering::Relaxed) >= refused + SENDERS).then_some(())
        })
        .await;
        self.postgres.start_again().await;
        self.came_back(Instant::now()).await;
    }

    async fn cut_off(&mut self) {
        self.load.more(50).await;
        assert!(self.postgres.cut_off_all().await > 0);
        self.came_back(Instant::now()).await;
    }

    async fn came_back(&mut self, since: Instant) {
        self.slowest = self.slowest.max(self.load.back(since).await);
    }

    /// Lays everything beside each other.
    async fn close(mut self, what: &str) {
        self.load.more(50).await;
        self.load.stop().await;
        self.app.settled().await;
        let acknowledged = std::mem::take(&mut *self.load.shared.acknowledged.lock().unwrap());
        let mut effects: HashMap<String, Vec<String>> = HashMap::new();
        for request in self.receiver.received() {
            let keys = effects.entry(request.header("x-omni-event-id").to_owned()).or_default();
            keys.push(request.header("idempotency-key").to_owned());
        }
        let ids: HashSet<&str> = acknowledged.iter().map(|(_, id, _)| id.as_str()).collect();
        let lost = ids.iter().filter(|id| !effects.contains_key(**id)).count();
        let distinct = |keys: &Vec<String>| keys.iter().collect::<HashSet<_>>().len();
        let duplicates: usize = effects.values().map(|keys| distinct(keys) - 1).sum();
        let repeated: usize = effects.values().map(|keys| keys.len() - distinct(keys)).sum();
        let count = "SELECT count(*) FROM omni_events WHERE event_type = 'custom.fault'";
        let stored = self.postgres.ask(count).await;
        let connections = self.postgres.connections().await;
        let (acked, refused) =
            (acknowledged.len(), self.load.shared.refused.load(Ordering::Relaxed));
        println!(
            "{what}: acked {acked} · refused and repeated {refused} · stored {stored} · handled {} · lost {lost} · \
             duplicate effects {duplicates} · repeated under their key {repeated} · first ack after at most {} ms · \
             connections {connections}",
            effects.len(),
            self.slowest.as_millis(),
        );
        // Neither a number with two events, nor an event that nobody was told of.
        assert_eq!((ids.len(), stored, effects.len()), (acked, acked as i64, acked));
        assert_eq!((lost, duplicates), (0, 0));
        assert!(connections <= CONNECTIONS_MAX, "{connections} connections");
        assert!(!is_full() || self.slowest <= BACK_WITHIN, "{:?}", self.slowest);
        let open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
        eventually("no transaction stays open", async || {
            (self.postgres.ask(open).await == 0).then_some(())
        })
        .await;
        self.app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_restarted_while_events_come_in() {
    let mut bench = Bench::start().await;
    for _ in 0..rounds() {
        bench.restart(Stop::Fast).await;
    }
    bench.close("postgres restarted").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_crashes_while_events_come_in() {
    let mut bench = Bench::start().await;
    for _ in 0..rounds() {
        bench.restart(Stop::Immediate).await;
    }
    bench.close("postgres crashed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_is_cut_off_while_events_come_in() {
    let mut bench = Bench::start().await;
    for _ in 0..rounds() {
        bench.cut_off().await;
    }
    bench.close("connections cut off").await;
}

/// What reads and what changes says "not now" during an outage, and nothing has to be started again afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_answers_during_an_outage_of_the_database_and_after_it() {
    let mut postgres = PostgresServer::start().await;
    let app = TestApp::start_at(&postgres.url()).await;
    let event = app.trigger("custom.before", &json!({ "n": 1 })).await;
    app.outcome(&event).await;
    let definition = |name: &str| -> Value {
        json!({ "name": name, "triggerEventType": "custom.after",
                "actions": [{ "type": "log", "config": { "message": "seen" } }] })
    };
    postgres.stop(Stop::Immediate).await;
    for path in ["/api/events", &format!("/api/events/{event}")] {
        app.http.get(path).await.expect(503);
    }
    app.http.post("/api/automations", &definition("down")).await.expect(503);
    app.http.get("/metrics").await.expect(200);
    app.http.get("/healthz").await.expect(200);

    postgres.start_again().await;
    app.http.get("/api/events").await.expect(200);
    app.add_automation(&definition("up")).await;
    let executions = app.executions(&app.trigger("custom.after", &json!({})).await).await;
    assert_eq!((executions.len(), &executions[0]["status"]), (1, &json!("success")));
    app.finish().await;
}
