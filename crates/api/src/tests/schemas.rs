//! Event types over REST: what every operation answers, and what is told when it does not.

mod bad_input;
mod exchange;
mod rpc;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::{Answer, Product};

const TYPES: &str = "/api/events/types";
const PAID: &str = "/api/events/types/custom.order.paid";

/// `custom.order.paid` with a required `total` of this JSON type.
fn paid(total: &str) -> Value {
    json!({ "eventType": "custom.order.paid", "schema": totalling(total) })
}

fn totalling(total: &str) -> Value {
    json!({ "type": "object", "properties": { "total": { "type": total } }, "required": ["total"] })
}

/// With one more property that may be left out.
fn noted() -> Value {
    let mut schema = totalling("number");
    schema["properties"]["note"] = json!({ "type": "string" });
    schema
}

async fn post(product: &Product, path: &str, body: &Value) -> Answer {
    product.post(path, &body.to_string()).await
}

async fn put(product: &Product, path: &str, body: &Value) -> Answer {
    product.json(("PUT", path), &[], &body.to_string()).await
}

async fn delete(product: &Product, path: &str) -> Answer {
    product.json(("DELETE", path), &[], "").await
}

async fn registered(product: &Product) {
    let answer = post(product, TYPES, &paid("number")).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

async fn registered_again(product: &Product) {
    let answer = post(product, TYPES, &paid("number")).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["outcome"]), (200, &json!("unchanged")));
}

/// Stores events of `custom.order.paid` with these payloads.
async fn happened(product: &Product, payloads: &[Value]) {
    for payload in payloads {
        let event = json!({ "eventType": "custom.order.paid", "payload": payload });
        let answer = post(product, "/api/events/trigger", &event).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
}

async fn automation(product: &Product) {
    let body = json!({
        "name": "vip-fast",
        "triggerEventType": "custom.order.paid",
        "triggerConditions": [{ "field": "payload.total", "operator": "gt", "value": 10 }],
        "actions": [{ "type": "log", "config": { "message": "hi" } }],
    });
    let answer = post(product, "/api/automations", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

#[tokio::test]
async fn a_type_is_registered_and_goes_on_by_versions() {
    let product = Product::open().await;
    let created = post(&product, TYPES, &paid("number")).await;
    assert_eq!((created.status.as_u16(), created.header("location")), (201, PAID));
    let document = created.json();
    assert_eq!(document["outcome"], "created", "{document}");
    assert_eq!((&document["version"], &document["builtIn"]), (&json!(1), &json!(false)));
    assert_eq!(document["compared"]["against"], json!([]), "{document}");
    assert_eq!(document["evidence"]["total"], 0, "{document}");
    assert_eq!(document["readers"], json!([]), "{document}");
    assert!(document["summary"].is_string(), "{document}");

    let again = post(&product, TYPES, &paid("number")).await;
    assert_eq!((again.status.as_u16(), again.header("location")), (200, ""));
    assert_eq!(again.json()["outcome"], "unchanged");
    let mut told = paid("number");
    told["description"] = json!("An order was paid.");
    let told = post(&product, TYPES, &told).await;
    assert_eq!((told.status.as_u16(), &told.json()["outcome"]), (200, &json!("configured")));

    let next = json!({ "eventType": "custom.order.paid", "schema": noted() });
    let next = post(&product, TYPES, &next).await;
    assert_eq!(next.status, 201, "{}", next.text);
    assert_eq!(next.json()["outcome"], "newVersion");
    assert_eq!(next.header("location"), format!("{PAID}/versions/2"));
    assert_eq!(product.get(next.header("location")).await.json()["schema"], noted());

    let versions = product.get(&format!("{PAID}/versions")).await.json();
    let numbers: Vec<&Value> =
        versions["versions"].as_array().unwrap().iter().map(|one| &one["version"]).collect();
    assert_eq!(numbers, [&json!(2), &json!(1)], "{versions}");
    let first = product.get(&format!("{PAID}/versions/1")).await.json();
    assert_eq!(first["schema"], totalling("number"), "{first}");
    let read = product.get(PAID).await.json();
    for time in [&read["createdAt"], &read["updatedAt"], &first["createdAt"]] {
        assert_eq!(time.as_str().unwrap().len(), "2023-11-14T22:13:20.123Z".len(), "{time}");
    }
    assert_eq!((&read["version"], &read["description"]), (&json!(2), &json!("An order was paid.")));
}

#[tokio::test]
async fn types_are_listed_by_namespace() {
    let product = Product::open().await;
    registered(&product).await;
    let names = async |path: &str| -> Vec<String> {
        let listed = product.get(path).await.json();
        let types = listed["types"].as_array().unwrap().clone();
        types.iter().map(|one| one["eventType"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names(TYPES).await.len() > 5);
    for namespace in ["custom", "custom.order", "custom.order.paid"] {
        let path = format!("{TYPES}?namespace={namespace}");
        assert_eq!(names(&path).await, ["custom.order.paid"], "{namespace}");
    }
    for namespace in ["custom.ord", "custom.order.paid.x", "%00"] {
        let path = format!("{TYPES}?namespace={namespace}");
        assert!(names(&path).await.is_empty(), "{namespace}");
    }
}

#[tokio::test]
async fn a_change_that_breaks_is_refused_with_an_example() {
    let product = Product::open().await;
    registered(&product).await;
    happened(&product, &[json!({ "total": 5 }), json!({ "total": 7 })]).await;
    automation(&product).await;
    let refused = post(&product, TYPES, &paid("string")).await.problem(409, "OM0019");
    let compared = &refused["compared"];
    assert_eq!(
        (&compared["compatible"], &compared["compatibility"]),
        (&json!(false), &json!("FULL"))
    );
    let findings = compared["against"][0]["findings"].as_array().unwrap();
    let of = |direction: &str| {
        findings
            .iter()
            .find(|one| one["direction"] == direction)
            .unwrap_or_else(|| panic!("{refused}"))
    };
    let (backward, forward) = (of("backward"), of("forward"));
    assert!(backward["counterExample"]["total"].is_number(), "{backward}");
    assert!(forward["counterExample"]["total"].is_string(), "{forward}");
    let field = &refused["errors"][0];
    assert!(field["pointer"].as_str().unwrap().starts_with("/schema/properties/total"), "{field}");
    assert!(field["detail"].as_str().unwrap().contains("For example: {\"total\":"), "{field}");
    let evidence = &refused["evidence"];
    assert_eq!((&evidence["checked"], &evidence["failing"]), (&json!(2), &json!(2)), "{refused}");
    assert_eq!(evidence["failures"][0]["violations"][0]["pointer"], "/total", "{refused}");
    assert!(refused["summary"].as_str().unwrap().contains("2 of 2"), "{refused}");
    assert_eq!(product.get(PAID).await.json()["version"], 1, "nothing was changed");

    let mut forced = paid("string");
    forced["compatibility"] = json!("NONE");
    assert_eq!(post(&product, TYPES, &forced).await.status, 201);
}

#[tokio::test]
async fn readers_are_held_against_what_they_read_until_now() {
    let product = Product::open().await;
    registered(&product).await;
    automation(&product).await;
    let next = json!({
        "eventType": "custom.order.paid",
        "schema": { "type": "object", "properties": { "sum": { "type": "number" } } },
    });
    let refused = post(&product, TYPES, &next).await.problem(409, "OM0019");
    let reader = &refused["readers"][0];
    assert_eq!(reader["name"], "vip-fast", "{refused}");
    assert!(refused["summary"].as_str().unwrap().contains("vip-fast"), "{refused}");
    let mut forced = next.clone();
    forced["compatibility"] = json!("NONE");
    let done = post(&product, TYPES, &forced).await.json();
    assert_eq!(done["readers"], refused["readers"], "{done}");
}

#[tokio::test]
async fn a_check_says_the_same_and_changes_nothing() {
    let product = Product::open().await;
    registered(&product).await;
    happened(&product, &[json!({ "total": 5 }), json!({ "total": 7 }), json!({ "total": 9 })])
        .await;
    let check = format!("{PAID}/check");
    let body = json!({ "schema": totalling("string"), "limit": 2 });
    let found = post(&product, &check, &body).await.json();
    assert_eq!(found["compared"]["compatible"], false, "{found}");
    let evidence = &found["evidence"];
    assert_eq!((&evidence["checked"], &evidence["failing"]), (&json!(2), &json!(2)), "{found}");
    assert_eq!((&evidence["total"], &evidence["complete"]), (&json!(3), &json!(false)), "{found}");
    let allowed =
        json!({ "schema": totalling("string"), "compatibility": "NONE", "policy": "exact" });
    let found = post(&product, &check, &allowed).await.json();
    assert_eq!(found["compared"]["compatible"], true, "{found}");
    assert_eq!(found["compared"]["policy"], "exact", "{found}");
    assert_eq!(product.get(PAID).await.json()["version"], 1);

    let unregistered = format!("{TYPES}/custom.order.lost/check");
    let found = post(&product, &unregistered, &json!({ "schema": true })).await;
    assert_eq!(found.status, 200, "{}", found.text);
    assert_eq!(product.get(&format!("{TYPES}/custom.order.lost")).await.status, 404);
}

async fn streamed(product: &Product, path: &str, body: &Value) -> Answer {
    let headers = [("accept", "text/event-stream, application/json;q=0.5")];
    product.json(("POST", path), &headers, &body.to_string()).await
}

#[tokio::test]
async fn a_check_tells_how_far_it_is() {
    let product = Product::open().await;
    registered(&product).await;
    let payloads: Vec<Value> = (0..40).map(|total| json!({ "total": total })).collect();
    happened(&product, &payloads).await;
    let check = format!("{PAID}/check");
    let answer = streamed(&product, &check, &json!({ "schema": totalling("string") })).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/event-stream"));
    let messages: Vec<&str> = answer.text.split("\n\n").filter(|part| !part.is_empty()).collect();
    let (last, before) = messages.split_last().unwrap();
    let data = |message: &str| -> Value {
        serde_json::from_str(message.split_once("data: ").unwrap().1).unwrap()
    };
    assert!(last.starts_with("event: check\n"), "{last}");
    assert_eq!(data(last)["evidence"]["failing"], 40, "{last}");
    assert!(!before.is_empty(), "{}", answer.text);
    for message in before {
        assert!(message.starts_with("event: progress\n"), "{message}");
        let step = data(message);
        assert!(step["checked"].as_u64() <= step["total"].as_u64(), "{step}");
    }

    let wrong = streamed(&product, &check, &json!({ "schema": { "type": "nothing" } })).await;
    assert_eq!(wrong.problem(400, "OM0002")["errors"][0]["pointer"], "/schema/type");
}

#[tokio::test]
async fn what_is_said_of_a_type_is_changed_without_a_version() {
    let product = Product::open().await;
    registered(&product).await;
    let config = format!("{PAID}/config");
    let body = json!({
        "description": "Paid.", "validation": "warn", "compatibility": "BACKWARD_TRANSITIVE",
        "policy": "exact", "stream": "MEDIA",
    });
    let changed = put(&product, &config, &body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let read = product.get(PAID).await.json();
    assert_eq!(read, changed.json());
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&read[name], value, "{read}");
    }
    assert_eq!(read["version"], 1);
    let rest = put(&product, &config, &json!({ "validation": "off" })).await.json();
    assert_eq!((&rest["validation"], &rest["description"]), (&json!("off"), &json!("Paid.")));
    let back = json!({ "compatibility": null, "description": null });
    let back = put(&product, &config, &back).await.json();
    assert_eq!((&back["compatibility"], &back["description"]), (&json!(null), &json!(null)));
    assert_eq!((&back["policy"], &back["stream"]), (&json!("exact"), &json!("MEDIA")));
    let back = put(&product, &config, &json!({ "policy": null, "stream": null })).await.json();
    assert_eq!((&back["policy"], &back["stream"]), (&json!(null), &json!(null)), "{back}");
}

#[tokio::test]
async fn stored_events_are_not_looked_at_when_nothing_is_different() {
    let product = Product::open().await;
    registered(&product).await;
    happened(&product, &[json!({ "total": 5 })]).await;
    let again = post(&product, TYPES, &paid("number")).await.json();
    assert_eq!((&again["outcome"], again.get("evidence")), (&json!("unchanged"), None), "{again}");
    assert!(again["summary"].as_str().unwrap().contains("nothing is different"), "{again}");
    assert_eq!(again["readers"], json!([]));
    let mut strict = paid("number");
    strict["validation"] = json!("warn");
    let configured = post(&product, TYPES, &strict).await.json();
    assert_eq!(configured["evidence"]["checked"], 1, "{configured}");
}

#[tokio::test]
async fn versions_go_on_below_the_last_one() {
    let product = Product::open().await;
    registered(&product).await;
    let next = json!({ "eventType": "custom.order.paid", "schema": noted() });
    assert_eq!(post(&product, TYPES, &next).await.status, 201);
    let versions = format!("{PAID}/versions");
    let listed = product.get(&versions).await.json();
    assert_eq!(listed.get("next"), None, "{listed}");
    let older = product.get(&format!("{versions}?before=2")).await.json();
    let numbers: Vec<_> =
        older["versions"].as_array().unwrap().iter().map(|v| &v["version"]).collect();
    assert_eq!(numbers, [&json!(1)]);
    let none = product.get(&format!("{versions}?before=1")).await;
    assert_eq!((none.status.as_u16(), &none.json()["versions"]), (200, &json!([])));
    product.get(&format!("{versions}?before=x")).await.problem(400, "OM0002");
    let unknown = format!("{TYPES}/custom.order.lost/versions?before=9");
    product.get(&unknown).await.problem(404, "OM0003");
}

#[tokio::test]
async fn every_change_is_told_to_other_processes() {
    let product = Product::open().await;
    registered(&product).await;
    registered_again(&product).await;
    put(&product, &format!("{PAID}/config"), &json!({ "validation": "warn" })).await;
    put(&product, &format!("{PAID}/config"), &json!({ "validation": "warn" })).await;
    let next = json!({ "eventType": "custom.order.paid", "schema": noted() });
    post(&product, TYPES, &next).await;
    delete(&product, PAID).await;
    let path = "/api/events?type=system.definition.changed&order=asc";
    let listed = product.get(path).await.json();
    let told: Vec<Value> =
        listed["items"].as_array().unwrap().iter().map(|event| event["payload"].clone()).collect();
    let of = |change: &str, version: i32| json!({ "kind": "eventType", "name": "custom.order.paid", "change": change, "version": version });
    let gone = json!({ "kind": "eventType", "name": "custom.order.paid", "change": "deleted" });
    assert_eq!(told, [of("created", 1), of("changed", 1), of("changed", 2), gone]);
}

#[tokio::test]
async fn an_organisation_has_settings_that_its_types_go_by() {
    let product = Product::open().await;
    let path = format!("{TYPES}/settings");
    let usual = json!({ "compatibility": "FULL", "policy": "lenient" });
    assert_eq!(product.get(&path).await.json(), usual);
    let none = json!({ "compatibility": "NONE", "policy": "lenient" });
    assert_eq!(put(&product, &path, &none).await.json(), none);
    assert_eq!(product.get(&path).await.json(), none);
    registered(&product).await;
    assert_eq!(post(&product, TYPES, &paid("string")).await.status, 201);
    let other = Request::get(&path).header("x-omni-org", "other").body(Body::empty()).unwrap();
    assert_eq!(product.send(other).await.json(), usual);
}

#[tokio::test]
async fn a_type_is_deleted_and_then_for_good() {
    let product = Product::open().await;
    registered(&product).await;
    let permanent = format!("{PAID}?permanent=true");
    delete(&product, &permanent).await.problem(409, "OM0020");
    let gone = delete(&product, PAID).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    product.get(PAID).await.problem(404, "OM0003");
    delete(&product, PAID).await.problem(404, "OM0003");
    assert_eq!(product.get(&format!("{PAID}/versions/1")).await.status, 200);
    assert_eq!(delete(&product, &permanent).await.status, 204);
    product.get(&format!("{PAID}/versions/1")).await.problem(404, "OM0003");
    product.get(&format!("{PAID}/versions")).await.problem(404, "OM0003");
    let again = post(&product, TYPES, &paid("string")).await;
    assert_eq!((again.status.as_u16(), &again.json()["version"]), (201, &json!(2)));
}

#[tokio::test]
async fn a_type_that_is_used_is_not_deleted() {
    let product = Product::open().await;
    registered(&product).await;
    automation(&product).await;
    let refused = delete(&product, PAID).await.problem(409, "OM0020");
    assert!(refused["detail"].as_str().unwrap().contains("vip-fast"), "{refused}");
    assert!(refused["users"][0].as_str().unwrap().contains("is triggered by it"), "{refused}");
    assert_eq!(product.get(PAID).await.status, 200);
}

#[tokio::test]
async fn a_schema_is_proposed_from_what_was_sent() {
    let product = Product::open().await;
    let payloads: Vec<Value> = (0..5).map(|total| json!({ "total": total })).collect();
    happened(&product, &payloads).await;
    let infer = format!("{PAID}/infer");
    let found = post(&product, &infer, &json!({})).await.json();
    assert_eq!(found["documents"], 5, "{found}");
    assert_eq!(found["schema"]["properties"]["total"]["type"], "integer", "{found}");
    assert_eq!(found["schema"]["required"], json!(["total"]), "{found}");
    assert!(!found["evidence"].as_array().unwrap().is_empty(), "{found}");
    let few = post(&product, &infer, &json!({ "limit": 2 })).await.json();
    assert_eq!(few["documents"], 2, "{few}");
    let past = post(&product, &infer, &json!({ "to": "2001-01-01T00:00:00Z" })).await.json();
    assert_eq!(past["documents"], 0, "{past}");
}
