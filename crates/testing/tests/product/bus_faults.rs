//! The bus dies, comes back, or comes back with nothing. Each test ends with its ledger: everything acknowledged took
//! effect, once, and reached the bus in order.

#![expect(clippy::print_stdout, reason = "tests that report what became of every event")]

use std::collections::{HashMap, HashSet};

use omni_event_bus::{EmbeddedOptions, EventBus, NatsOptions, Read, ReadFrom, Stream};
use omni_events::SubjectPattern;
use omni_testing::{Bus, Database, Http, NatsServer, Receiver, TestApp, eventually};
use serde_json::{Value, json};

use crate::process::Process;

/// What was acknowledged, and what came of it.
struct Ledger {
    http: Http,
    receiver: Receiver,
    acknowledged: Vec<String>,
}

impl Ledger {
    /// Makes an automation with one effect for each event.
    async fn open(http: Http) -> Self {
        let receiver = Receiver::start().await;
        let automation = json!({
            "name": "effect", "triggerEventType": "custom.fault",
            "actions": [{ "type": "webhook", "config": { "url": receiver.url("/effect") } }]
        });
        http.post("/api/automations", &automation).await.expect(201);
        Self { http, receiver, acknowledged: Vec::new() }
    }

    /// Sends events, one after the other; each must be acknowledged whatever the bus does.
    async fn send(&mut self, count: usize) {
        for _ in 0..count {
            let payload = json!({ "n": self.acknowledged.len() });
            let body = json!({ "eventType": "custom.fault", "payload": payload });
            let reply = self.http.post("/api/events/trigger", &body).await.expect(201).json();
            self.acknowledged.push(reply["eventId"].as_str().unwrap().to_owned());
        }
    }

    /// Waits until every event has an outcome.
    async fn settled(&self) {
        eventually("every event has an outcome", async || {
            let pending = self.http.get("/api/events?status=pending&limit=1").await.json();
            pending["items"].as_array().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
    }

    /// Lays everything beside each other.
    async fn close(&self, what: &str, bus: &EventBus) {
        self.settled().await;
        let redelivered = metric(&self.http, "omni_bus_messages_redelivered_total").await;
        let mut effects: HashMap<String, Vec<String>> = HashMap::new();
        for request in self.receiver.received() {
            let keys = effects.entry(request.header("x-omni-event-id").to_owned()).or_default();
            keys.push(request.header("idempotency-key").to_owned());
        }
        let lost = self.acknowledged.iter().filter(|id| !effects.contains_key(*id)).count();
        let distinct = |keys: &Vec<String>| keys.iter().collect::<HashSet<_>>().len();
        let duplicates: usize = effects.values().map(|keys| distinct(keys) - 1).sum();
        let repeated: usize = effects.values().map(|keys| keys.len() - distinct(keys)).sum();
        let out_of_order = out_of_order(&published(bus).await);
        let (acked, handled) = (self.acknowledged.len(), effects.len());
        println!(
            "{what}: acked {acked} · handled {handled} · lost {lost} · duplicate effects {duplicates} · repeated under \
             their key {repeated} · redelivered {redelivered} · out of order {out_of_order}"
        );
        assert_eq!((lost, duplicates, out_of_order, handled), (0, 0, 0, acked));
    }

    /// Requests that came a second time under the key of the first.
    fn repeated(&self) -> usize {
        let keys: Vec<String> = self
            .receiver
            .received()
            .iter()
            .map(|r| r.header("idempotency-key").to_owned())
            .collect();
        keys.len() - keys.iter().collect::<HashSet<_>>().len()
    }
}

async fn metric(http: &Http, name: &str) -> u64 {
    let text = http.get("/metrics").await.expect(200).text();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().last().and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// The numbers of the events in their stream, in its order.
async fn published(bus: &EventBus) -> Vec<u64> {
    let mut read = Read {
        stream: Stream::Custom,
        from: ReadFrom::Sequence(1),
        filters: vec![SubjectPattern::parse("custom.fault.>").unwrap()],
        max: 500,
    };
    let mut numbers = Vec::new();
    loop {
        let page = bus.read(&read).await.unwrap();
        for pulled in page.messages {
            let event: Value = serde_json::from_slice(&pulled.message.data).unwrap();
            numbers.push(event["payload"]["n"].as_u64().unwrap());
        }
        let Some(next) = page.next else { return numbers };
        read.from = ReadFrom::Sequence(next);
    }
}

/// How many came for the first time after one that was sent later.
fn out_of_order(numbers: &[u64]) -> usize {
    let (mut seen, mut last, mut count) = (HashSet::new(), 0, 0);
    for &number in numbers.iter().filter(|number| seen.insert(**number)) {
        count += usize::from(number < last);
        last = last.max(number);
    }
    count
}

async fn client(nats: &NatsServer) -> EventBus {
    EventBus::nats(NatsOptions::new(nats.url())).await.unwrap()
}

async fn app_on_nats(database: Database) -> (TestApp, NatsServer, Ledger) {
    let mut app = TestApp::start_over(database, Bus::Nats).await;
    let nats = app.nats.take().unwrap();
    let ledger = Ledger::open(app.http.clone()).await;
    (app, nats, ledger)
}

async fn killed_and_restarted(database: Database) {
    let (app, mut nats, mut ledger) = app_on_nats(database).await;
    ledger.send(100).await;
    for _ in 0..2 {
        nats.kill().await;
        ledger.send(100).await;
        let ready = app.http.get("/readyz").await.expect(200).json();
        assert_ne!(ready["bus"], "up", "{ready}");
        nats.restart().await;
        ledger.send(50).await;
    }
    ledger.close("nats killed and restarted", &client(&nats).await).await;
    assert_eq!(ledger.repeated(), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_killed_and_restarted_while_events_come_in() {
    killed_and_restarted(Database::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_killed_and_restarted_while_events_come_in_on_postgres() {
    killed_and_restarted(Database::Postgres).await;
}

/// The engine has the events in hand when they are published a second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_comes_back_with_nothing_under_a_running_server() {
    let (app, mut nats, mut ledger) = app_on_nats(Database::Embedded).await;
    ledger.send(50).await;
    ledger.settled().await;
    ledger.receiver.hold();
    ledger.send(150).await;
    ledger.receiver.wait_for(200).await;
    nats.delete_data().await;
    nats.restart().await;
    let bus = client(&nats).await;
    eventually("what is not handled is on the new server", async || {
        (published(&bus).await.len() >= 150).then_some(())
    })
    .await;
    ledger.send(50).await;
    ledger.receiver.release();
    ledger.close("nats data deleted under the server", &bus).await;
    assert_eq!(ledger.repeated(), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_deleted_under_the_engine() {
    let (app, nats, mut ledger) = app_on_nats(Database::Embedded).await;
    ledger.send(100).await;
    let raw = async_nats::jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    raw.delete_stream("CUSTOM").await.unwrap();
    ledger.send(200).await;
    ledger.close("a stream deleted", &client(&nats).await).await;
    assert_eq!(ledger.repeated(), 0);
    app.finish().await;
}

/// The server is killed with events published and not handled, and before it starts again the bus has lost them.
async fn lost_between_two_runs(bus: Bus) {
    let dir = tempfile::tempdir().unwrap();
    let mut nats = match bus {
        Bus::Embedded => None,
        Bus::Nats => Some(NatsServer::start().await),
    };
    let url = nats.as_ref().map(NatsServer::url);
    let mut variables = vec![("OMNI_EGRESS_ALLOW_LOOPBACK", "true")];
    variables.extend(url.as_deref().map(|url| ("OMNI_NATS_URL", url)));
    let process = Process::start_with(dir.path(), &variables).await;
    let mut ledger = Ledger::open(Http::new(&process.url)).await;
    ledger.send(100).await;
    ledger.settled().await;
    ledger.receiver.hold();
    ledger.send(200).await;
    eventually("all are published", async || {
        (metric(&ledger.http, "omni_log_behind").await == 0).then_some(())
    })
    .await;
    process.signal("-KILL");
    process.exit_code().await;
    match &mut nats {
        Some(nats) => {
            nats.delete_data().await;
            nats.restart().await;
        }
        None => {
            for file in std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap) {
                if file.file_name().to_string_lossy().starts_with("bus.db") {
                    std::fs::remove_file(file.path()).unwrap();
                }
            }
        }
    }
    ledger.receiver.release();
    let process = Process::start_with(dir.path(), &variables).await;
    ledger.http = Http::new(&process.url);
    ledger.send(50).await;
    ledger.settled().await;
    let what = format!("{bus:?} bus lost between two runs");
    if let Some(nats) = &nats {
        ledger.close(&what, &client(nats).await).await;
        return;
    }
    let http = ledger.http.clone();
    assert_eq!(metric(&http, "omni_log_behind").await, 0);
    // The directory has one owner at a time, so its order is read from a copy.
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap) {
        if file.file_name().to_string_lossy().starts_with("bus.db") {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    let bus = EventBus::embedded(copy.path(), EmbeddedOptions::default()).await.unwrap();
    ledger.close(&what, &bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_bus_is_deleted_between_two_runs() {
    lost_between_two_runs(Bus::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_of_nats_is_deleted_between_two_runs() {
    lost_between_two_runs(Bus::Nats).await;
}

/// Told once, however long it lasts, and the next outage is told again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_bus_is_told_by_one_event() {
    let (app, mut nats, _ledger) = app_on_nats(Database::Embedded).await;
    nats.kill().await;
    let told = async |wanted: usize| {
        eventually("the outage is told", async || {
            let path = "/api/events?type=system.health.degraded";
            let found = app.http.get(path).await.expect(200).json();
            let items = found["items"].as_array().unwrap().clone();
            (items.len() == wanted).then_some(items)
        })
        .await
    };
    let items = told(1).await;
    assert_eq!(items[0]["payload"]["component"], "bus");
    let ready = app.http.get("/readyz").await.expect(200).json();
    assert_eq!((&ready["status"], &ready["bus"]), (&json!("ready"), &json!("degraded")));
    assert_eq!(metric(&app.http, "omni_bus_health").await, 2);
    nats.restart().await;
    eventually("it is up again", async || {
        (app.http.get("/readyz").await.json()["bus"] == "up").then_some(())
    })
    .await;
    app.settled().await;
    assert_eq!(told(1).await.len(), 1);
    app.finish().await;
}
