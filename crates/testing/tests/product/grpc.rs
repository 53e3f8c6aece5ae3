//! The same product over gRPC: a client that knows nothing finds its way by reflection, and can do what REST can.

use futures_util::StreamExt as _;
use omni_proto as pb;
use omni_testing::{Database, TestApp};
use serde_json::{Value, json};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

async fn channel(app: &TestApp) -> Channel {
    Channel::from_shared(app.url.clone()).unwrap().connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_makes_a_rule_triggers_an_event_and_reads_its_execution() {
    let app = TestApp::start(Database::Embedded).await;
    let channel = channel(&app).await;
    let mut automations =
        pb::automation_service_client::AutomationServiceClient::new(channel.clone());
    let mut events = pb::event_service_client::EventServiceClient::new(channel.clone());
    let definition = json!({ "name": "by-grpc", "triggerEventType": "custom.grpc", "actions": [{ "type": "log", "config": { "level": "info", "message": "{{ payload.n }}" } }] });
    let request = pb::CreateAutomationRequest { definition: definition.to_string().into() };
    let created = automations.create(request).await.unwrap().into_inner().automation.unwrap();
    assert_eq!((created.name.as_str(), created.version), ("by-grpc", 1));

    let payload = r#"{ "n": 9007199254740993.10 }"#;
    let request = pb::TriggerEventRequest {
        event_type: "custom.grpc".into(),
        payload: payload.into(),
        ..Default::default()
    };
    let triggered = events.trigger(request).await.unwrap().into_inner();
    assert!(triggered.sequence > 0);
    app.outcome(&triggered.event_id).await;
    let got = events.get(pb::GetEventRequest { id: triggered.event_id.clone() }).await.unwrap();
    let event = got.into_inner().event.unwrap();
    assert_eq!(event.payload, payload.as_bytes(), "byte for byte");
    assert_eq!(event.outcome.unwrap().status, "completed");

    let request = pb::ListExecutionsRequest { event_id: triggered.event_id, ..Default::default() };
    let executions = automations.list_executions(request).await.unwrap().into_inner().executions;
    assert_eq!(executions.len(), 1);
    assert_eq!(executions[0].status, "success");
    let actions: Value = serde_json::from_slice(&executions[0].actions_executed).unwrap();
    assert_eq!(actions[0]["action"], "log");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reflection_names_every_service_and_health_answers() {
    let app = TestApp::start(Database::Embedded).await;
    let channel = channel(&app).await;
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel.clone())
        .server_reflection_info(futures_util::stream::iter([ask]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.next().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let names: Vec<_> = list.service.iter().map(|s| s.name.as_str()).collect();
    for wanted in [
        "omni.v1.EventService",
        "omni.v1.SourceService",
        "omni.v1.AutomationService",
        "omni.v1.RegistryService",
        "omni.v1.AdminService",
    ] {
        assert!(names.contains(&wanted), "{wanted} is not in {names:?}");
    }
    let health = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(health.into_inner().status, 1, "SERVING");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_say_what_and_where() {
    let app = TestApp::start(Database::Embedded).await;
    let channel = channel(&app).await;
    let mut automations =
        pb::automation_service_client::AutomationServiceClient::new(channel.clone());
    let mut events = pb::event_service_client::EventServiceClient::new(channel);
    let definition = json!({ "name": "bad", "triggerEventType": "custom.x", "actions": [{ "type": "fly", "config": {} }] });
    let status = automations
        .create(pb::CreateAutomationRequest { definition: definition.to_string().into() })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = tonic_types::StatusExt::get_error_details(&status);
    let fields: Vec<_> =
        details.bad_request().unwrap().field_violations.iter().map(|v| v.field.clone()).collect();
    assert_eq!(fields, ["/actions/0/type"]);
    let missing = pb::GetEventRequest { id: uuid::Uuid::from_u128(1).to_string() };
    assert_eq!(events.get(missing).await.unwrap_err().code(), Code::NotFound);
    app.finish().await;
}

/// A live subscription shows what comes in, and a drain ends it instead of waiting for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_follows_live_and_does_not_hold_up_a_drain() {
    let app = TestApp::start(Database::Embedded).await;
    let mut events = pb::event_service_client::EventServiceClient::new(channel(&app).await);
    let request = pb::SubscribeEventsRequest {
        types: vec!["custom.live.*".into()],
        after_sequence: Some(0),
        ..Default::default()
    };
    let mut live = events.subscribe(request).await.unwrap().into_inner();
    app.trigger("custom.other", &json!({})).await;
    let id = app.trigger("custom.live.one", &json!({})).await;
    let got = live.next().await.unwrap().unwrap().event.unwrap();
    assert_eq!(got.id, id);
    app.finish().await;
    while let Some(Ok(_)) = live.next().await {}
}
