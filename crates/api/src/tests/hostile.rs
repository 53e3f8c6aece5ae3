//! What a hostile caller sends: never a 500, never an answer without measure, never a page of another site.

use std::net::SocketAddr;

use axum::{body::Body, extract::ConnectInfo};
use http::Request;
use omni_proto::{
    CreateAutomationRequest, GetSourceRequest, ListAutomationsRequest, ListEventsRequest,
    automation_service_client::AutomationServiceClient, event_service_client::EventServiceClient,
    source_service_client::SourceServiceClient,
};
use omni_store::{Store, testing};
use serde_json::json;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::Product;

/// Cursors are written as a caller would: base64url of `{kind}:{key}`.
const ODD: [&str; 29] = [
    "/api/sources/%00",
    "/api/sources/a%00b/quarantine",
    "/api/events?channelType=%00",
    "/api/events?instanceId=%00",
    "/api/events?source=a%00",
    "/api/events?correlationId=%00",
    "/api/events?providerEventId=%00",
    "/api/events?status=%00",
    "/api/events?type=%00",
    "/api/events?from=-200000-01-01T00:00:00Z",
    "/api/events?to=-5000-01-01T00:00:00Z",
    "/api/events?cursor=ZTotOTIyMzM3MjAzNjg1NDc3NTgwOA",
    "/api/executions?status=%00",
    "/api/executions?eventType=%00",
    "/api/automations?name=%00",
    "/api/automations?cursor=YToA",
    "/api/sources?cursor=czoA",
    "/api/events/types/%00",
    "/api/events/types/%00/versions",
    "/api/events/types/custom.a/versions/%00",
    "/api/events/types?namespace=%00",
    "/api/events/types/export?namespace=%00",
    "/api/sources/%ff%fe",
    "/api/schedules/%00",
    "/api/schedules/a%00b/next",
    "/api/schedules/%00/fires",
    "/api/schedules/a/fires?status=%00",
    "/api/schedules/a/fires?cursor=ZjoA",
    "/api/schedules?cursor=YzoA",
];

#[tokio::test]
async fn text_that_no_row_can_hold_is_the_callers_fault_on_both_databases() {
    let url = testing::server_url();
    for store in [Store::temporary().await, Store::temporary_postgres(&url).await] {
        let product = Product::on(store).await;
        for path in ODD {
            let answer = product.get(path).await;
            assert!(answer.status.as_u16() < 500, "{path}: {} {}", answer.status, answer.text);
        }
        let event = product.post("/api/events/trigger", r#"{"eventType":"custom.a"}"#).await.json();
        let stage = format!("/api/events/{}/payloads/%00", event["eventId"].as_str().unwrap());
        product.get(&stage).await.problem(404, "OM0003");
        let delete = product.json(("DELETE", "/api/sources/%00"), &[], "").await;
        delete.problem(404, "OM0003");
        let put = product.json(("PUT", "/api/sources/%00"), &[], r#"{"name":"a\u0000"}"#).await;
        put.problem(404, "OM0003");

        let mut sources = SourceServiceClient::new(product.router.clone());
        let status = sources.get(GetSourceRequest { name: "\0".into() }).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let mut events = EventServiceClient::new(product.router.clone());
        let odd = ListEventsRequest { source: "\0".into(), ..Default::default() };
        assert_eq!(events.list(odd).await.unwrap_err().code(), Code::InvalidArgument);
        let mut automations = AutomationServiceClient::new(product.router.clone());
        let odd = ListAutomationsRequest { name: "\0".into(), ..Default::default() };
        assert_eq!(automations.list(odd).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_problem_is_short_whatever_was_sent() {
    let product = Product::open().await;
    let action = |config| json!({ "type": "log", "config": config });
    let definition =
        |actions| json!({ "name": "a", "triggerEventType": "custom.a", "actions": actions });
    let long = "k".repeat(200_000);
    for hostile in [
        definition(json!([action(json!({ &long: vec!["{{ x }}"; 10_000] }))])),
        definition(json!(vec![json!({ "type": "nothing" }); 20_000])),
        definition(json!([{ "type": &long }])),
        definition(json!([action(json!({ "message": "x", &long: 1 }))])),
        json!({ &long: 1 }),
        json!({ "name": &long, "triggerEventType": &long, "actions": [] }),
    ] {
        let answer = product.post("/api/automations", &hostile.to_string()).await;
        answer.problem(400, "OM0002");
        assert!(answer.text.len() < 150_000, "{}", answer.text.len());

        let mut client = AutomationServiceClient::new(product.router.clone());
        let definition = hostile.to_string().into();
        let status = client.create(CreateAutomationRequest { definition }).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(
            status.message().len() + status.details().len() < 6_000,
            "{}",
            status.details().len()
        );
        assert_eq!(status.get_details_error_info().unwrap().reason, "OM0002");
    }
}

#[tokio::test]
async fn a_definition_is_no_larger_over_grpc() {
    let product = Product::open().await;
    let mut client = AutomationServiceClient::new(product.router.clone());
    let definition = format!("\"{}\"", "x".repeat(crate::BODY_MAX)).into();
    let status = client.create(CreateAutomationRequest { definition }).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().reason, "OM0010");
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_and_goes_on() {
    let product = Product::open().await;
    let large = "x".repeat(1_000_000);
    for n in 0..12 {
        let body = json!({ "eventType": "custom.large", "payload": [n, large] }).to_string();
        assert_eq!(product.post("/api/events/trigger", &body).await.status, 201);
    }
    let (mut seen, mut path) = (Vec::new(), "/api/events?limit=500&order=asc".to_owned());
    loop {
        let answer = product.get(&path).await;
        assert!(answer.text.len() < 4 << 20, "{}", answer.text.len());
        let page = answer.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|e| e["payload"][0].clone()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        path = format!("/api/events?limit=500&order=asc&cursor={next}");
    }
    assert_eq!(json!(seen), json!((0..12).collect::<Vec<_>>()));
    let mut client = EventServiceClient::new(product.router.clone());
    let request = ListEventsRequest { limit: 500, ..Default::default() };
    let page = client.list(request).await.unwrap().into_inner();
    assert!(page.events.len() < 12 && !page.next_cursor.is_empty(), "{}", page.events.len());
}

fn from_here(method: &str, path: &str, host: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("host", host);
    let mut request = request.body(Body::from("{}")).unwrap();
    let browser: SocketAddr = "127.0.0.1:50000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(browser));
    request
}

#[tokio::test]
async fn a_web_page_that_calls_us_by_its_own_name_is_refused_everywhere_but_at_webhooks() {
    let product = Product::open().await;
    product.post("/api/sources", r#"{"name":"open"}"#).await;
    for route in crate::routes::all() {
        let path = route.path.replace(['{', '}'], "");
        let ours = route.path.contains("/webhooks/")
            || route.path.contains("/eventhook/")
            || ["/healthz", "/readyz"].contains(&route.path);
        let answer =
            product.send(from_here(route.method.as_str(), &path, "evil.example:7400")).await;
        assert_eq!(
            answer.status.as_u16() == 421,
            !ours,
            "{} {path}: {}",
            route.method,
            answer.text
        );
    }
    let told = product.send(from_here("GET", "/api/sources", "evil.example")).await;
    told.problem(421, "OM0017");
    assert!(!told.header("x-correlation-id").is_empty());
    let own = product.send(from_here("GET", "/api/sources", "127.0.0.1:7400")).await;
    assert_eq!(own.status, 200);
    let tunnel = product.send(from_here("POST", "/webhooks/open", "abc.tunnel.example")).await;
    assert_eq!(tunnel.status, 200, "{}", tunnel.text);
    let mut call = from_here("POST", "/omni.v1.AdminService/Stats", "evil.example");
    call.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    assert_eq!(product.send(call).await.header("grpc-status"), "7");
}

#[tokio::test]
async fn nothing_is_shared_with_other_origins() {
    let product = Product::open().await;
    let asked = Request::builder()
        .method("OPTIONS")
        .uri("/api/sources")
        .header("origin", "http://evil.example")
        .header("access-control-request-method", "POST");
    let answer = product.send(asked.body(Body::empty()).unwrap()).await;
    let shared = answer.headers.keys().any(|name| name.as_str().starts_with("access-control"));
    assert!(!shared, "{:?}", answer.headers);
}

#[tokio::test]
async fn a_webhook_keeps_the_family_of_its_sender() {
    let product = Product::open().await;
    product.post("/api/sources", r#"{"name":"open"}"#).await;
    let send = async |id: &str| {
        product.json(("POST", "/webhooks/open"), &[("x-correlation-id", id)], "{}").await
    };
    assert_eq!(send("order-17").await.header("x-correlation-id"), "order-17");
    let own = send("not one").await;
    assert_eq!(own.header("x-correlation-id"), own.json()["eventId"]);
}
