//! What is the gRPC face's own: the same answers and errors, streams, health, reflection, deadlines.

use futures_util::StreamExt as _;
use omni_proto::{
    CreateAutomationRequest, CreateSourceRequest, GetAutomationRequest, GetEventRequest,
    LintAutomationsRequest, ListEventsRequest, SubscribeEventsRequest, TestAutomationRequest,
    TriggerEventRequest, automation_service_client::AutomationServiceClient,
    event_service_client::EventServiceClient, source_service_client::SourceServiceClient,
};
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use super::Product;

fn trigger(payload: &'static str) -> TriggerEventRequest {
    TriggerEventRequest {
        event_type: "custom.order.paid".into(),
        payload: payload.into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn an_event_goes_in_and_comes_out_as_sent() {
    let product = Product::open().await;
    let mut client = EventServiceClient::new(product.router.clone());
    let response = client.trigger(trigger(r#"{"n": 1.50}"#)).await.unwrap();
    let id = response.get_ref().event_id.clone();
    assert_eq!(response.metadata().get("x-correlation-id").unwrap(), id.as_str());
    let event = client.get(GetEventRequest { id }).await.unwrap().into_inner().event.unwrap();
    assert_eq!(
        (event.payload, event.r#type.as_str()),
        (r#"{"n": 1.50}"#.into(), "custom.order.paid")
    );
    let listed = client.list(ListEventsRequest::default()).await.unwrap().into_inner();
    assert_eq!((listed.events.len(), listed.next_cursor.as_str()), (1, ""));
}

#[tokio::test]
async fn errors_carry_their_code_and_fields() {
    let product = Product::open().await;
    let mut client = EventServiceClient::new(product.router.clone());
    let status = client.trigger(trigger("{]")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.get_details_error_info().unwrap().reason, "OM0001");
    let status = client.get(GetEventRequest { id: "x".into() }).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let mut automations = AutomationServiceClient::new(product.router.clone());
    let definition = r#"{"name":"a","triggerEventType":"custom.a","actions":[],"prio":1}"#.into();
    let status = automations.create(CreateAutomationRequest { definition }).await.unwrap_err();
    let fields = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields[0].field, "/prio", "{status:?}");
}

#[tokio::test]
async fn the_organisation_comes_from_the_metadata() {
    let product = Product::open().await;
    let mut client = AutomationServiceClient::new(product.router.clone());
    let definition = r#"{"name":"a","triggerEventType":"custom.a","actions":[{"type":"log","config":{"message":"x"}}]}"#;
    let mut request = Request::new(CreateAutomationRequest { definition: definition.into() });
    request.metadata_mut().insert("x-omni-org", "acme".parse().unwrap());
    let created = client.create(request).await.unwrap().into_inner().automation.unwrap();
    let get = GetAutomationRequest { id: created.id };
    assert_eq!(client.get(get.clone()).await.unwrap_err().code(), Code::NotFound);
    let mut request = Request::new(get);
    request.metadata_mut().insert("x-omni-org", "acme".parse().unwrap());
    assert_eq!(client.get(request).await.unwrap().into_inner().automation.unwrap().name, "a");
}

#[tokio::test]
async fn definitions_are_tried_out_and_looked_over() {
    let product = Product::open().await;
    let mut client = AutomationServiceClient::new(product.router.clone());
    let definition = r#"{"name":"a","triggerEventType":"custom.a","triggerPattern":{"payload":{"n":[1]}},"actions":[{"type":"log","config":{"message":"{{ payload.n }}"}}]}"#;
    let spec = |n: i32| {
        format!(
            r#"{{"definition":{definition},"event":{{"type":"custom.a","payload":{{"n":{n}}}}}}}"#
        )
    };
    for (n, matched) in [(1, true), (2, false)] {
        let request = TestAutomationRequest { spec: spec(n).into() };
        assert_eq!(client.test(request).await.unwrap().into_inner().matched, matched);
    }
    let status = client.test(TestAutomationRequest { spec: "{}".into() }).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let created = client.create(CreateAutomationRequest { definition: definition.into() });
    created.await.unwrap();
    let twin = definition.replacen(r#""a""#, r#""b""#, 1);
    let request = LintAutomationsRequest { definition: twin.into() };
    let answer = client.lint(request).await.unwrap().into_inner();
    let lints: serde_json::Value = serde_json::from_slice(&answer.document).unwrap();
    assert_eq!(lints["items"][0]["findings"][0]["code"], "equal", "{lints}");
    let all = client.lint(LintAutomationsRequest::default()).await.unwrap().into_inner();
    let lints: serde_json::Value = serde_json::from_slice(&all.document).unwrap();
    assert_eq!((&lints["checked"], &lints["items"]), (&1.into(), &serde_json::json!([])));
}

#[tokio::test]
async fn a_secret_never_comes_back() {
    let product = Product::open().await;
    let mut client = SourceServiceClient::new(product.router.clone());
    let definition = r#"{"name":"github","provider":"github","secret":"canary-7f3a"}"#.into();
    let created = client.create(CreateSourceRequest { definition }).await.unwrap().into_inner();
    let source = created.source.unwrap();
    let document = std::str::from_utf8(&source.document).unwrap().to_owned();
    assert!(document.contains(r#""hasSecret":true"#), "{document}");
    assert!(!document.contains("canary"), "{document}");
    assert!(!product.get("/api/sources/github").await.text.contains("canary"));
}

#[tokio::test]
async fn a_subscription_follows_the_log_and_ends_with_the_process() {
    let product = Product::open().await;
    let mut client = EventServiceClient::new(product.router.clone());
    let request = SubscribeEventsRequest {
        types: vec!["custom.order.*".into()],
        after_sequence: Some(0),
        ..Default::default()
    };
    let mut events = client.subscribe(request).await.unwrap().into_inner();
    let other = TriggerEventRequest { event_type: "custom.other".into(), ..Default::default() };
    client.trigger(other).await.unwrap();
    let id = client.trigger(trigger("1")).await.unwrap().into_inner().event_id;
    let first = events.next().await.unwrap().unwrap().event.unwrap();
    assert_eq!(first.id, id);
    product.health.set_draining();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn health_follows_the_switch() {
    let product = Product::open().await;
    let mut client = HealthClient::new(product.router.clone());
    let ask = |service: &str| HealthCheckRequest { service: service.into() };
    let checked = client.check(ask("omni.v1.EventService")).await.unwrap().into_inner();
    assert_eq!(checked.status(), ServingStatus::Serving);
    assert_eq!(client.check(ask("nobody")).await.unwrap_err().code(), Code::NotFound);
    let mut states = client.watch(ask("")).await.unwrap().into_inner();
    assert_eq!(states.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    product.health.set_draining();
    assert_eq!(states.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(states.next().await.is_none());
}

#[tokio::test]
async fn both_reflections_list_the_services() {
    use tonic_reflection::pb::{v1, v1alpha};
    let product = Product::open().await;
    let expected = "omni.v1.AutomationService";
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(product.router.clone());
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let answers =
        client.server_reflection_info(futures_util::stream::iter([request])).await.unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap();
    assert!(format!("{answer:?}").contains(expected), "{answer:?}");
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(product.router.clone());
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                expected.into(),
            ),
        ),
    };
    let answers =
        client.server_reflection_info(futures_util::stream::iter([request])).await.unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap();
    assert!(format!("{answer:?}").contains("FileDescriptorResponse"), "{answer:?}");
}

#[tokio::test]
async fn an_unknown_service_is_unimplemented() {
    let product = Product::open().await;
    let request = http::Request::post("/omni.v1.NoService/Do")
        .header("content-type", "application/grpc")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = product.send(request).await;
    assert_eq!((answer.status.as_u16(), answer.header("grpc-status")), (200, "12"));
}

#[tokio::test]
async fn grpc_is_spoken_on_the_port_of_the_rest() {
    let product = Product::open().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = product.router.clone().into_make_service();
    let server = tokio::spawn(axum::serve(listener, service).into_future());
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = EventServiceClient::new(endpoint.connect().await.unwrap());
    let id = client.trigger(trigger("1")).await.unwrap().into_inner().event_id;
    assert_eq!(product.get(&format!("/api/events/{id}")).await.json()["payload"], 1);
    let error = client.get(GetEventRequest { id: "x".into() }).await.unwrap_err();
    assert_eq!(error.get_details_error_info().unwrap().reason, "OM0003");
    server.abort();
}
