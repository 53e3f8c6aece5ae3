//! Another tenant's things do not exist: every operation that names one, walked from the route table and from the RPCs.

use std::collections::BTreeMap;

use axum::body::Body;
use chrono::TimeDelta;
use http::{Method, Request};
use omni_clock::{Clock as _, SystemClock};
use omni_proto::{
    BackfillScheduleRequest, DeleteAutomationRequest, DeleteScheduleRequest, DeleteSourceRequest,
    DisableAutomationRequest, DisableScheduleRequest, EnableAutomationRequest,
    EnableScheduleRequest, GetAutomationRequest, GetEventRequest, GetExecutionRequest,
    GetScheduleRequest, GetSourceRequest, ListEventPayloadsRequest, ListEventsRequest,
    ListExecutionsRequest, ListFiresRequest, ListQuarantineRequest, ListSchedulesRequest,
    NextScheduleRequest, PurgeScheduleRequest, TriggerScheduleRequest, UpdateAutomationRequest,
    UpdateScheduleRequest, UpdateSourceRequest, automation_service_client::AutomationServiceClient,
    event_service_client::EventServiceClient, schedule_service_client::ScheduleServiceClient,
    source_service_client::SourceServiceClient,
};
use omni_store::{
    dead_letters::{NewDeadLetter, PENDING, id_of},
    executions::{Done, ExecutionRow, NewOutcome, commit_batch},
};
use tonic::Code;
use uuid::Uuid;

use super::{Answer, Product};
use crate::routes;

const SOURCE: &str = r#"{"name":"shop","secret":"s","verifier":{"apiKey":{"header":"x-key"}}}"#;
const SCHEDULE: &str = r#"{"name":"shop","schedule":"0 * * * *","payload":"canary"}"#;
const AUTOMATION: &str = r#"{"name":"mine","triggerEventType":"custom.>","actions":[{"type":"log","config":{"message":"x"}}]}"#;

/// What the organisation `acme` owns.
struct Owned {
    event: String,
    automation: String,
    execution: Uuid,
    /// One to retry, one to resolve, one to abandon.
    letters: [Uuid; 3],
    retry_job: String,
    replay: String,
    scheduled: String,
    /// Has nothing but a payload that may be expunged.
    spare: String,
    /// A request that the source refused.
    refused: String,
}

async fn send(product: &Product, org: &str, method: &Method, path: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("x-omni-org", org);
    let request = request.header("content-type", "application/json").header("x-key", "s");
    product.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// A source with a refused and a taken request, an automation, and an execution.
async fn own(product: &Product) -> Owned {
    let post = async |path, body| send(product, "acme", &Method::POST, path, body).await;
    assert_eq!(post("/api/sources", SOURCE).await.status, 201);
    assert_eq!(post("/api/schedules", SCHEDULE).await.status, 201);
    assert_eq!(post("/webhooks/shop", "not json").await.status, 400);
    let taken = post("/webhooks/shop", r#"{"card":"canary"}"#).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    let wrong = Request::post("/webhooks/shop").header("x-omni-org", "acme").header("x-key", "no");
    let wrong = wrong.body(Body::from(r#"{"card":"canary"}"#)).unwrap();
    assert_eq!(product.send(wrong).await.status, 401);
    let refused = send(product, "acme", &Method::GET, "/api/sources/shop/quarantine", "").await;
    let refused = refused.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let automation = post("/api/automations", AUTOMATION).await;
    let (event, automation) = (taken.json()["eventId"].clone(), automation.json()["id"].clone());
    let (event, automation) =
        (event.as_str().unwrap().to_owned(), automation.as_str().unwrap().to_owned());
    let execution = Uuid::from_u128(77);
    let now = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let row = ExecutionRow {
        id: execution,
        org: "acme".into(),
        automation_id: automation.parse().unwrap(),
        automation_version: 1,
        event_id: event.parse().unwrap(),
        event_type: "custom.webhook.shop".into(),
        status: "success".into(),
        conditions_matched: true,
        actions: "[]".into(),
        error: None,
        execution_time_ms: 1,
        created_at: now,
    };
    let outcome = NewOutcome {
        event_id: row.event_id,
        org: "acme".into(),
        status: "completed".into(),
        retry_count: 0,
        processed_at: now,
        executions: 1,
        error: None,
        received_at: now,
    };
    let letters = ["shop", "bar", "till"].map(|consumer| letter(consumer, &row));
    let done = Done { outcome, dead: letters.to_vec(), executions: vec![row] };
    commit_batch(&mut product.store.write().await.unwrap(), &[done]).await.unwrap();
    let begun = async |path, body, member: &str| {
        let answer = post(path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.json()[member].as_str().unwrap().to_owned()
    };
    let at = omni_events::rfc3339_millis(SystemClock::new().now() + TimeDelta::days(1));
    let later = format!(r#"{{"eventType":"custom.later","scheduledAt":"{at}"}}"#);
    Owned {
        event,
        automation,
        execution,
        letters: letters.map(|letter| letter.id),
        retry_job: begun("/api/dead-letters/retry", r#"{"filter":{"type":"custom.none"}}"#, "id")
            .await,
        replay: begun("/api/replays", r#"{"dryRun":false,"types":["custom.none"]}"#, "id").await,
        scheduled: begun("/api/events/trigger", &later, "eventId").await,
        spare: begun("/api/events/trigger", r#"{"eventType":"custom.spare"}"#, "eventId").await,
        refused,
    }
}

fn letter(consumer: &str, failed: &ExecutionRow) -> NewDeadLetter {
    NewDeadLetter {
        id: id_of(consumer, failed.event_id),
        org: failed.org.clone(),
        event_id: failed.event_id,
        event_type: failed.event_type.clone(),
        consumer: consumer.to_owned(),
        automation_id: None,
        version: None,
        attempts: 1,
        errors: r#"["canary"]"#.to_owned(),
        message: None,
        status: PENDING.to_owned(),
        retries: 0,
        next_retry_at: None,
        dead_at: failed.created_at,
        changed_at: failed.created_at,
        told: true,
    }
}

/// The path of a row with the things of `acme` in it.
fn filled(path: &str, owned: &Owned) -> String {
    let id = match path.split('/').nth(2).unwrap_or_default() {
        "events" if path.ends_with("/cancel") => owned.scheduled.clone(),
        "events" if path.ends_with("/expunge") => owned.spare.clone(),
        "events" => owned.event.clone(),
        "dead-letters" if path.contains("/jobs/") => owned.retry_job.clone(),
        "dead-letters" if path.ends_with("/resolve") => owned.letters[1].to_string(),
        "dead-letters" if path.ends_with("/abandon") => owned.letters[2].to_string(),
        "dead-letters" => owned.letters[0].to_string(),
        "replays" => owned.replay.clone(),
        "sources" => owned.refused.clone(),
        "automations" => owned.automation.clone(),
        "executions" => owned.execution.to_string(),
        _ => String::new(),
    };
    let path = match path {
        "/api/events/{id}/payloads" => "/api/events/{id}/payloads?reason=asked",
        path => path,
    };
    path.replace("{id}", &id)
        .replace("{name}", "shop")
        .replace("{source}", "shop")
        .replace("{stage}", "webhook_raw")
}

/// A body that the row takes.
fn body_of(path: &str) -> &'static str {
    match path {
        "/api/events/{id}/expunge" => r#"{"reason":"asked"}"#,
        "/api/dead-letters/{id}/resolve" => r#"{"note":"paid"}"#,
        "/api/events/{id}/replay" => "{}",
        "/api/schedules/{name}/backfill" => {
            r#"{"from":"2026-01-01T00:00:00Z","to":"2026-01-01T03:00:00Z"}"#
        }
        path if path.starts_with("/api/schedules") => SCHEDULE,
        "/api/sources/{name}/quarantine/{id}/release" => r#"{"force":true}"#,
        "/api/sources/{name}" | "/api/sources" => SOURCE,
        path if path.starts_with("/api/sources") => "{}",
        _ => AUTOMATION,
    }
}

#[tokio::test]
async fn no_operation_of_the_route_table_reaches_another_tenant() {
    let product = Product::open().await;
    let owned = own(&product).await;
    // The registry's types are shared, and one address names its organisation itself.
    let named =
        |path: &str| path.contains('{') && !path.contains("{eventType}") && !path.contains("{org}");
    let mut rows: Vec<_> = routes::all().into_iter().filter(|row| named(row.path)).collect();
    // What deletes comes last, so that the owner finds everything until then.
    rows.sort_by_key(|row| row.method == Method::DELETE);
    assert!(rows.len() > 15, "{}", rows.len());
    for row in &rows {
        let path = filled(row.path, &owned);
        assert!(!path.contains('{'), "{path} is not known to this test");
        let body = body_of(row.path);
        for org in ["other", "default"] {
            let answer = send(&product, org, &row.method, &path, body).await;
            assert_eq!(answer.status, 404, "{org}: {} {path}: {}", row.method, answer.text);
            assert!(!answer.text.contains("canary"), "{}", answer.text);
        }
    }
    for row in rows {
        let path = filled(row.path, &owned);
        let body = body_of(row.path);
        let answer = send(&product, "acme", &row.method, &path, body).await;
        if path.starts_with("/webhooks/") && [Method::GET, Method::OPTIONS].contains(&row.method) {
            // The source is found, and its provider greets with neither.
            answer.problem(405, "OM0111");
            continue;
        }
        assert!(answer.status.is_success(), "{} {path}: {}", row.method, answer.text);
    }
}

#[tokio::test]
async fn no_list_shows_another_tenant() {
    let product = Product::open().await;
    let owned = own(&product).await;
    let filters = BTreeMap::from([
        ("/api/executions", format!("?automationId={}", owned.automation)),
        ("/api/events", "?type=custom.webhook.shop".to_owned()),
        ("/api/automations", "?name=mine".to_owned()),
    ]);
    for row in routes::all() {
        let listed = row.method == Method::GET && row.path.starts_with("/api/");
        // What the product itself knows of providers is the same for all.
        let of_nobody = row.path == "/api/sources/providers";
        let listed = listed && !of_nobody && !row.path.contains('{');
        if !listed || row.media.is_some() || row.answer.is_none() {
            continue;
        }
        let filtered = filters.get(row.path).map(|filter| format!("{}{filter}", row.path));
        for path in [Some(row.path.to_owned()), filtered].into_iter().flatten() {
            let answer = send(&product, "other", &Method::GET, &path, "").await;
            assert_eq!(answer.status, 200, "{path}");
            for secret in ["canary", "shop", "mine", &owned.event, &owned.automation] {
                assert!(!answer.text.contains(secret), "{path} shows {secret}: {}", answer.text);
            }
        }
    }
}

fn of<T>(org: &str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("x-omni-org", org.parse().unwrap());
    request
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of every call, service by service")]
async fn no_rpc_reaches_another_tenant() {
    let product = Product::open().await;
    let Owned { event, automation, execution, .. } = own(&product).await;
    let mut events = EventServiceClient::new(product.router.clone());
    let mut automations = AutomationServiceClient::new(product.router.clone());
    let mut sources = SourceServiceClient::new(product.router.clone());
    let (id, name) = (automation.clone(), "shop".to_owned());
    let definition = bytes::Bytes::from_static(AUTOMATION.as_bytes());
    let source = bytes::Bytes::from_static(SOURCE.as_bytes());
    let mut schedules = ScheduleServiceClient::new(product.router.clone());
    let schedule = bytes::Bytes::from_static(SCHEDULE.as_bytes());
    let spec = bytes::Bytes::from_static(body_of("/api/schedules/{name}/backfill").as_bytes());
    for (org, code) in [("other", Code::NotFound), ("default", Code::NotFound), ("acme", Code::Ok)]
    {
        let name = || name.clone();
        let codes = [
            code_of(schedules.get(of(org, GetScheduleRequest { name: name() })).await),
            code_of(
                schedules
                    .update(of(
                        org,
                        UpdateScheduleRequest {
                            name: name(),
                            definition: schedule.clone(),
                            if_version: None,
                        },
                    ))
                    .await,
            ),
            code_of(schedules.disable(of(org, DisableScheduleRequest { name: name() })).await),
            code_of(schedules.enable(of(org, EnableScheduleRequest { name: name() })).await),
            code_of(
                schedules
                    .trigger(of(
                        org,
                        TriggerScheduleRequest { name: name(), triggered_by: String::new() },
                    ))
                    .await,
            ),
            code_of(
                schedules
                    .backfill(of(org, BackfillScheduleRequest { name: name(), spec: spec.clone() }))
                    .await,
            ),
            code_of(schedules.purge(of(org, PurgeScheduleRequest { name: name() })).await),
            code_of(schedules.next(of(org, NextScheduleRequest { name: name(), count: 0 })).await),
            code_of(
                schedules
                    .list_fires(of(
                        org,
                        ListFiresRequest { name: name(), ..ListFiresRequest::default() },
                    ))
                    .await,
            ),
            code_of(schedules.delete(of(org, DeleteScheduleRequest { name: name() })).await),
        ];
        assert!(codes.iter().all(|found| *found == code), "{org}: {codes:?}");
    }
    for (org, code) in [("other", Code::NotFound), ("default", Code::NotFound), ("acme", Code::Ok)]
    {
        // Each call as its code; those that delete come last.
        let codes = [
            code_of(events.get(of(org, GetEventRequest { id: event.clone() })).await),
            code_of(
                events
                    .list_payloads(of(org, ListEventPayloadsRequest { event_id: event.clone() }))
                    .await,
            ),
            code_of(automations.get(of(org, GetAutomationRequest { id: id.clone() })).await),
            code_of(
                automations
                    .update(of(
                        org,
                        UpdateAutomationRequest {
                            id: id.clone(),
                            definition: definition.clone(),
                            if_version: None,
                        },
                    ))
                    .await,
            ),
            code_of(
                automations.disable(of(org, DisableAutomationRequest { id: id.clone() })).await,
            ),
            code_of(automations.enable(of(org, EnableAutomationRequest { id: id.clone() })).await),
            code_of(
                automations
                    .get_execution(of(org, GetExecutionRequest { id: execution.to_string() }))
                    .await,
            ),
            code_of(sources.get(of(org, GetSourceRequest { name: name.clone() })).await),
            code_of(
                sources
                    .update(of(
                        org,
                        UpdateSourceRequest {
                            name: name.clone(),
                            definition: source.clone(),
                            if_version: None,
                        },
                    ))
                    .await,
            ),
            code_of(
                sources
                    .list_quarantine(of(
                        org,
                        ListQuarantineRequest {
                            source: name.clone(),
                            ..ListQuarantineRequest::default()
                        },
                    ))
                    .await,
            ),
            code_of(automations.delete(of(org, DeleteAutomationRequest { id: id.clone() })).await),
            code_of(sources.delete(of(org, DeleteSourceRequest { name: name.clone() })).await),
        ];
        assert!(codes.iter().all(|found| *found == code), "{org}: {codes:?}");
    }
    let listed = schedules.list(of("other", ListSchedulesRequest::default())).await.unwrap();
    assert!(listed.into_inner().schedules.is_empty());
    let listed = events.list(of("other", ListEventsRequest::default())).await.unwrap();
    assert!(listed.into_inner().events.is_empty());
    let executions = ListExecutionsRequest { automation_id: automation, ..Default::default() };
    let listed = automations.list_executions(of("other", executions)).await.unwrap();
    assert!(listed.into_inner().executions.is_empty());
}

fn code_of<T>(answer: Result<T, tonic::Status>) -> Code {
    answer.err().map_or(Code::Ok, |status| status.code())
}
