//! The RPCs of capturing do what REST does, for their own organisation only.

use bytes::Bytes;
use omni_proto::{
    DeleteCapturePolicyRequest, DeleteEventPayloadsRequest, ExpireCapturesRequest,
    ExpungeEventRequest, GetCapturePolicyRequest, GetEventRequest, ListCapturePoliciesRequest,
    ListEventPayloadsRequest, SetCapturePolicyRequest,
    capture_service_client::CaptureServiceClient, event_service_client::EventServiceClient,
};
use serde_json::{Value, json};
use tonic::{Code, Request, Status};

use super::Product;

fn of<T>(org: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-omni-org", org.parse().unwrap());
    request
}

fn code_of<T>(answer: Result<T, Status>) -> Code {
    answer.err().map_or(Code::Ok, |status| status.code())
}

async fn captured(product: &Product) -> String {
    let source = r#"{"name":"shop"}"#;
    assert_eq!(product.post("/api/sources", source).await.status, 201);
    let taken = product.post("/webhooks/shop", r#"{"card":"canary"}"#).await;
    taken.json()["eventId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn policies_are_ruled_by_rpc() {
    let product = Product::open().await;
    let mut captures = CaptureServiceClient::new(product.router.clone());
    let event_type = "custom.webhook.>".to_owned();
    let set = |policy: &'static [u8]| SetCapturePolicyRequest {
        event_type: "custom.webhook.>".to_owned(),
        policy: Bytes::from_static(policy),
    };
    captures.set_policy(of("default", set(br#"{"retentionDays":null}"#))).await.unwrap();
    let wrong = captures.set_policy(of("default", set(br#"{"retentionDays":0}"#))).await;
    assert_eq!(code_of(wrong), Code::InvalidArgument);
    let get = || GetCapturePolicyRequest { event_type: event_type.clone() };
    let stored = captures.get_policy(of("default", get())).await.unwrap().into_inner();
    let policy: Value = serde_json::from_slice(&stored.policy.unwrap().policy).unwrap();
    assert_eq!(policy, json!({ "enabled": true, "retentionDays": null }));
    assert_eq!(code_of(captures.get_policy(of("other", get())).await), Code::NotFound);
    let listed = captures.list_policies(of("other", ListCapturePoliciesRequest {})).await.unwrap();
    assert!(listed.into_inner().policies.is_empty());
    let delete = || DeleteCapturePolicyRequest { event_type: event_type.clone() };
    for (org, code) in
        [("other", Code::NotFound), ("default", Code::Ok), ("default", Code::NotFound)]
    {
        assert_eq!(code_of(captures.delete_policy(of(org, delete())).await), code, "{org}");
    }
}

#[tokio::test]
async fn captures_are_expired_deleted_and_expunged_by_rpc() {
    let product = Product::open().await;
    let id = captured(&product).await;
    let mut captures = CaptureServiceClient::new(product.router.clone());
    let mut events = EventServiceClient::new(product.router.clone());

    let later = prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 };
    let dry = ExpireCapturesRequest { dry_run: true, at: Some(later) };
    let report = captures.expire(of("default", dry)).await.unwrap().into_inner().document;
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!((&report["parts"], &report["deleted"]), (&json!(1), &json!(0)), "{report}");
    let real = ExpireCapturesRequest { dry_run: false, at: Some(later) };
    assert_eq!(code_of(captures.expire(of("default", real)).await), Code::InvalidArgument);

    let delete = |reason: &str| DeleteEventPayloadsRequest {
        event_id: id.clone(),
        reason: reason.to_owned(),
        stage: String::new(),
    };
    assert_eq!(code_of(captures.delete_payloads(of("other", delete("x"))).await), Code::NotFound);
    assert_eq!(
        code_of(captures.delete_payloads(of("default", delete(" "))).await),
        Code::InvalidArgument
    );
    let deleted = captures.delete_payloads(of("default", delete("asked"))).await.unwrap();
    assert_eq!(deleted.into_inner().deleted, 1);
    let list = ListEventPayloadsRequest { event_id: id.clone() };
    let kept = events.list_payloads(of("default", list)).await.unwrap().into_inner().payloads;
    assert_eq!((kept[0].deleted_reason.as_str(), kept[0].body.len()), ("asked", 0));
    assert!(kept[0].deleted_at.is_some() && kept[0].expires_at.is_some());

    let expunge =
        || ExpungeEventRequest { event_id: id.clone(), reason: "by the person".to_owned() };
    assert_eq!(code_of(captures.expunge(of("other", expunge())).await), Code::NotFound);
    let done = captures.expunge(of("default", expunge())).await.unwrap().into_inner();
    let get = GetEventRequest { id: id.clone() };
    let event = events.get(of("default", get)).await.unwrap().into_inner().event.unwrap();
    assert_eq!(&event.payload[..], b"null");
    let expunged = event.expunged.unwrap();
    assert_eq!((expunged.at, expunged.reason.as_str()), (done.at, "by the person"));
}
