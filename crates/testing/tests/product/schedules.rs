//! Schedules as a user meets them: made, read in words, fired by the clock, by hand and after the fact.

use std::{sync::Arc, time::Duration};

use http::Method;
use omni_clock::ManualClock;
use omni_testing::{Database, Reply, TestApp, eventually, on_both};
use serde_json::{Value, json};

use crate::process::{Process, omni};

/// 2026-03-27T12:00:00Z, a Friday; on Sunday the clocks of Berlin go forward.
const FRIDAY: i64 = 1_774_612_800;
const HOUR: Duration = Duration::from_hours(1);

/// A server on a clock of the test's own.
struct World {
    app: TestApp,
    clock: ManualClock,
}

impl World {
    async fn start(database: Database) -> Self {
        let clock = ManualClock::at_unix(FRIDAY);
        let app = TestApp::start_on(database, Arc::new(clock.clone())).await;
        Self { app, clock }
    }

    async fn create(&self, definition: &Value) -> Value {
        self.app.http.post("/api/schedules", definition).await.expect(201).json()
    }

    async fn get(&self, path: &str) -> Value {
        self.app.http.get(&format!("/api/schedules/{path}")).await.expect(200).json()
    }

    async fn post(&self, path: &str) -> Value {
        let path = format!("/api/schedules/{path}");
        let reply = self.app.http.send(Method::POST, &path, &[], "").await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text());
        reply.json()
    }

    async fn backfill(&self, name: &str, body: &Value) -> Reply {
        self.app.http.post(&format!("/api/schedules/{name}/backfill"), body).await
    }

    async fn fires(&self, name: &str, status: &str) -> Vec<Value> {
        let path = format!("{name}/fires?limit=500{status}");
        self.get(&path).await["items"].as_array().unwrap().clone()
    }

    /// Lets time pass in small steps until so many fires have this status, and answers them, oldest first.
    async fn until_fired(&self, name: &str, count: usize) -> Vec<Value> {
        let mut fires = eventually("the fires are there", async || {
            let fires = self.fires(name, "&status=fired").await;
            if fires.len() < count {
                self.clock.advance(Duration::from_millis(200));
            }
            (fires.len() >= count).then_some(fires)
        })
        .await;
        assert_eq!(fires.len(), count, "{fires:?}");
        fires.reverse();
        fires
    }

    async fn event(&self, fire: &Value) -> Value {
        let path = format!("/api/events/{}", fire["eventId"].as_str().unwrap());
        self.app.http.get(&path).await.expect(200).json()
    }
}

fn report() -> Value {
    json!({
        "name": "daily-report", "schedule": "0 9 * * *", "timezone": "Europe/Berlin",
        "payload": { "report": "sales", "for": "{{ fire.local }}" },
    })
}

fn nominal(fires: &[Value]) -> Vec<&str> {
    fires.iter().map(|fire| fire["nominal"].as_str().unwrap()).collect()
}

async fn fires_in_its_zone(database: Database) {
    let world = World::start(database).await;
    world
        .app
        .add_automation(&json!({
            "name": "send", "triggerEventType": "custom.cron.daily-report", "actions": [
                { "type": "log", "config": { "message": "{{ payload.report }} for {{ payload.for }}" } }
            ] }))
        .await;
    let created = world.create(&report()).await;
    let told = created["describes"].as_str().unwrap();
    assert!(told.contains("9:00") && told.contains("Europe/Berlin"), "{told}");
    assert_eq!(created["nextRun"], "2026-03-28T08:00:00.000Z", "{created}");
    let next = world.get("daily-report/next?count=5").await;
    let locals: Vec<&str> =
        next["items"].as_array().unwrap().iter().map(|i| i["local"].as_str().unwrap()).collect();
    assert_eq!(
        locals,
        [
            "2026-03-28T09:00:00+01:00[Europe/Berlin]",
            "2026-03-29T09:00:00+02:00[Europe/Berlin]",
            "2026-03-30T09:00:00+02:00[Europe/Berlin]",
            "2026-03-31T09:00:00+02:00[Europe/Berlin]",
            "2026-04-01T09:00:00+02:00[Europe/Berlin]",
        ]
    );
    assert_eq!(next["items"][1]["time"], "2026-03-29T07:00:00.000Z");

    world.clock.advance(20 * HOUR);
    world.until_fired("daily-report", 1).await;
    world.clock.advance(23 * HOUR);
    let fires = world.until_fired("daily-report", 2).await;
    assert_eq!(nominal(&fires), ["2026-03-28T08:00:00.000Z", "2026-03-29T07:00:00.000Z"]);
    assert_eq!((&fires[0]["reason"], &fires[0]["number"]), (&json!("regular"), &json!(1)));
    let event = world.event(&fires[1]).await;
    assert_eq!(event["type"], "custom.cron.daily-report");
    assert_eq!(event["source"], "schedule:daily-report");
    assert_eq!(event["time"], "2026-03-29T07:00:00.000Z");
    assert_eq!(event["payload"]["report"], "sales");
    assert_eq!(event["payload"]["for"], "2026-03-29T09:00:00+02:00[Europe/Berlin]");
    let told = &event["payload"]["schedule"];
    assert_eq!(told["name"], "daily-report", "{event}");
    assert_eq!(told["nominal"], "2026-03-29T07:00:00.000Z", "{event}");
    assert!(told["actual"].as_str().unwrap() >= "2026-03-29T07:00:00", "{event}");
    assert_eq!((&told["number"], &told["reason"]), (&json!(2), &json!("regular")), "{event}");
    assert!(!event["metadata"]["correlationId"].as_str().unwrap().is_empty(), "{event}");
    let executions = world.app.executions(fires[1]["eventId"].as_str().unwrap()).await;
    assert_eq!(executions.len(), 1, "{executions:?}");
    let logged = &executions[0]["actionsExecuted"][0]["result"]["logged"];
    assert_eq!(logged, "sales for 2026-03-29T09:00:00+02:00[Europe/Berlin]");
    let now = world.get("daily-report").await;
    assert_eq!((&now["fired"], &now["missed"]), (&json!(2), &json!(0)), "{now}");
    assert_eq!(now["nextRun"], "2026-03-30T07:00:00.000Z", "{now}");
    assert!(now["lastRun"].is_string() && now["overdue"] == false, "{now}");
    world.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_fires_in_its_zone_and_its_event_is_acted_on() {
    on_both(fires_in_its_zone).await;
}

/// The local times of a preview from a time on, without the zone, `2026-03-29T` left out.
async fn times_of(app: &TestApp, definition: &Value, (day, count): (&str, usize)) -> Vec<String> {
    let mut definition = definition.clone();
    definition["name"] = json!("shown");
    definition["timezone"] = json!("Europe/Berlin");
    if definition["kind"] != "once" {
        definition["start"] = json!(format!("{day}T00:00"));
        definition["end"] = json!(format!("{day}T23:59:59"));
    }
    let path = format!("/api/schedules/preview?count={count}");
    let told = app.http.post(&path, &definition).await.expect(200).json();
    let time = |instant: &Value| {
        let local = instant["local"].as_str().unwrap().trim_end_matches("[Europe/Berlin]");
        local.strip_prefix(day).unwrap().trim_start_matches('T').to_owned()
    };
    told["next"].as_array().unwrap().iter().map(time).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_fires_by_the_rules_of_the_docs() {
    let world = World::start(Database::Embedded).await;
    let cron = |expression: &str| json!({ "schedule": expression });
    let once = |day: &str| json!({ "kind": "once", "at": format!("{day}T02:30") });
    let every = json!({ "kind": "interval", "intervalMs": 21_600_000 });
    let (spring, autumn) = ("2026-03-29", "2026-10-25");
    // What the table in docs/schedules.md says.
    let table: [(Value, &[&str], &[&str]); 7] = [
        (cron("30 2 * * *"), &["03:00:00+02:00"], &["02:30:00+02:00"]),
        (cron("0,30 2 * * *"), &["03:00:00+02:00"], &["02:00:00+02:00", "02:30:00+02:00"]),
        (cron("0 2,3 * * *"), &["03:00:00+02:00"], &["02:00:00+02:00", "03:00:00+01:00"]),
        (cron("0 9 * * *"), &["09:00:00+02:00"], &["09:00:00+01:00"]),
        (
            cron("30 1-3 * * *"),
            &["01:30:00+01:00", "03:30:00+02:00"],
            &["01:30:00+02:00", "02:30:00+02:00", "02:30:00+01:00", "03:30:00+01:00"],
        ),
        (
            every.clone(),
            &["01:00:00+01:00", "08:00:00+02:00", "14:00:00+02:00", "20:00:00+02:00"],
            &["02:00:00+02:00", "07:00:00+01:00", "13:00:00+01:00", "19:00:00+01:00"],
        ),
        (cron("30 * * * *"), &[], &[]),
    ];
    for (definition, in_spring, in_autumn) in table {
        let told = times_of(&world.app, &definition, (spring, 100)).await;
        let then = times_of(&world.app, &definition, (autumn, 100)).await;
        if definition["schedule"] == "30 * * * *" {
            assert_eq!((told.len(), then.len()), (23, 25), "an hour is an hour");
            assert_eq!(told[1..3], ["01:30:00+01:00", "03:30:00+02:00"]);
            assert_eq!(then[2..4], ["02:30:00+02:00", "02:30:00+01:00"]);
        } else {
            assert_eq!((told, then), (to_owned(in_spring), to_owned(in_autumn)), "{definition}");
        }
    }
    assert_eq!(times_of(&world.app, &once(spring), (spring, 5)).await, ["03:00:00+02:00"]);
    assert_eq!(times_of(&world.app, &once(autumn), (autumn, 5)).await, ["02:30:00+02:00"]);

    // And they do fire: every six hours, and once.
    let mut every = every;
    every["name"] = json!("every");
    world.create(&every).await;
    world.create(&json!({ "name": "once", "kind": "once", "at": "2026-03-27T18:30:00Z" })).await;
    world.clock.advance(6 * HOUR);
    assert_eq!(nominal(&world.until_fired("every", 1).await), ["2026-03-27T18:00:00.000Z"]);
    world.clock.advance(6 * HOUR);
    let twice = world.until_fired("every", 2).await;
    assert_eq!(twice[1]["nominal"], "2026-03-28T00:00:00.000Z");
    let once = world.until_fired("once", 1).await;
    assert_eq!(nominal(&once), ["2026-03-27T18:30:00.000Z"]);
    assert_eq!(world.get("once").await["nextRun"], Value::Null);
    world.app.finish().await;
}

fn to_owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

async fn catches_up(database: Database) {
    let mut world = World::start(database).await;
    for (name, catchup) in [("every", "all"), ("newest", "last"), ("never", "none")] {
        let definition = json!({ "name": name, "schedule": "0 * * * *", "catchup": catchup });
        world.create(&definition).await;
        let off = world.post(&format!("{name}/disable")).await;
        assert_eq!(off["nextRun"], Value::Null, "{off}");
    }
    world.clock.advance(3 * HOUR + HOUR / 2);
    for name in ["every", "newest", "never"] {
        assert!(world.fires(name, "").await.is_empty(), "{name} is off");
        world.post(&format!("{name}/enable")).await;
    }
    let all = world.until_fired("every", 3).await;
    let hours =
        ["2026-03-27T13:00:00.000Z", "2026-03-27T14:00:00.000Z", "2026-03-27T15:00:00.000Z"];
    assert_eq!(nominal(&all), hours);
    assert!(all.iter().all(|fire| fire["reason"] == "catchup"), "{all:?}");
    assert_eq!(nominal(&world.until_fired("newest", 1).await), [hours[2]]);
    eventually("what is not made up for is counted", async || {
        world.clock.advance(Duration::from_millis(200));
        let never = world.get("never").await;
        (never["missed"] == 3).then_some(())
    })
    .await;
    assert_eq!(world.get("newest").await["missed"], 2);
    assert_eq!(world.get("never").await["fired"], 0);

    // The same policy holds for the time in which no server was there.
    world.app.settled().await;
    world.clock.jump(chrono::TimeDelta::hours(2));
    world.app.restart().await;
    world.until_fired("every", 5).await;
    assert_eq!(world.until_fired("newest", 2).await.len(), 2);
    world.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_while_it_was_off_is_caught_up_as_it_says() {
    on_both(catches_up).await;
}

async fn by_hand(database: Database) {
    let world = World::start(database).await;
    world
        .create(&json!({ "name": "nightly", "schedule": "0 0 * * *", "payload": { "n": 1 } }))
        .await;
    let fire = world.post("nightly/trigger?triggeredBy=console:ann").await;
    assert_eq!((&fire["reason"], &fire["number"]), (&json!("manual"), &Value::Null), "{fire}");
    let by_hand = world.until_fired("nightly", 1).await;
    let event = world.event(&by_hand[0]).await;
    assert_eq!(event["metadata"]["triggeredBy"], "console:ann", "{event}");
    assert_eq!(event["payload"]["schedule"]["reason"], "manual", "{event}");
    assert_eq!(world.get("nightly").await["nextRun"], "2026-03-28T00:00:00.000Z");

    let range = |dry| json!({ "from": "2026-03-24T00:00:00Z", "to": "2026-03-27T00:00:00Z", "dryRun": dry });
    let days = ["2026-03-25T00:00:00.000Z", "2026-03-26T00:00:00.000Z", "2026-03-27T00:00:00.000Z"];
    let plan = world.backfill("nightly", &range(true)).await.expect(200).json();
    let planned: Vec<&str> =
        plan["instants"].as_array().unwrap().iter().map(|i| i["time"].as_str().unwrap()).collect();
    assert_eq!(planned, days, "the start is not part of it, the end is: {plan}");
    assert_eq!(world.fires("nightly", "").await.len(), 1, "a dry run does nothing");
    let done = world.backfill("nightly", &range(false)).await.expect(200).json();
    assert_eq!(done["count"], 3, "{done}");
    let mut fires = world.until_fired("nightly", 4).await;
    fires.retain(|fire| fire["reason"] == "backfill");
    fires.sort_by_key(|fire| fire["nominal"].as_str().unwrap().to_owned());
    assert_eq!(nominal(&fires), days);
    assert_eq!(world.event(&fires[0]).await["time"], days[0]);
    let again = world.backfill("nightly", &range(false)).await.expect(200).json();
    assert_eq!((&again["count"], &again["present"]), (&json!(0), &json!(3)), "{again}");

    // What waits can be taken back: jitter of an hour keeps fires waiting.
    world
        .create(&json!({ "name": "slow", "kind": "interval", "intervalMs": 60_000,
                         "jitterMs": 30_000_000, "catchup": "all" }))
        .await;
    let waiting = eventually("fires wait for their jitter", async || {
        world.clock.advance(Duration::from_mins(1));
        let waiting = world.fires("slow", "&status=pending").await;
        (waiting.len() >= 3).then_some(waiting)
    })
    .await;
    world.post("slow/disable").await;
    let purged = world.post("slow/purge").await["cancelled"].as_u64().unwrap();
    assert!(purged >= 3, "{purged} of {}", waiting.len());
    // One that was being recorded is not taken back.
    eventually("nothing waits any more", async || {
        world.fires("slow", "&status=pending").await.is_empty().then_some(())
    })
    .await;
    assert_eq!(world.fires("slow", "&status=cancelled").await.len() as u64, purged);
    world.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_fired_by_hand_filled_in_and_purged() {
    on_both(by_hand).await;
}

async fn two_organisations(database: Database) {
    let world = World::start(database).await;
    let acme = [
        ("x-omni-org".to_owned(), "acme".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let send = async |method: Method, path: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        world.app.http.send(method, path, &acme, body).await
    };
    world.create(&json!({ "name": "tick", "schedule": "0 * * * *", "payload": "ours" })).await;
    let path = "/api/schedules/tick";
    send(Method::GET, path, &Value::Null).await.expect(404);
    send(Method::POST, &format!("{path}/trigger"), &Value::Null).await.expect(404);
    let theirs = json!({ "name": "tick", "schedule": "0 * * * *", "payload": "theirs" });
    send(Method::POST, "/api/schedules", &theirs).await.expect(201);
    world.clock.advance(HOUR);
    let ours = world.until_fired("tick", 1).await;
    let fires = format!("{path}/fires?status=fired");
    let theirs = eventually("theirs fires, too", async || {
        let fires = send(Method::GET, &fires, &Value::Null).await.expect(200).json();
        world.clock.advance(Duration::from_millis(200));
        let fires = fires["items"].as_array().unwrap().clone();
        (fires.len() == 1).then_some(fires)
    })
    .await;
    assert_ne!(ours[0]["eventId"], theirs[0]["eventId"]);
    let event = format!("/api/events/{}", theirs[0]["eventId"].as_str().unwrap());
    world.app.http.get(&event).await.expect(404);
    let event = send(Method::GET, &event, &Value::Null).await.expect(200).json();
    assert_eq!(event["payload"], "theirs", "{event}");
    assert_eq!(event["metadata"]["org"], "acme", "{event}");
    send(Method::DELETE, path, &Value::Null).await.expect(204);
    assert_eq!(world.get("tick").await["payload"], "ours");
    world.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedules_of_one_name_in_two_organisations_do_not_meet() {
    on_both(two_organisations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story, told in the order in which a user meets it")]
async fn the_command_line_makes_shows_and_fires_schedules() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(dir.path()).await;
    let run = async |args: &[&str]| {
        let mut command = omni();
        command.env("USER", "ann").args(["--server", &process.url]).args(args);
        let output = command.output().await.unwrap();
        let code = output.status.code().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (code, text(output.stdout), text(output.stderr))
    };
    let ok = async |args: &[&str]| {
        let (code, out, error) = run(args).await;
        assert_eq!(code, 0, "{args:?}: {out}{error}");
        out
    };
    let created = ok(&[
        "schedule",
        "create",
        "daily-report",
        "--cron",
        "0 9 * * 1-5",
        "--timezone",
        "Europe/Berlin",
        "--type",
        "custom.cron.daily-report",
        "--payload",
        r#"{"report":"sales"}"#,
    ])
    .await;
    let lines: Vec<&str> = created.lines().collect();
    assert_eq!(lines[0], "schedule/daily-report created");
    assert!(lines[1].contains("Europe/Berlin"), "{created}");
    assert_eq!(lines.len(), 7, "five times: {created}");
    assert!(lines[2..].iter().all(|line| line.contains("T09:00:00+0")), "{created}");
    ok(&["schedule", "create", "pulse", "--every", "15m", "--jitter", "30s", "--disabled"]).await;
    ok(&["schedule", "create", "party", "--at", "+1d", "--overlap", "skip"]).await;
    let list = ok(&["schedule", "list"]).await;
    let words: Vec<&str> =
        list.lines().filter_map(|line| line.split_whitespace().next_back()).collect();
    assert_eq!(words, ["STATUS", "on", "on", "disabled"], "{list}");

    let fired = ok(&["schedule", "trigger", "daily-report"]).await;
    let event = fired.split("event ").nth(1).unwrap().split_whitespace().next().unwrap();
    let event = eventually("the event is there", async || {
        let (code, out, _) = run(&["event", "get", event, "-o", "json"]).await;
        (code == 0).then_some(out)
    })
    .await;
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(event["metadata"]["triggeredBy"], "cli:ann", "{event}");
    assert_eq!(event["payload"]["report"], "sales", "{event}");
    assert!(ok(&["schedule", "fires", "daily-report"]).await.contains("manual"));

    let range = ["--from", "-7d", "--to", "-1d"];
    let (code, _, told) =
        run(&[&["schedule", "backfill", "daily-report"], &range[..]].concat()).await;
    assert!(code == 2 && told.contains("--dry-run"), "neither asked nor done: {told}");
    let dry =
        ok(&[&["schedule", "backfill", "daily-report", "--dry-run"], &range[..]].concat()).await;
    assert!(dry.contains("nothing was done"), "{dry}");
    let really = ["schedule", "backfill", "daily-report", "--yes", "--watch"];
    let done = ok(&[&really[..], &range[..]].concat()).await;
    assert!(done.contains("times fire now"));
    let left =
        ok(&["schedule", "fires", "daily-report", "--status", "pending", "-o", "json"]).await;
    assert!(left.contains(r#""items":[]"#), "{left}");

    ok(&["schedule", "update", "pulse", "--every", "1h"]).await;
    let pulse: Value =
        serde_json::from_str(&ok(&["schedule", "get", "pulse", "-o", "json"]).await).unwrap();
    assert_eq!((&pulse["intervalMs"], &pulse["jitterMs"]), (&json!(3_600_000), &json!(30_000)));
    assert_eq!(pulse["enabled"], false);
    assert!(ok(&["schedule", "enable", "pulse"]).await.contains("; next: "));
    assert_eq!(ok(&["schedule", "next", "pulse", "--count", "3"]).await.lines().count(), 3);
    let preview = ok(&["schedule", "preview", "--cron", "*/5 * * * *", "--count", "2"]).await;
    assert!(preview.ends_with("nothing was saved\n"), "{preview}");
    assert_eq!(preview.lines().count(), 4, "{preview}");

    let (code, _, told) = run(&["schedule", "create", "bad", "--cron", "0 0 30 2 *"]).await;
    assert!(code == 4 && told.contains("/schedule: "), "{told}");
    let (code, _, told) = run(&["schedule", "create", "bad", "--every", "soon"]).await;
    assert!(code == 2 && told.contains("write 500ms, 30s"), "{told}");
    let (code, _, told) = run(&["schedule", "create", "bad"]).await;
    assert!(code == 2 && told.contains("--cron"), "{told}");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/schedule.yaml");
    let applied = ok(&["apply", "-f", file]).await;
    assert_eq!(applied, "schedule/daily-report updated\nautomation/daily-report created\n");
    let applied = ok(&["apply", "-f", file]).await;
    assert_eq!(applied, "schedule/daily-report unchanged\nautomation/daily-report unchanged\n");
    assert!(ok(&["schedule", "delete", "party"]).await.contains("deleted"));
    assert_eq!(run(&["schedule", "get", "party"]).await.0, 3);
}
