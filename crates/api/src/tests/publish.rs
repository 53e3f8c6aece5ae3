//! Publishing over both faces: every form is taken, a batch is taken whole or not at all, and a repeat is known.

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use omni_proto::{
    PublishEventsRequest, TriggerEventRequest, event_service_client::EventServiceClient,
};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{Answer, Product};

const EVENTS: &str = "/api/events";
const ONE: &str = "application/cloudevents+json";
const MANY: &str = "application/cloudevents-batch+json";
const OWN: &str = "application/json";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn send(product: &Product, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::post(EVENTS);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    product.send(request.body(body.into()).unwrap()).await
}

async fn post(product: &Product, media: &str, body: &Value) -> Answer {
    send(product, &[("content-type", media)], body.to_string()).await
}

/// Checks that all was taken, and answers the ids.
#[track_caller]
fn taken(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let document = answer.json();
    let items = document["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["sequence"].is_i64()), "{document}");
    items.iter().map(|item| item["eventId"].as_str().unwrap().to_owned()).collect()
}

async fn event(product: &Product, id: &str) -> Value {
    product.get(&format!("{EVENTS}/{id}")).await.json()
}

async fn stored(product: &Product) -> usize {
    product.get("/api/events?type=custom.%3E&limit=500").await.json()["items"]
        .as_array()
        .unwrap()
        .len()
}

fn cloud(id: &str, data: &Value) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/orders", "type": "order.paid", "data": data })
}

fn own(payload: &Value) -> Value {
    json!({ "eventType": "custom.order.paid", "payload": payload })
}

/// Registers `custom.order.paid` with a required number `total` for an organisation.
async fn registered(product: &Product, org: &str) {
    let schema = json!({
        "type": "object",
        "properties": { "total": { "type": "number" } },
        "required": ["total"],
    });
    let body = json!({ "eventType": "custom.order.paid", "schema": schema }).to_string();
    let headers = [("x-omni-org", org)];
    let answer = product.json(("POST", "/api/events/types"), &headers, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_structured_cloudevent_is_an_event_with_its_data_as_sent() {
    let product = Product::open().await;
    let body = format!(
        r#"{{"specversion":"1.0","id":"7","source":"/orders","type":"com.example.Order.Paid",
        "time":"2026-01-31T23:59:59Z","correlationid":"c-1","traceparent":"{TRACE}","subject":"s-1",
        "data":{{ "total": 10.50, "big": 12345678901234567890123 }}}}"#
    );
    let kind = [("content-type", "Application/CloudEvents+JSON; charset=utf-8")];
    let answer = send(&product, &kind, body).await;
    let ids = taken(&answer);
    assert_eq!(answer.header("x-correlation-id"), "c-1");
    let path = format!("{EVENTS}/{}", ids[0]);
    let text = product.get(&path).await.text;
    assert!(text.contains(r#"{ "total": 10.50, "big": 12345678901234567890123 }"#), "{text}");
    let found = event(&product, &ids[0]).await;
    assert_eq!(found["type"], "custom.com.example.order.paid", "{found}");
    assert_eq!(
        (&found["source"], &found["time"]),
        (&json!("cloudevents"), &json!("2026-01-31T23:59:59.000Z"))
    );
    let metadata = &found["metadata"];
    assert_eq!(metadata["correlationId"], "c-1", "{metadata}");
    assert_eq!(metadata["traceparent"], TRACE, "{metadata}");
    assert_eq!(
        (&metadata["provider"], &metadata["providerEventId"]),
        (&json!("/orders"), &json!("7"))
    );
    let kept = product.get(&format!("{path}/payloads/webhook_raw")).await.text;
    assert!(kept.contains(r#""subject":"s-1""#), "what has no place in the event is kept: {kept}");
}

#[tokio::test]
async fn a_binary_cloudevent_is_an_event() {
    let product = Product::open().await;
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "/orders"),
        ("ce-type", "custom.order.paid"),
    ];
    let with = |kind: &'static str| {
        headers.into_iter().chain([("content-type", kind)]).collect::<Vec<_>>()
    };
    let answer = send(&product, &with("application/vnd.order+json"), r#"{"total": 1.50}"#).await;
    let ids = taken(&answer);
    assert_eq!(answer.header("x-correlation-id"), ids[0]);
    let text = product.get(&format!("{EVENTS}/{}", ids[0])).await.text;
    assert!(text.contains(r#""payload":{"total": 1.50}"#), "{text}");

    let refused = send(&product, &with("text/plain"), "hi").await.problem(415, "OM0011");
    assert!(refused["detail"].as_str().unwrap().contains("text/plain"), "{refused}");
    send(&product, &headers, r#"{"total": 1}"#).await.problem(415, "OM0011");
    send(&product, &with(OWN), "{]").await.problem(400, "OM0001");
    let empty = [("ce-id", "8")].iter().chain(&headers[..1]).chain(&headers[2..]).copied();
    let empty = send(&product, &empty.collect::<Vec<_>>(), Body::empty()).await;
    assert_eq!(event(&product, &taken(&empty)[0]).await["payload"], Value::Null);

    let missing = send(&product, &headers[1..], Body::empty()).await.problem(400, "OM0002");
    assert_eq!(pointers(&missing), ["ce-specversion"], "{missing}");
    registered(&product, "default").await;
    let wrong = send(&product, &with(OWN), r#"{"total": "x"}"#).await.problem(422, "OM0009");
    assert_eq!(pointers(&wrong), ["/total"], "the body is the data: {wrong}");
}

#[tokio::test]
async fn our_own_form_is_taken_alone_and_in_a_list() {
    let product = Product::open().await;
    let mut one = own(&json!({ "n": 1 }));
    one["metadata"] = json!({ "instanceId": "shop-1", "correlationId": "c-9" });
    one["priority"] = json!("high");
    let answer = post(&product, OWN, &one).await;
    let ids = taken(&answer);
    assert_eq!(answer.header("x-correlation-id"), "c-9");
    let found = event(&product, &ids[0]).await;
    assert_eq!(found["metadata"]["instanceId"], "shop-1", "{found}");
    assert_eq!((&found["source"], &found["metadata"]["priority"]), (&json!("api"), &json!("high")));

    let all: Vec<Value> = (0..300).map(|n| own(&json!({ "n": n }))).collect();
    let answer = post(&product, OWN, &json!(all)).await;
    let ids = taken(&answer);
    let items = answer.json()["items"].as_array().unwrap().clone();
    let sequences: Vec<i64> = items.iter().map(|item| item["sequence"].as_i64().unwrap()).collect();
    assert!(sequences.is_sorted(), "they happen in the order of the list: {sequences:?}");
    for n in [0, 150, 299] {
        assert_eq!(event(&product, &ids[n]).await["payload"]["n"], n);
    }
}

#[tokio::test]
async fn a_batch_of_cloudevents_keeps_the_bytes_of_each() {
    let product = Product::open().await;
    let body = r#"[{"specversion":"1.0","id":"1","source":"/s","type":"a","data":{"b": 1.50, "a":  2}},
        {"specversion":"1.0","id":"2","source":"/s","type":"a","data_base64":"AAE=","datacontenttype":"image/png"}]"#;
    let ids = taken(&send(&product, &[("content-type", MANY)], body).await);
    let text = product.get(&format!("{EVENTS}/{}", ids[0])).await.text;
    assert!(text.contains(r#""payload":{"b": 1.50, "a":  2}"#), "{text}");
    assert_eq!(event(&product, &ids[1]).await["payload"]["base64"], "AAE=");
}

#[tokio::test]
async fn a_batch_with_bad_events_is_refused_whole_with_the_place_of_each_fault() {
    let product = Product::open().await;
    registered(&product, "default").await;
    let good = |id: &str| {
        let mut event = cloud(id, &json!({ "total": 1 }));
        event["type"] = json!("custom.order.paid");
        event
    };
    let mut unfit = good("3");
    unfit["data"] = json!({ "total": "x" });
    let unfit = post(&product, MANY, &json!([good("0"), good("1"), good("2"), unfit])).await;
    let problem = unfit.problem(422, "OM0009");
    assert_eq!(pointers(&problem), ["/3/data/total"], "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("1 of 4 event is not taken, so none was stored"), "{problem}");

    let mut no_id = good("x");
    no_id.as_object_mut().unwrap().remove("id");
    let mut bad_channel = good("c");
    bad_channel["omnichannel"] = json!("a.b");
    let mixed = json!([good("0"), no_id, bad_channel, { "specversion": "1.0" }, 7, good("5")]);
    let problem = post(&product, MANY, &mixed).await.problem(400, "OM0002");
    assert_eq!(pointers(&problem), ["/1/id", "/2/omnichannel", "/3/id", "/4"], "{problem}");
    assert!(problem["detail"].as_str().unwrap().starts_with("4 of 6 events are"), "{problem}");

    let list = json!([
        own(&json!({ "total": 1 })),
        own(&json!({ "total": [] })),
        { "eventType": "custom.a", "metadata": { "channelType": "a.b" } },
        { "eventType": "order.paid" },
        { "eventType": "custom.a", "lost": 1 },
        { "eventType": "custom.a", "scheduledAt": "2027-01-01T00:00:00Z" },
        { "eventType": "message.nonsense" },
    ]);
    let problem = post(&product, OWN, &list).await.problem(400, "OM0002");
    let expected = [
        "/1/payload/total",
        "/2/metadata/channelType",
        "/3/eventType",
        "/4/lost",
        "/5/scheduledAt",
        "/6/eventType",
    ];
    assert_eq!(pointers(&problem), expected, "{problem}");
    assert_eq!(stored(&product).await, 0, "nothing of any of them was stored");
}

#[tokio::test]
async fn a_single_event_is_refused_without_an_index() {
    let product = Product::open().await;
    registered(&product, "default").await;
    let mut event = cloud("1", &json!({ "total": "x" }));
    event["type"] = json!("custom.order.paid");
    let problem = post(&product, ONE, &event).await.problem(422, "OM0009");
    assert_eq!(pointers(&problem), ["/data/total"], "{problem}");
    let problem = post(&product, OWN, &own(&json!({}))).await.problem(422, "OM0009");
    let trigger = product.post("/api/events/trigger", &own(&json!({})).to_string()).await;
    assert_eq!(problem, trigger.problem(422, "OM0009"), "as a trigger is");
    event["specversion"] = json!("0.3");
    let problem = post(&product, ONE, &event).await.problem(400, "OM0002");
    assert_eq!(pointers(&problem), ["/specversion"], "{problem}");
}

#[tokio::test]
async fn at_most_twenty_faults_are_told_and_all_are_counted() {
    let product = Product::open().await;
    let list = json!(vec![json!({ "eventType": "nonsense" }); 30]);
    let problem = post(&product, OWN, &list).await.problem(400, "OM0002");
    assert_eq!(pointers(&problem).len(), 20, "{problem}");
    assert!(problem["detail"].as_str().unwrap().starts_with("30 of 30 events are"), "{problem}");
}

#[tokio::test]
async fn a_repeat_answers_as_the_first_call_did() {
    let product = Product::open().await;
    let first = taken(&post(&product, ONE, &cloud("1", &json!(1))).await);
    let again = json!([cloud("1", &json!(1)), cloud("2", &json!(2)), cloud("2", &json!(2))]);
    let ids = taken(&post(&product, MANY, &again).await);
    assert_eq!(ids[0], first[0]);
    assert_eq!(ids[1], ids[2], "also in one call");
    assert_eq!(stored(&product).await, 2);

    let two = json!([own(&json!(1)), own(&json!(2))]).to_string();
    let headers = [("content-type", OWN), ("idempotency-key", "k")];
    let once = taken(&send(&product, &headers, two.clone()).await);
    assert_eq!(taken(&send(&product, &headers, two.clone()).await), once);
    let all = json!([own(&json!(1)), own(&json!(2)), own(&json!(3))]).to_string();
    assert_eq!(taken(&send(&product, &headers, all).await)[..2], once[..]);
    assert_eq!(stored(&product).await, 5);
    assert_ne!(taken(&send(&product, &headers[..1], two.clone()).await), once, "without a key");

    let one = own(&json!(7)).to_string();
    let single = taken(&send(&product, &headers, one.clone()).await);
    let path = ("POST", "/api/events/trigger");
    let triggered = product.json(path, &headers[1..], &one).await.json();
    assert_eq!(triggered["eventId"], single[0], "the key of a single event is that of a trigger");

    let long = "k".repeat(252);
    let headers = [("content-type", OWN), ("idempotency-key", long.as_str())];
    let problem = send(&product, &headers, two).await.problem(400, "OM0002");
    assert_eq!(pointers(&problem), ["Idempotency-Key"], "{problem}");
    taken(&send(&product, &headers, one).await);
}

#[tokio::test]
async fn an_id_that_was_used_for_something_else_is_told_with_what_was_stored() {
    let product = Product::open().await;
    let twins = json!([cloud("1", &json!(1)), cloud("1", &json!(2))]);
    let problem = post(&product, MANY, &twins).await.problem(400, "OM0002");
    assert_eq!(pointers(&problem), ["/1/id"], "{problem}");
    assert_eq!(stored(&product).await, 0);

    taken(&post(&product, ONE, &cloud("1", &json!(1))).await);
    let other = [cloud("0", &json!(1)), cloud("1", &json!(2)), cloud("2", &json!(1))];
    let problem = post(&product, MANY, &json!(other)).await.problem(409, "OM0008");
    assert_eq!(pointers(&problem), ["/1"], "{problem}");
    let items = problem["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[1]["index"]), (2, &json!(2)), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("2 of 3 events were stored"), "{detail}");
    assert!(detail.contains("is not stored twice"), "{detail}");
    assert_eq!(event(&product, items[0]["eventId"].as_str().unwrap()).await["payload"], 1);
    assert_eq!(stored(&product).await, 3);
}

#[tokio::test]
async fn as_many_events_as_a_call_may_have_are_taken_and_one_more_is_not() {
    let product = Product::open().await;
    let list = |count: usize| json!(vec![json!({ "eventType": "custom.a" }); count]);
    let refused = post(&product, OWN, &list(1001)).await.problem(413, "OM0010");
    assert!(refused["detail"].as_str().unwrap().contains("1000"), "{refused}");
    assert_eq!(stored(&product).await, 0);
    assert_eq!(taken(&post(&product, OWN, &list(1000)).await).len(), 1000);
    let events: Vec<Value> = (0..1001).map(|n| cloud(&n.to_string(), &json!(null))).collect();
    post(&product, MANY, &json!(events)).await.problem(413, "OM0010");
    let large = own(&json!("x".repeat(1 << 20)));
    post(&product, OWN, &large).await.problem(413, "OM0010");
}

#[tokio::test]
async fn an_empty_list_is_taken_and_changes_nothing() {
    let product = Product::open().await;
    for media in [OWN, MANY] {
        assert!(taken(&post(&product, media, &json!([])).await).is_empty());
    }
    assert_eq!(stored(&product).await, 0);
}

#[tokio::test]
async fn the_schema_of_another_organisation_does_not_matter() {
    let product = Product::open().await;
    registered(&product, "acme").await;
    let body = json!([own(&json!({ "total": "x" }))]).to_string();
    taken(&send(&product, &[("content-type", OWN)], body.clone()).await);
    let headers = [("content-type", OWN), ("x-omni-org", "acme")];
    let problem = send(&product, &headers, body).await.problem(422, "OM0009");
    assert_eq!(pointers(&problem), ["/0/payload/total"], "{problem}");
    let same = json!([cloud("1", &json!({ "total": 1 }))]).to_string();
    let ours = taken(&send(&product, &[("content-type", MANY)], same.clone()).await);
    let headers = [("content-type", MANY), ("x-omni-org", "acme")];
    assert_ne!(taken(&send(&product, &headers, same).await), ours, "nor do its ids");
}

#[tokio::test]
async fn what_is_not_said_to_be_json_is_refused() {
    let product = Product::open().await;
    let body = own(&json!(1)).to_string();
    for kind in ["text/plain", "application/cloudevents+xml", "application/cloudevents", ""] {
        let answer = send(&product, &[("content-type", kind)], body.clone()).await;
        answer.problem(415, "OM0011");
    }
    send(&product, &[], body).await.problem(415, "OM0011");
    for (media, body) in [(OWN, "{]"), (ONE, "{]"), (MANY, "[{]"), (MANY, "")] {
        send(&product, &[("content-type", media)], body).await.problem(400, "OM0001");
    }
    for (media, body) in [(MANY, "{}"), (ONE, "[]"), (OWN, "7")] {
        send(&product, &[("content-type", media)], body).await.problem(400, "OM0002");
    }
    assert_eq!(stored(&product).await, 0);
}

#[tokio::test]
async fn events_are_published_by_rpc() {
    let product = Product::open().await;
    registered(&product, "default").await;
    let mut client = EventServiceClient::new(product.router.clone());
    let own = |payload: &'static str| TriggerEventRequest {
        event_type: "custom.order.paid".into(),
        payload: payload.into(),
        ..Default::default()
    };
    let request = |events| PublishEventsRequest { events, ..Default::default() };
    let clouds = |all: &[Value]| PublishEventsRequest {
        cloud_events: all.iter().map(|one| Bytes::from(one.to_string())).collect(),
        ..Default::default()
    };
    let both = [own(r#"{"total": 1.50}"#), own(r#"{"total": 2}"#)];
    let items = client.publish(request(both.to_vec())).await.unwrap().into_inner().items;
    assert!(items.len() == 2 && items[0].sequence < items[1].sequence, "{items:?}");
    let text = product.get(&format!("{EVENTS}/{}", items[0].event_id)).await.text;
    assert!(text.contains(r#"{"total": 1.50}"#), "{text}");
    let all = [cloud("1", &json!({ "total": 1 })), cloud("1", &json!({ "total": 1 }))];
    let items = client.publish(clouds(&all)).await.unwrap().into_inner().items;
    assert_eq!(items[0], items[1]);

    let count = stored(&product).await;
    let bad = request(vec![own(r#"{"total": 1}"#), own(r#"{"total": "x"}"#)]);
    let status = client.publish(bad).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let fields = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields[0].field, "/1/payload/total", "{fields:?}");
    let mut wrong = cloud("2", &json!({}));
    wrong["type"] = json!("custom.order.paid");
    let status = client.publish(clouds(&[wrong])).await.unwrap_err();
    let fields = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields[0].field, "/0/data", "{fields:?}");
    let mixed = PublishEventsRequest { events: vec![own("1")], ..clouds(&all) };
    assert_eq!(client.publish(mixed).await.unwrap_err().code(), Code::InvalidArgument);
    let many = request(vec![own("{}"); 1001]);
    assert_eq!(client.publish(many).await.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(stored(&product).await, count);
}
