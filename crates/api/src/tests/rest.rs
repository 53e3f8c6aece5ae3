//! What is the HTTP face's own: statuses, headers, problems, pages.

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::{Value, json};

use super::Product;

const AUTOMATION: &str = r#"{"name":"a","triggerEventType":"custom.>","actions":[{"type":"log","config":{"message":"hi"}}]}"#;

#[tokio::test]
async fn a_trigger_answers_where_the_event_is_and_shows_it_as_sent() {
    let product = Product::open().await;
    let body = r#"{"eventType":"custom.order.paid","payload":{"b": 1.50,  "a": 9007199254740993}}"#;
    let created = product.post("/api/events/trigger", body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.json()["eventId"].as_str().unwrap().to_owned();
    assert_eq!(created.header("location"), format!("/api/events/{id}"));
    assert_eq!(created.header("x-correlation-id"), id);
    let event = product.get(created.header("location")).await;
    assert!(
        event.text.contains(r#""payload":{"b": 1.50,  "a": 9007199254740993}"#),
        "{}",
        event.text
    );
    let document = event.json();
    assert_eq!(document["metadata"]["correlationId"], id);
    assert_eq!(document["sequence"], created.json()["sequence"]);
    assert_eq!(document["outcome"], Value::Null);
}

#[tokio::test]
async fn a_key_makes_a_repeat_and_its_misuse_a_conflict() {
    let product = Product::open().await;
    let headers = [("idempotency-key", "k-1"), ("x-correlation-id", "order-17")];
    let send = async |body| product.json(("POST", "/api/events/trigger"), &headers, body).await;
    let first = send(r#"{"eventType":"custom.a","payload":1}"#).await;
    let again = send(r#"{"eventType":"custom.a","payload":1}"#).await;
    assert_eq!((again.status, again.json()), (first.status, first.json()));
    assert_eq!(first.header("x-correlation-id"), "order-17");
    send(r#"{"eventType":"custom.a","payload":2}"#).await.problem(409, "OM0008");
}

#[tokio::test]
async fn bad_bodies_are_told_with_their_place() {
    let product = Product::open().await;
    let problem = product.post("/api/events/trigger", r#"{"eventType": }"#).await;
    let problem = problem.problem(400, "OM0001");
    assert!(problem["detail"].as_str().unwrap().contains("at byte 14"), "{problem}");
    let problem =
        product.post("/api/events/trigger", r#"{"eventType":"custom.a","paylod":1}"#).await;
    assert_eq!(problem.problem(400, "OM0002")["errors"][0]["pointer"], "/paylod");
    let later = r#"{"eventType":"custom.a","scheduledAt":"2030-01-01T00:00:00Z"}"#;
    let problem = product.post("/api/events/trigger", later).await.problem(400, "OM0002");
    assert_eq!(problem["errors"][0]["pointer"], "/scheduledAt");
    let unknown = product.post("/api/events/trigger", r#"{"eventType":"message.recieved"}"#).await;
    assert_eq!(unknown.problem(422, "OM0009")["errors"][0]["pointer"], "/eventType");
    let request = Request::post("/api/sources").body(Body::from("{}")).unwrap();
    product.send(request).await.problem(415, "OM0011");
    let big = format!("\"{}\"", "x".repeat(crate::BODY_MAX));
    product.post("/api/sources", &big).await.problem(413, "OM0010");
}

#[tokio::test]
async fn an_operator_that_does_not_exist_is_told_with_its_pointer() {
    let product = Product::open().await;
    let body = r#"{"name":"a","triggerEventType":"custom.a","actions":[],
        "triggerConditions":[{"field":"payload.a","operator":"eq","value":1},{"field":"payload.a","operator":"like","value":1}]}"#;
    let problem = product.post("/api/automations", body).await.problem(400, "OM0002");
    assert_eq!(problem["errors"][0]["pointer"], "/triggerConditions/1/operator", "{problem}");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let product = Product::open().await;
    product.get("/nowhere").await.problem(404, "OM0004");
    let wrong = product.post("/api/stats", "{}").await;
    wrong.problem(405, "OM0005");
    assert!(wrong.header("allow").contains("GET"), "{:?}", wrong.headers);
    let missing = "/api/events/00000000-0000-0000-0000-000000000001";
    let problem = product.get(missing).await;
    problem.problem(404, "OM0003");
    assert_eq!(problem.header("x-correlation-id").len(), 36);
    product.get("/api/automations/not-an-id").await.problem(404, "OM0003");
    let problem = product.get("/api/events?channel=x").await.problem(400, "OM0002");
    assert!(problem["detail"].as_str().unwrap().contains("channel"), "{problem}");
    product.get("/api/events?type=nonsense").await.problem(400, "OM0002");
    product.get("/api/events?limit=501").await.problem(400, "OM0002");
}

#[tokio::test]
async fn pages_follow_each_other() {
    let product = Product::open().await;
    for n in 0..5 {
        let body = json!({ "eventType": "custom.n", "payload": n }).to_string();
        assert_eq!(product.post("/api/events/trigger", &body).await.status, 201);
    }
    let (mut seen, mut path) =
        (Vec::new(), "/api/events?type=custom.*&limit=2&order=asc".to_owned());
    loop {
        let page = product.get(&path).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|e| e["payload"].clone()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        path = format!("/api/events?type=custom.*&limit=2&order=asc&cursor={next}");
    }
    assert_eq!(seen, [json!(0), json!(1), json!(2), json!(3), json!(4)]);
    let newest = product.get("/api/events?limit=1").await.json();
    assert_eq!(newest["items"][0]["payload"], 4);
}

#[tokio::test]
async fn definitions_have_versions_that_guard_them() {
    let product = Product::open().await;
    let created = product.post("/api/automations", AUTOMATION).await;
    assert_eq!(
        (created.status.as_u16(), created.header("etag")),
        (201, "\"1\""),
        "{}",
        created.text
    );
    let path = created.header("location").to_owned();
    product.post("/api/automations", AUTOMATION).await.problem(409, "OM0006");
    let put =
        async |tag: &str| product.json(("PUT", &path), &[("if-match", tag)], AUTOMATION).await;
    assert_eq!(put("\"1\"").await.header("etag"), "\"2\"");
    put("\"1\"").await.problem(412, "OM0007");
    put("latest").await.problem(400, "OM0002");
    let off =
        product.send(Request::post(format!("{path}/disable")).body(Body::empty()).unwrap()).await;
    assert_eq!(off.json()["enabled"], false, "{}", off.text);
    assert_eq!(product.get("/api/automations?name=a").await.json()["items"][0]["enabled"], false);
    let delete = async || product.send(Request::delete(&path).body(Body::empty()).unwrap()).await;
    assert_eq!(delete().await.status, 204);
    delete().await.problem(404, "OM0003");
}

#[tokio::test]
async fn a_tenant_does_not_see_another() {
    let product = Product::open().await;
    let created = product.post("/api/automations", AUTOMATION).await;
    let path = created.header("location").to_owned();
    let as_other = Request::get(&path).header("x-omni-org", "other").body(Body::empty()).unwrap();
    product.send(as_other).await.problem(404, "OM0003");
    assert_eq!(product.get(&path).await.status, 200);
}

/// A body that says how many of its pieces were asked for.
fn counted(pieces: usize) -> (Body, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let read = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = read.clone();
    let frames = futures_util::stream::iter((0..pieces).map(move |_| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b'x'; 1024])))
    }));
    (Body::new(StreamBody::new(frames)), read)
}

#[tokio::test]
async fn a_webhook_is_read_only_as_far_as_its_source_allows() {
    let product = Product::open().await;
    let (body, read) = counted(10);
    let answer = product.send(Request::post("/webhooks/nobody").body(body).unwrap()).await;
    answer.problem(404, "OM0101");
    assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), 0);

    let definition = r#"{"name":"shop","limits":{"bodyMaxBytes":4096}}"#;
    let created = product.post("/api/sources", definition).await;
    assert_eq!(
        (created.status.as_u16(), created.header("location")),
        (201, "/api/sources/shop"),
        "{}",
        created.text
    );
    let (body, read) = counted(1000);
    let answer = product.send(Request::post("/webhooks/shop").body(body).unwrap()).await;
    answer.problem(413, "OM0104");
    assert!(read.load(std::sync::atomic::Ordering::Relaxed) <= 5);
    let taken = product.post("/webhooks/shop", r#"{"n": 1}"#).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    assert_eq!(taken.header("x-correlation-id"), taken.json()["eventId"]);
    let same =
        product.json(("PUT", "/api/orgs/default/eventhook/in/shop"), &[], r#"{"n": 2}"#).await;
    assert_eq!(same.status, 200, "{}", same.text);

    let id = taken.json()["eventId"].as_str().unwrap().to_owned();
    let kept = product.get(&format!("/api/events/{id}/payloads")).await.json();
    assert_eq!(kept["items"][0]["body"], r#"{"n": 1}"#, "{kept}");
    let stage = kept["items"][0]["stage"].as_str().unwrap();
    let bytes = product.get(&format!("/api/events/{id}/payloads/{stage}")).await;
    assert_eq!(
        (bytes.text.as_str(), bytes.header("x-content-type-options")),
        (r#"{"n": 1}"#, "nosniff")
    );
}

#[tokio::test]
async fn readiness_ends_before_liveness() {
    let product = Product::open().await;
    assert_eq!(product.get("/readyz").await.status, 200);
    product.health.set_draining();
    product.get("/readyz").await.problem(503, "OM0015");
    assert_eq!(product.get("/healthz").await.status, 200);
    assert_eq!(product.get("/metrics").await.text, "# EOF\n");
}

#[tokio::test]
async fn the_stream_resumes_after_a_sequence_and_ends_with_the_process() {
    let product = Product::open().await;
    for n in 0..3 {
        let body = format!("{{\"eventType\":\"custom.n\",\"payload\":[\n{n}]}}");
        product.post("/api/events/trigger", &body).await;
    }
    let first =
        product.get("/api/events?order=asc&limit=1").await.json()["items"][0]["sequence"].clone();
    let request = Request::get("/api/events/stream?type=custom.*")
        .header("last-event-id", first.to_string())
        .body(Body::empty())
        .unwrap();
    let response = tower::ServiceExt::oneshot(product.router.clone(), request).await.unwrap();
    let mut body = response.into_body();
    let mut text = String::new();
    while text.matches("\n\n").count() < 3 {
        let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    assert!(text.starts_with(&format!("id: {first}\n\n")), "it says where it begins: {text}");
    assert!(text.contains("event: custom.n") && text.contains(r#""payload":[ 2]"#), "{text}");
    assert!(!text.contains(r#""payload":[ 0]"#), "{text}");
    product.health.set_draining();
    assert!(http_body_util::BodyExt::collect(body).await.is_ok());
}

#[tokio::test]
async fn the_rest_of_the_table_answers() {
    let product = Product::open().await;
    let types = product.get("/api/events/types").await.json();
    assert!(types["types"].as_array().unwrap().len() >= 10, "{types}");
    assert_eq!(product.get("/api/events/types/message.received").await.json()["builtIn"], true);
    let actions = product.get("/api/actions").await.json();
    assert!(actions.to_string().contains("emit_event"), "{actions}");
    let stats = product.get("/api/stats").await.json();
    assert_eq!((&stats["events"], &stats["eventsLast24h"]), (&json!(0), &json!(0)), "{stats}");
    assert_eq!(product.get("/api/executions").await.json()["items"], json!([]));
    assert_eq!(product.get("/api/automations/logs").await.json()["items"], json!([]));
    assert_eq!(product.get("/api/openapi.json").await.json()["info"]["version"], "0.0.0");
}
