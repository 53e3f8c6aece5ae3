//! Schedules over both faces: the same documents, the same refusals.

use omni_proto::{
    BackfillScheduleRequest, CreateScheduleRequest, DeleteScheduleRequest, DisableScheduleRequest,
    EnableScheduleRequest, GetScheduleRequest, ListFiresRequest, ListSchedulesRequest,
    NextScheduleRequest, PreviewScheduleRequest, PurgeScheduleRequest, TriggerScheduleRequest,
    UpdateScheduleRequest, schedule_service_client::ScheduleServiceClient,
};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::Product;

fn hourly(name: &str) -> Value {
    json!({ "name": name, "schedule": "0 * * * *", "timezone": "Europe/Berlin", "catchup": "none" })
}

#[tokio::test]
async fn a_schedule_is_created_read_changed_and_deleted() {
    let product = Product::open().await;
    let created = product.post("/api/schedules", &hourly("report").to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.header("location"), "/api/schedules/report");
    assert_eq!(created.header("etag"), "\"1\"");
    let schedule = created.json();
    assert!(!schedule["describes"].as_str().unwrap().is_empty(), "{schedule}");
    assert!(schedule["nextRun"].is_string() && schedule["lastRun"].is_null(), "{schedule}");
    assert!(schedule["nextRunLocal"].as_str().unwrap().ends_with("[Europe/Berlin]"), "{schedule}");
    product.post("/api/schedules", &hourly("report").to_string()).await.problem(409, "OM0006");

    let path = "/api/schedules/report";
    let daily = json!({ "name": "report", "schedule": "0 9 * * *" }).to_string();
    let put =
        async |tag: &str, body: &str| product.json(("PUT", path), &[("if-match", tag)], body).await;
    put("\"7\"", &daily).await.problem(412, "OM0007");
    let updated = put("\"1\"", &daily).await;
    assert_eq!((updated.status.as_u16(), updated.header("etag")), (200, "\"2\""));
    assert_eq!(updated.json()["timezone"], "UTC");
    let renamed = put("\"2\"", &hourly("other").to_string()).await;
    assert_eq!(renamed.problem(400, "OM0002")["errors"][0]["pointer"], "/name");

    let off = product.post(&format!("{path}/disable"), "").await.json();
    assert_eq!((&off["enabled"], &off["nextRun"]), (&json!(false), &Value::Null), "{off}");
    let on = product.post(&format!("{path}/enable"), "").await.json();
    assert!(on["enabled"] == true && on["nextRun"].is_string(), "{on}");
    let etag = format!("\"{}\"", on["version"]);
    assert_eq!(product.get(path).await.header("etag"), etag);

    assert_eq!(product.json(("DELETE", path), &[], "").await.status, 204);
    for (method, path) in [
        ("GET", path.to_owned()),
        ("DELETE", path.to_owned()),
        ("GET", format!("{path}/next")),
        ("GET", format!("{path}/fires")),
        ("POST", format!("{path}/enable")),
        ("POST", format!("{path}/trigger")),
        ("POST", format!("{path}/purge")),
    ] {
        product.json((method, &path), &[], "").await.problem(404, "OM0003");
    }
}

#[tokio::test]
async fn what_can_never_be_is_refused_with_its_pointer() {
    let product = Product::open().await;
    for (wrong, pointer) in [
        (json!({ "name": "a", "schedule": "0 0 30 2 *" }), "/schedule"),
        (json!({ "name": "a", "schedule": "every day" }), "/schedule"),
        (json!({ "name": "a", "schedule": "0 9 * * *", "timezone": "Mars/Base" }), "/timezone"),
        (json!({ "name": "a", "schedule": "0 9 * * *", "overlap": "maybe" }), "/overlap"),
        (json!({ "name": "a", "schedule": "0 9 * * *", "cron": "0 9 * * *" }), "/cron"),
        (json!({ "name": "a", "kind": "interval", "intervalMs": 10 }), "/intervalMs"),
        (json!({ "name": "a", "kind": "once", "at": "soon" }), "/at"),
        (json!({ "name": "a b", "schedule": "0 9 * * *" }), "/name"),
        (json!({ "name": "a", "schedule": "0 9 * * *", "eventType": "order" }), "/eventType"),
    ] {
        for path in ["/api/schedules", "/api/schedules/preview"] {
            let told = product.post(path, &wrong.to_string()).await.problem(400, "OM0002");
            let pointers: Vec<&str> = told["errors"]
                .as_array()
                .unwrap()
                .iter()
                .map(|error| error["pointer"].as_str().unwrap())
                .collect();
            assert!(pointers.contains(&pointer), "{path} {wrong}: {told}");
        }
    }
    let reserved = product.post("/api/schedules", &hourly("preview").to_string()).await;
    assert_eq!(reserved.problem(400, "OM0002")["errors"][0]["pointer"], "/name");
    assert!(product.get("/api/schedules").await.json()["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_preview_tells_what_would_be_and_saves_nothing() {
    let product = Product::open().await;
    let path = "/api/schedules/preview?count=3";
    let told = product.post(path, &hourly("report").to_string()).await;
    assert_eq!(told.status, 200, "{}", told.text);
    let told = told.json();
    assert!(!told["describes"].as_str().unwrap().is_empty(), "{told}");
    let next = told["next"].as_array().unwrap();
    assert_eq!(next.len(), 3, "{told}");
    for instant in next {
        assert!(instant["time"].as_str().unwrap().ends_with(":00:00.000Z"), "{instant}");
        assert!(instant["local"].as_str().unwrap().ends_with("[Europe/Berlin]"), "{instant}");
    }
    assert!(product.get("/api/schedules").await.json()["items"].as_array().unwrap().is_empty());
    for wrong in ["0", "101", "-1", "many"] {
        let path = format!("/api/schedules/preview?count={wrong}");
        let told = product.post(&path, &hourly("report").to_string()).await;
        assert_eq!(told.problem(400, "OM0002")["errors"][0]["pointer"], "count", "{wrong}");
    }
}

#[tokio::test]
async fn lists_go_on_where_they_ended() {
    let product = Product::open().await;
    for name in ["b", "c", "a"] {
        assert_eq!(product.post("/api/schedules", &hourly(name).to_string()).await.status, 201);
    }
    let (mut names, mut path) = (Vec::new(), "/api/schedules?limit=2".to_owned());
    loop {
        let page = product.get(&path).await.json();
        names.extend(page["items"].as_array().unwrap().iter().map(|one| one["name"].clone()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/schedules?limit=2&cursor={cursor}");
    }
    assert_eq!(json!(names), json!(["a", "b", "c"]));

    // Three hours of the past that nobody was there for are three fires to list.
    let now = omni_clock::Clock::now(&omni_clock::SystemClock::new());
    let from = omni_events::rfc3339_millis(now - chrono::TimeDelta::hours(3));
    let to = omni_events::rfc3339_millis(now);
    let body = json!({ "from": from, "to": to });
    let dry = product.post("/api/schedules/a/backfill", &body.to_string()).await;
    assert_eq!(dry.status, 200, "{}", dry.text);
    let dry = dry.json();
    assert_eq!((&dry["dryRun"], &dry["count"]), (&json!(true), &json!(3)), "{dry}");
    let fires =
        async |query: &str| product.get(&format!("/api/schedules/a/fires?{query}")).await.json();
    assert!(fires("").await["items"].as_array().unwrap().is_empty(), "a dry run does nothing");
    let body = json!({ "from": from, "to": to, "dryRun": false });
    let done = product.post("/api/schedules/a/backfill", &body.to_string()).await.json();
    assert_eq!(done["count"], 3, "{done}");
    let first = fires("status=pending&limit=2").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2, "{first}");
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = fires(&format!("status=pending&limit=2&cursor={cursor}")).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1, "{rest}");
    let other = product.get(&format!("/api/schedules/a/fires?status=fired&cursor={cursor}")).await;
    assert_eq!(other.problem(400, "OM0002")["errors"][0]["pointer"], "cursor");
    let other =
        product.get(&format!("/api/schedules/b/fires?status=pending&cursor={cursor}")).await;
    other.problem(400, "OM0002");
    product.get("/api/schedules/a/fires?status=lost").await.problem(400, "OM0002");

    let purged = product.post("/api/schedules/a/purge", "").await.json();
    assert_eq!(purged["cancelled"], 3, "{purged}");
    assert!(fires("status=pending").await["items"].as_array().unwrap().is_empty());
    assert_eq!(fires("status=cancelled").await["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_backfill_of_a_slip_is_refused() {
    let product = Product::open().await;
    product.post("/api/schedules", &hourly("a").to_string()).await;
    for (body, pointer) in [
        (json!({ "from": "2026-01-01T00:00:00Z" }), ""),
        (json!({ "from": "2026-01-01", "to": "2026-01-02T00:00:00Z" }), "/from"),
        (json!({ "from": "-9999-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z" }), "/from"),
        (json!({ "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" }), "/to"),
        (json!({ "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "max": 0 }), "/max"),
        (
            json!({ "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "dryrun": true }),
            "/dryrun",
        ),
    ] {
        let told = product.post("/api/schedules/a/backfill", &body.to_string()).await;
        let told = told.problem(400, "OM0002");
        assert_eq!(told["errors"][0]["pointer"], pointer, "{body}: {told}");
    }
}

#[tokio::test]
async fn rpcs_answer_as_rest_does() {
    let product = Product::open().await;
    let mut client = ScheduleServiceClient::new(product.router.clone());
    let definition: bytes::Bytes = hourly("report").to_string().into();
    let create = CreateScheduleRequest { definition: definition.clone() };
    let created = client.create(create.clone()).await.unwrap().into_inner().schedule.unwrap();
    assert_eq!((created.name.as_str(), created.version, created.enabled), ("report", 1, true));
    let document: Value = serde_json::from_slice(&created.document).unwrap();
    assert_eq!(document, product.get("/api/schedules/report").await.json());
    assert!(created.next_run.unwrap().seconds % 3600 == 0);
    assert_eq!(client.create(create).await.unwrap_err().code(), Code::AlreadyExists);

    let name = || "report".to_owned();
    let next = client.next(NextScheduleRequest { name: name(), count: 2 }).await.unwrap();
    let next = next.into_inner().instants;
    assert_eq!((next.len(), next[0].jitter_ms), (2, Some(0)));
    let preview = PreviewScheduleRequest { definition: definition.clone(), count: 0 };
    let preview = client.preview(preview).await.unwrap().into_inner();
    assert_eq!((preview.next.len(), preview.next[0].jitter_ms), (5, None));
    assert_eq!(preview.describes, document["describes"].as_str().unwrap());
    assert_eq!(preview.next[0].local, next[0].local);
    let wrong = PreviewScheduleRequest { definition: r#"{"name":"a"}"#.into(), count: 0 };
    let status = client.preview(wrong).await.unwrap_err();
    let violations = status.get_error_details().bad_request().unwrap().field_violations.clone();
    assert_eq!(violations[0].field, "/schedule", "{violations:?}");

    let update = UpdateScheduleRequest { name: name(), definition, if_version: Some(9) };
    assert_eq!(client.update(update.clone()).await.unwrap_err().code(), Code::FailedPrecondition);
    let update = UpdateScheduleRequest { if_version: Some(1), ..update };
    assert_eq!(client.update(update).await.unwrap().into_inner().schedule.unwrap().version, 2);
    let off = client.disable(DisableScheduleRequest { name: name() }).await.unwrap().into_inner();
    assert!(!off.schedule.unwrap().enabled);
    let on = client.enable(EnableScheduleRequest { name: name() }).await.unwrap().into_inner();
    assert!(on.schedule.unwrap().enabled);

    let trigger = TriggerScheduleRequest { name: name(), triggered_by: "ann".into() };
    let fire = client.trigger(trigger).await.unwrap().into_inner().fire;
    let fire: Value = serde_json::from_slice(&fire).unwrap();
    assert_eq!((&fire["reason"], &fire["triggeredBy"]), (&json!("manual"), &json!("ann")));
    let spec = r#"{"from":"2026-01-01T00:00:00Z","to":"2026-01-01T03:00:00Z"}"#.into();
    let backfill = BackfillScheduleRequest { name: name(), spec };
    let report = client.backfill(backfill).await.unwrap().into_inner().report;
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!((&report["dryRun"], &report["count"]), (&json!(true), &json!(3)), "{report}");
    let fires = |status: &str| ListFiresRequest {
        name: "report".into(),
        status: status.into(),
        ..ListFiresRequest::default()
    };
    let listed = client.list_fires(fires("")).await.unwrap().into_inner().fires;
    let listed: Value = serde_json::from_slice(&listed[0]).unwrap();
    assert_eq!(listed["id"], fire["id"]);
    assert_eq!(client.list_fires(fires("lost")).await.unwrap_err().code(), Code::InvalidArgument);
    client.purge(PurgeScheduleRequest { name: name() }).await.unwrap();
    let listed = client.list(ListSchedulesRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.schedules.len(), 1);
    client.delete(DeleteScheduleRequest { name: name() }).await.unwrap();
    let gone = client.get(GetScheduleRequest { name: name() }).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
}
