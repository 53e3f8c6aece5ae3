//! What is given up: told, retried by itself and by hand, resolved, abandoned; one by one and many at once.

use std::{collections::HashSet, sync::Arc, time::Duration};

use http::Method;
use omni_clock::{Clock as _, ManualClock, SystemClock};
use omni_testing::{Database, Receiver, TestApp, eventually};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);

/// A server on a clock of the test's own, with an automation that calls a receiver.
struct World {
    app: TestApp,
    clock: ManualClock,
    receiver: Receiver,
}

impl World {
    async fn start(database: Database) -> Self {
        let clock = ManualClock::at_unix(1_800_000_000);
        let app = TestApp::start_on(database, Arc::new(clock.clone())).await;
        let receiver = Receiver::start().await;
        let hook = json!({ "type": "webhook", "config": { "url": receiver.url("/") } });
        app.add_automation(
            &json!({ "name": "hook", "triggerEventType": "custom.order", "actions": [hook] }),
        )
        .await;
        Self { app, clock, receiver }
    }

    /// Triggers an event that fails, and answers its letter.
    async fn fail(&self) -> Value {
        self.receiver.answer_next(&[500]);
        let event = self.app.trigger("custom.order", &json!({ "card": "4711-secret" })).await;
        assert_eq!(self.app.outcome(&event).await["outcome"]["status"], "failed");
        let found = self.list(&format!("eventId={event}")).await;
        let [letter] = found.as_slice() else { panic!("one letter: {found:?}") };
        letter.clone()
    }

    async fn list(&self, query: &str) -> Vec<Value> {
        let path = format!("/api/dead-letters?{query}");
        let list = self.app.http.get(&path).await.expect(200);
        assert!(!list.text().contains("4711-secret"), "a list shows no payload: {}", list.text());
        list.json()["items"].as_array().unwrap().clone()
    }

    async fn get(&self, id: &Value) -> Value {
        let path = format!("/api/dead-letters/{}", id.as_str().unwrap());
        self.app.http.get(&path).await.expect(200).json()
    }

    async fn post(&self, id: &Value, verb: &str, body: &Value) -> omni_testing::Reply {
        let path = format!("/api/dead-letters/{}/{verb}", id.as_str().unwrap());
        self.app.http.post(&path, body).await
    }

    /// Lets the agents look again and again until the letter is as wanted.
    async fn until(&self, id: &Value, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || {
            self.clock.advance(Duration::from_secs(1));
            let letter = self.get(id).await;
            is(&letter).then_some(letter)
        })
        .await
    }

    /// Events that tell of dead letters.
    async fn told(&self) -> Vec<Value> {
        let list = self.app.http.get("/api/events?type=system.dead_letter").await.expect(200);
        list.json()["items"].as_array().unwrap().clone()
    }

    async fn retry_events(&self) -> Vec<Value> {
        let path = "/api/events?type=custom.%3E&limit=500";
        let list = self.app.http.get(path).await.expect(200).json();
        let mut items = list["items"].as_array().unwrap().clone();
        items.retain(|event| event["metadata"]["replay"]["deadLetter"] == true);
        items
    }
}

fn time(value: &Value) -> chrono::DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn told_and_retried_by_hand(database: Database) {
    let world = World::start(database).await;
    let letter = world.fail().await;
    let id = &letter["id"];
    assert_eq!((&letter["status"], &letter["attempts"]), (&json!("pending"), &json!(1)));
    assert_eq!(
        letter["consumer"],
        format!("automation:{}", letter["automationId"].as_str().unwrap())
    );
    assert_eq!(time(&letter["nextRetryAt"]) - time(&letter["deadAt"]), chrono::TimeDelta::hours(1));
    let story = world.get(id).await;
    assert_eq!(story["event"]["payload"]["card"], "4711-secret");
    assert!(story["errors"][0].as_str().unwrap().contains("500"), "{story}");

    let told = eventually("the letter is told", async || {
        world.clock.advance(Duration::from_secs(1));
        world.told().await.pop()
    })
    .await;
    assert_eq!(told["payload"]["deadLetterId"], *id);
    assert_eq!(told["metadata"]["causationId"], letter["eventId"]);
    let metrics = eventually("the metrics count it", async || {
        world.clock.advance(Duration::from_secs(5));
        let text = world.app.http.get("/metrics").await.expect(200).text();
        text.contains("omni_dead_letters_open 1").then_some(text)
    })
    .await;
    assert!(!metrics.contains("4711"));

    let begun = world.post(id, "retry", &json!({})).await.expect(200).json();
    assert_eq!((&begun["status"], &begun["retries"]), (&json!("retrying"), &json!(1)));
    let done = world.until(id, "the retry succeeds", |l| l["status"] == "resolved").await;
    assert_eq!((&done["changedBy"], &done["nextRetryAt"]), (&json!("retry"), &Value::Null));
    let retries = world.retry_events().await;
    let [retry] = retries.as_slice() else { panic!("one retry event: {retries:?}") };
    assert_eq!(retry["id"], done["retryEventId"]);
    assert_eq!(retry["metadata"]["replayOf"], letter["eventId"]);
    assert_eq!(retry["metadata"]["causationId"], letter["eventId"]);
    let original = &story["event"]["metadata"];
    assert_eq!(retry["metadata"]["correlationId"], original["correlationId"]);
    assert_eq!(
        (&retry["metadata"]["hops"], &retry["payload"]),
        (&original["hops"], &story["event"]["payload"])
    );
    let keys: HashSet<String> =
        world.receiver.received().iter().map(|r| r.header("idempotency-key").to_owned()).collect();
    assert_eq!((world.receiver.received().len(), keys.len()), (2, 1), "one effect, tried twice");

    let refused = world.post(id, "retry", &json!({})).await.expect(409).json();
    assert!(refused["detail"].as_str().unwrap().contains("was resolved by retry"), "{refused}");
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.told().await.len(), 1, "told once");
    world.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_event_becomes_a_letter_that_is_told_once_and_retried_by_hand() {
    told_and_retried_by_hand(Database::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_event_becomes_a_letter_that_is_told_once_and_retried_by_hand_on_postgres() {
    told_and_retried_by_hand(Database::Postgres).await;
}

async fn retried_by_itself(database: Database) {
    let world = World::start(database).await;
    let letter = world.fail().await;
    let id = &letter["id"];
    let dead = time(&letter["deadAt"]);
    world.receiver.answer_next(&[500, 500, 500]);
    for (retry, hours, next) in [(1, 1_u64, Some(6)), (2, 5, Some(24)), (3, 18, None)] {
        world.clock.advance(Duration::from_mins(60 * hours - 10));
        let early = world.until(id, "nothing happens", |_| true).await;
        assert_eq!((&early["status"], &early["retries"]), (&json!("pending"), &json!(retry - 1)));
        world.clock.advance(Duration::from_mins(10));
        let again = world
            .until(id, "it fails again", |l| l["retries"] == retry && l["status"] == "pending")
            .await;
        assert_eq!(again["errors"].as_array().unwrap().len(), retry + 1);
        let next = next.map(|hours| dead + chrono::TimeDelta::hours(hours));
        assert_eq!(again["nextRetryAt"].as_str().map(|at| at.parse().unwrap()), next);
        assert_eq!(world.receiver.received().len(), retry + 1);
    }
    world.clock.advance(HOUR * 1000);
    for _ in 0..5 {
        world.until(id, "nothing happens", |_| true).await;
    }
    assert_eq!(world.get(id).await["retries"], 3, "now it is left to people");
    world.post(id, "retry", &json!({})).await.expect(200);
    world.until(id, "the retry succeeds", |l| l["status"] == "resolved").await;
    assert_eq!(world.list("").await.len(), 1, "a retry that fails makes no letter of its own");
    world.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_retried_after_1_6_and_24_hours_and_then_by_hand() {
    retried_by_itself(Database::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_retried_after_1_6_and_24_hours_and_then_by_hand_on_postgres() {
    retried_by_itself(Database::Postgres).await;
}

async fn closed_by_hand(database: Database) {
    let world = World::start(database).await;
    let first = world.fail().await;
    world.clock.advance(Duration::from_secs(1));
    let second = world.fail().await;
    let note = json!({ "note": "paid by hand" });
    let resolved = world.post(&first["id"], "resolve", &note).await.expect(200).json();
    assert_eq!((&resolved["status"], &resolved["note"]), (&json!("resolved"), &note["note"]));
    assert_eq!(resolved["nextRetryAt"], Value::Null);
    let abandoned = world.post(&second["id"], "abandon", &json!({})).await.expect(200).json();
    assert_eq!(abandoned["status"], "abandoned");
    for (letter, verb) in
        [(&first, "resolve"), (&first, "abandon"), (&second, "retry"), (&second, "resolve")]
    {
        let refused = world.post(&letter["id"], verb, &json!({})).await.expect(409).json();
        assert_eq!(refused["code"], "OM0018", "{refused}");
    }
    world.clock.advance(HOUR * 100);
    world.until(&first["id"], "nothing happens", |_| true).await;
    assert_eq!(world.receiver.received().len(), 2, "nobody tries them again");
    assert_eq!(world.list("status=resolved").await.len(), 1);
    assert_eq!(world.list("status=pending").await.len(), 0);
    assert_eq!(world.list("type=custom.*").await.len(), 2);
    assert_eq!(world.list("type=custom.other").await.len(), 0);
    let page = world.app.http.get("/api/dead-letters?limit=1").await.expect(200).json();
    let cursor = page["nextCursor"].as_str().unwrap();
    let next = world.list(&format!("limit=1&cursor={cursor}")).await;
    assert_eq!((&page["items"][0]["id"], &next[0]["id"]), (&second["id"], &first["id"]));
    let other = format!("/api/dead-letters?limit=1&status=pending&cursor={cursor}");
    world.app.http.get(&other).await.expect(400);
    world.app.http.get("/api/dead-letters?status=dead").await.expect(400);

    let third = world.fail().await;
    let foreign = async |method: Method, path: String| {
        let headers = [
            ("x-omni-org".to_owned(), "acme".to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        world.app.http.send(method, &path, &headers, "{}".to_owned()).await
    };
    let path = format!("/api/dead-letters/{}", third["id"].as_str().unwrap());
    let list = foreign(Method::GET, "/api/dead-letters".to_owned()).await.expect(200).json();
    assert_eq!(list["items"], json!([]));
    foreign(Method::GET, path.clone()).await.expect(404);
    for verb in ["retry", "resolve", "abandon"] {
        foreign(Method::POST, format!("{path}/{verb}")).await.expect(404);
    }
    assert_eq!(world.get(&third["id"]).await["status"], "pending");
    world.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_resolved_with_a_note_or_abandoned_and_others_see_nothing_of_it() {
    closed_by_hand(Database::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_resolved_with_a_note_or_abandoned_and_others_see_nothing_of_it_on_postgres() {
    closed_by_hand(Database::Postgres).await;
}

async fn retried_once_by_many(database: Database) {
    let world = World::start(database).await;
    let letter = world.fail().await;
    let empty = json!({});
    let retries = (0..8).map(|_| world.post(&letter["id"], "retry", &empty));
    let mut events = HashSet::new();
    for reply in futures_util::future::join_all(retries).await {
        // Whoever comes after its end is told so.
        if reply.status.as_u16() != 409 {
            events.insert(reply.expect(200).json()["retryEventId"].as_str().map(str::to_owned));
        }
    }
    assert_eq!(events.len(), 1, "{events:?}");
    world.until(&letter["id"], "the retry succeeds", |l| l["status"] == "resolved").await;
    assert_eq!(world.retry_events().await.len(), 1);
    assert_eq!(world.receiver.received().len(), 2);
    world.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_retry_at_once_one_does() {
    retried_once_by_many(Database::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_retry_at_once_one_does_on_postgres() {
    retried_once_by_many(Database::Postgres).await;
}

async fn retried_in_bulk(database: Database) {
    const MANY: usize = 300;
    let mut world = World::start(database).await;
    world.receiver.answer_next(&[500; MANY]);
    for _ in 0..MANY {
        world.app.trigger("custom.order", &json!({})).await;
    }
    eventually("every event has its letter", async || {
        (world.list("limit=500").await.len() == MANY).then_some(())
    })
    .await;
    let body = json!({ "filter": { "type": "custom.order" } });
    let job = world.app.http.post("/api/dead-letters/retry", &body).await.expect(202).json();
    assert_eq!(job["total"], MANY);
    let path = format!("/api/dead-letters/jobs/{}", job["id"].as_str().unwrap());
    let half = eventually("a part has begun", async || {
        world.clock.advance(Duration::from_secs(1));
        let job = world.app.http.get(&path).await.expect(200).json();
        job["done"].as_u64().filter(|done| *done > 0)
    })
    .await;
    assert!(half < MANY as u64, "it is interrupted before its end: {half}");
    world.app.restart().await;
    let job = eventually("the rest has begun", async || {
        world.clock.advance(Duration::from_secs(1));
        let job = world.app.http.get(&path).await.expect(200).json();
        (job["status"] == "completed").then_some(job)
    })
    .await;
    assert_eq!(job["done"], MANY);
    eventually("every letter is resolved", async || {
        world.clock.advance(Duration::from_secs(1));
        (world.list("limit=500&status=resolved").await.len() == MANY).then_some(())
    })
    .await;
    assert!(world.list("limit=500").await.iter().all(|letter| letter["retries"] == 1));
    assert_eq!(world.retry_events().await.len(), MANY, "each is retried once");
    let keys: HashSet<String> =
        world.receiver.received().iter().map(|r| r.header("idempotency-key").to_owned()).collect();
    assert_eq!((world.receiver.received().len(), keys.len()), (2 * MANY, MANY));
    world.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_retry_goes_on_after_a_restart_and_retries_each_letter_once() {
    retried_in_bulk(Database::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_retry_goes_on_after_a_restart_and_retries_each_letter_once_on_postgres() {
    retried_in_bulk(Database::Postgres).await;
}

/// Runs the command line and answers what it prints.
async fn cli(world: &World, args: &[&str]) -> (Option<i32>, String) {
    let output = crate::process::omni()
        .args(["--server", &world.app.url, "dead-letter"])
        .args(args)
        .output()
        .await
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_lists_retries_resolves_and_abandons_dead_letters() {
    let world = World::start(Database::Embedded).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.fail().await["id"].as_str().unwrap().to_owned());
    }
    let done = async |args: &[&str], part: &str| {
        let (code, told) = cli(&world, args).await;
        assert!(code == Some(0) && told.contains(part), "{args:?}: {told}");
        assert!(args[0] == "get" || !told.contains("4711-secret"), "{told}");
    };
    done(&["list", "--status", "pending", "--type", "custom.>"], &ids[4]).await;
    done(&["get", &ids[0]], "4711-secret").await;
    done(&["resolve", &ids[0], "--note", "paid"], "is resolved").await;
    done(&["abandon", &ids[1]], "is abandoned").await;
    done(&["retry", &ids[2]], "is retrying").await;
    let (code, told) = cli(&world, &["retry", &ids[1]]).await;
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("was abandoned by api"), "{told}");
    let (code, told) = cli(&world, &["retry"]).await;
    assert_eq!(code, Some(2), "{told}");

    let clock = world.clock.clone();
    let time = tokio::spawn(async move {
        loop {
            clock.advance(Duration::from_secs(1));
            SystemClock::new().sleep(Duration::from_millis(20)).await;
        }
    });
    done(&["retry", "--all", "--type", "custom.order"], "2 retries begun").await;
    for id in &ids[2..] {
        eventually("the retry succeeds", async || {
            (world.get(&json!(id)).await["status"] == "resolved").then_some(())
        })
        .await;
    }
    time.abort();
    world.app.finish().await;
}
