//! The story of a new user with the program: register a type, break it, read what breaks and for whom, mend it, see the
//! version; learn a schema from traffic; take types to another place.

use http::Method;
use omni_testing::{Http, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, omni};

const ORDER: &str = "\
kind: EventType
name: custom.order.paid
spec:
  description: An order was paid
  schema:
    type: object
    required: [id, total]
    properties:
      id: { type: string }
      total: { type: number }
      from:
        type: object
        properties:
          tags: { type: array, items: { type: string } }
";

const RULE: &str = "\
kind: Automation
name: vip-fast
spec:
  triggerEventType: custom.order.paid
  triggerConditions:
    - { field: payload.from.tags, operator: contains, value: vip }
  actions:
    - type: emit_event
      config: { eventType: custom.order.vip, payload: { order: '{{ payload.id }}' } }
";

/// A server, and a folder for the files of the user.
struct Desk {
    server: Process,
    http: Http,
    dir: TempDir,
}

/// How a command ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Desk {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let server = Process::start(&dir.path().join("data")).await;
        let http = Http::new(&server.url);
        Self { server, http, dir }
    }

    /// Writes a file of the user and answers its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        let output = omni().args(["--server", &self.server.url]).args(arguments).output().await;
        let output = output.unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The output of a command that must end well.
    async fn ok(&self, arguments: &[&str]) -> String {
        let Ended { code, stdout, stderr } = self.run(arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {stdout}{stderr}");
        stdout
    }

    /// The error of a command that must end with this code.
    async fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, code, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
        ended.stderr
    }

    /// Sends an event that must be taken, and answers its id.
    async fn event(&self, event_type: &str, payload: &Value) -> String {
        let payload = payload.to_string();
        let create = ["event", "create", "--type", event_type, "--payload", &payload, "-o", "json"];
        let created: Value = serde_json::from_str(&self.ok(&create).await).unwrap();
        created["eventId"].as_str().unwrap().to_owned()
    }

    /// What the automations did with an event, once it is done.
    async fn execution(&self, event: &str) -> Value {
        let path = format!("/api/events/{event}/executions");
        eventually("the event was handled", async || {
            let list = self.http.get(&path).await.expect(200).json();
            list["items"].as_array()?.first().cloned()
        })
        .await
    }
}

fn all_in(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

/// The order with these properties instead of its own, as a schema in JSON.
fn order(required: &[&str], properties: &Value) -> String {
    json!({ "type": "object", "required": required, "properties": properties }).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_user_registers_breaks_reads_why_mends_and_sees_the_version() {
    let desk = Desk::new().await;
    let (first, rule) = (desk.file("order.yaml", ORDER), desk.file("rule.yaml", RULE));
    assert!(desk.ok(&["schema", "register", &first]).await.contains("version 1 created"));
    assert!(desk.ok(&["schema", "register", &first]).await.contains("version 1 unchanged"));
    assert!(desk.ok(&["apply", "-f", &first]).await.contains("unchanged"));
    desk.ok(&["apply", "-f", &rule]).await;
    let good = json!({ "id": "a", "total": 12.5, "from": { "tags": ["vip"] } });
    let event = desk.event("custom.order.paid", &good).await;

    // What does not fit is refused at the door, with the places.
    let bad = r#"{"id":7,"from":{"tags":"vip"}}"#;
    let create = ["event", "create", "--type", "custom.order.paid", "--payload", bad];
    let told = desk.refused(4, &create).await;
    all_in(&told, &["OM0009", "/payload/id: ", "/payload/from/tags: ", "\"total\""]);
    let body = json!({ "eventType": "custom.order.paid", "payload": { "id": 7, "total": 1 } });
    let problem = desk.http.post("/api/events/trigger", &body).await.expect(422).json();
    assert_eq!(problem["errors"][0]["pointer"], "/payload/id", "{problem}");

    // It breaks: told in one place is what, by which example, in which stored event, and for whom.
    let currency = json!({ "type": "string" });
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "number" }));
    let properties = json!({ "id": text, "total": { "type": "integer" }, "currency": currency });
    let breaking = desk.file("breaking.json", &order(&["id", "total", "currency"], &properties));
    let parts = [
        "not compatible: custom.order.paid would break 2 things that FULL (lenient policy)",
        "against version 1",
        "/properties/currency required.added",
        "/properties/total/type type.narrowed",
        r#"fitted before, no longer does: {"id":"a","total":0.5}"#,
        "stored events: 1 of 1 do not fit",
        &event,
        "/total: ",
        "automation vip-fast reads payload.from.tags, which is gone",
    ];
    let checked = desk.run(&["schema", "check", "custom.order.paid", &breaking]).await;
    assert_eq!((checked.code, checked.stderr.as_str()), (1, ""), "{}", checked.stdout);
    all_in(&checked.stdout, &parts);
    let register = ["schema", "register", &breaking, "--type", "custom.order.paid"];
    let told = desk.refused(4, &register).await;
    all_in(&told, &parts);
    all_in(&told, &["next: ", "omni schema check custom.order.paid FILE", "FORWARD"]);
    let json = desk.run(&[&register[..], &["-o", "json"]].concat()).await;
    let problem: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &problem["code"]), (4, &json!("OM0019")));
    assert_eq!(problem["evidence"]["failing"], 1);
    let applied = ORDER.replace("total: { type: number }", "total: { type: string }");
    let told = desk.refused(4, &["apply", "-f", &desk.file("applied.yaml", &applied)]).await;
    all_in(&told, &["(event-type/custom.order.paid)", "type.changed"]);

    // Mended, it is let through, and the version is there.
    let tags =
        json!({ "type": "object", "properties": { "tags": { "type": "array", "items": text } } });
    let properties = json!({ "id": text, "total": number, "currency": currency, "from": tags });
    let mended = desk.file("mended.json", &order(&["id", "total"], &properties));
    let told = desk.ok(&["schema", "check", "custom.order.paid", &mended]).await;
    all_in(&told, &["compatible", "stored events: 0 of 1 do not fit"]);
    let told = desk.ok(&["schema", "register", &mended, "--type", "custom.order.paid"]).await;
    assert!(told.contains("custom.order.paid version 2 is new"), "{told}");
    let versions = desk.ok(&["schema", "versions", "custom.order.paid"]).await;
    assert_eq!(versions.lines().count(), 3, "{versions}");
    assert!(desk.ok(&["schema", "list", "--namespace", "custom"]).await.contains("An order was"));
    let told = desk.ok(&["schema", "diff", "custom.order.paid"]).await;
    all_in(&told, &["--- version 1", "+++ version 2", "+    \"currency\"", "compatible in both"]);
    let told = desk.ok(&["schema", "diff", "custom.order.paid", &breaking]).await;
    all_in(&told, &["--- version 2", "-    \"from\"", "required.added"]);
    let old = desk.ok(&["schema", "get", "custom.order.paid", "--version", "1", "--schema"]).await;
    assert!(!old.contains("currency") && old.contains("total"), "{old}");

    // While an automation waits for it, it cannot be deleted.
    let told = desk.refused(4, &["schema", "delete", "custom.order.paid"]).await;
    all_in(&told, &["automation vip-fast", "next: "]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_automation_cannot_emit_what_does_not_fit() {
    let desk = Desk::new().await;
    let vip = json!({ "type": "object", "properties": { "order": { "type": "integer" } } });
    let vip = desk.file("vip.json", &vip.to_string());
    desk.ok(&["schema", "register", &vip, "--type", "custom.order.vip"]).await;
    desk.ok(&["apply", "-f", &desk.file("rule.yaml", RULE)]).await;
    let order = json!({ "id": "a", "from": { "tags": ["vip"] } });
    let event = desk.event("custom.order.paid", &order).await;
    let execution = desk.execution(&event).await;
    assert_eq!(execution["status"], "failed", "{execution}");
    let error = execution["error"].as_str().unwrap();
    all_in(error, &["custom.order.vip version 1", "/order: ", "integer"]);
    let emitted = desk.http.get("/api/events?type=custom.order.vip").await.expect(200).json();
    assert_eq!(emitted["items"], json!([]));

    // Whoever only wants to be warned says so, and the same event goes through.
    desk.ok(&["schema", "config", "custom.order.vip", "--validation", "warn"]).await;
    let event = desk.event("custom.order.paid", &order).await;
    assert_eq!(desk.execution(&event).await["status"], "success");
    let metrics = desk.http.get("/metrics").await.expect(200).text();
    assert!(metrics.contains("\nomni_registry_warned_total 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modes_are_of_a_type_or_of_the_organisation_and_deletion_has_two_steps() {
    let desk = Desk::new().await;
    let name = "custom.note";
    let with = |kind: &str| json!({ "type": "object", "properties": { "n": { "type": kind } } });
    let number = desk.file("number.json", &with("number").to_string());
    let integer = desk.file("integer.json", &with("integer").to_string());
    let register = async |file: &str, more: &[&str]| {
        let line = [&["schema", "register", file, "--type", name][..], more].concat();
        desk.run(&line).await
    };
    assert_eq!(register(&integer, &[]).await.code, 0);
    // Old events fit the wider version; whoever knows only the old one does not read the new ones.
    let told = register(&number, &[]).await;
    assert_eq!(told.code, 4, "{}", told.stdout);
    all_in(
        &told.stderr,
        &["type.widened", "fits now, did not before:", "--compatibility BACKWARD"],
    );
    desk.ok(&["schema", "settings", "--compatibility", "backward"]).await;
    let settings = desk.ok(&["schema", "settings"]).await;
    all_in(&settings, &["BACKWARD", "lenient"]);
    let told = register(&number, &[]).await;
    assert_eq!(told.code, 0, "{}", told.stderr);
    all_in(&told.stdout, &["version 2 is new", "(let through by BACKWARD)"]);
    assert_eq!(register(&integer, &[]).await.code, 4);
    assert_eq!(register(&integer, &["--compatibility", "none"]).await.code, 0);
    assert!(desk.ok(&["schema", "get", name]).await.contains("NONE"));
    let inherit = ["schema", "config", name, "--compatibility", "inherit", "--policy", "Inherit"];
    let told = desk.ok(&inherit).await;
    assert!(!told.contains("NONE"), "{told}");
    assert_eq!(register(&number, &["--compatibility", "forward"]).await.code, 4);
    desk.ok(&["schema", "config", name, "--description", "A note"]).await;
    assert!(desk.ok(&["schema", "get", name]).await.contains("A note"));
    desk.ok(&["schema", "config", name, "--description", ""]).await;
    assert!(!desk.ok(&["schema", "get", name]).await.contains("A note"));
    let older = desk.ok(&["schema", "versions", name, "--before", "3"]).await;
    assert_eq!(older.lines().count(), 3, "{older}");

    let told = desk.refused(4, &["schema", "delete", name, "--permanent"]).await;
    assert!(told.contains("delete it first"), "{told}");
    desk.ok(&["schema", "delete", name]).await;
    desk.refused(3, &["schema", "get", name]).await;
    assert!(desk.ok(&["schema", "versions", name]).await.contains('3'));
    assert!(register(&number, &[]).await.stdout.contains("version 4 created"));
    desk.ok(&["schema", "delete", name]).await;
    desk.ok(&["schema", "delete", name, "--permanent"]).await;
    desk.refused(3, &["schema", "versions", name]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_is_learned_from_traffic_and_types_go_to_another_place() {
    let desk = Desk::new().await;
    let told = desk.refused(3, &["schema", "infer", "custom.sensor.read"]).await;
    assert!(told.contains("no stored event"), "{told}");
    for n in 0..5 {
        let payload = json!({ "room": format!("r{n}"), "celsius": 20.5 + f64::from(n) });
        desk.event("custom.sensor.read", &payload).await;
    }
    let inferred = desk.run(&["schema", "infer", "custom.sensor.read"]).await;
    let schema: Value = serde_json::from_str(&inferred.stdout).unwrap();
    assert_eq!(schema["required"], json!(["celsius", "room"]), "{}", inferred.stdout);
    assert_eq!(schema["properties"]["celsius"]["type"], "number");
    all_in(&inferred.stderr, &["from 5 stored events", "/room is required: in all 5 documents"]);
    let told = desk.ok(&["schema", "infer", "custom.sensor.read", "--register"]).await;
    assert!(told.contains("custom.sensor.read version 1 created"), "{told}");
    let create = ["event", "create", "--type", "custom.sensor.read", "--payload", "{\"room\":1}"];
    desk.refused(4, &create).await;

    desk.ok(&["schema", "register", &desk.file("order.yaml", ORDER)]).await;
    let get = ["schema", "get", "custom.order.paid", "--schema"];
    let here = desk.ok(&get).await;
    for (format, org) in [("openapi", "one"), ("asyncapi", "two")] {
        let export = ["schema", "export", "--format", format, "--namespace", "custom"];
        let json = desk.file(&format!("{format}.json"), &desk.ok(&export).await);
        let yaml = desk.ok(&[&export[..], &["--yaml"]].concat()).await;
        let yaml = desk.file(&format!("{format}.yaml"), &yaml);
        let plan = desk.ok(&["schema", "import", &json, "--dry-run"]).await;
        assert_eq!(plan.matches("unchanged").count(), 2, "{plan}");
        desk.ok(&["schema", "import", &yaml, "--org", org, "--dry-run"]).await;
        desk.refused(3, &[&get[..], &["--org", org]].concat()).await;
        let told = desk.ok(&["schema", "import", &yaml, "--org", org]).await;
        assert_eq!(told.matches(" created").count(), 2, "{told}");
        assert_eq!(desk.ok(&[&get[..], &["--org", org]].concat()).await, here);
    }

    // What comes with the product is in the whole export, and is left out when that comes back.
    let whole = desk.ok(&["schema", "export", "--format", "openapi"]).await;
    let before = desk.ok(&["schema", "list"]).await;
    let told = desk.ok(&["schema", "import", &desk.file("whole.json", &whole)]).await;
    assert_eq!(told.matches("unchanged").count(), 2, "{told}");
    all_in(&told, &["message.received ", "left out", "comes with the product"]);
    assert_eq!(desk.ok(&["schema", "list"]).await, before);

    // One that is wrong does not keep the others back.
    let document = json!({
        "openapi": "3.1.0", "info": { "title": "t", "version": "1" },
        "webhooks": {
            "good": { "post": { "requestBody": { "content": { "application/json": { "schema": { "type": "object" } } } } } },
            "bad": { "post": { "requestBody": { "content": { "application/json": { "schema": { "$ref": "https://x.invalid/s" } } } } } },
        },
    });
    let mixed = desk.file("mixed.json", &document.to_string());
    let import = desk.run(&["schema", "import", &mixed, "--prefix", "custom.partner"]).await;
    assert_eq!(import.code, 4, "{}", import.stderr);
    all_in(&import.stdout, &["custom.partner.good", "created", "refused"]);
    desk.ok(&["schema", "get", "custom.partner.good"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_cannot_be_used_is_refused_with_its_place() {
    let desk = Desk::new().await;
    let remote = json!({ "properties": { "a": { "$ref": "https://x.invalid/s" } } });
    let told = desk.file("remote.json", &remote.to_string());
    let told = desk.refused(4, &["schema", "register", &told, "--type", "custom.a"]).await;
    assert!(told.contains("/schema/properties/a/$ref: "), "{told}");
    let schema = desk.file("all.json", "true");
    let told =
        desk.refused(4, &["schema", "register", &schema, "--type", "message.received"]).await;
    assert!(told.contains("custom."), "{told}");
    let told = desk.refused(2, &["schema", "register", &schema]).await;
    assert!(told.contains("--type TYPE"), "{told}");
    desk.refused(3, &["schema", "diff", "custom.a"]).await;
    desk.refused(2, &["schema", "config", "custom.a"]).await;
    // Nothing of all that has hurt the server.
    desk.http.send(Method::GET, "/readyz", &[], String::new()).await.expect(200);
}
