//! The route table against the RPCs, against the router, and against the OpenAPI document made of it.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use serde_json::Value;
use tower::ServiceExt as _;

use super::Product;
use crate::{openapi, routes};

fn rpcs() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(omni_proto::FILE_DESCRIPTOR_SET).unwrap();
    let services = set.file.iter().filter(|f| f.package() == "omni.v1").flat_map(|f| &f.service);
    services
        .flat_map(|s| s.method.iter().map(move |m| format!("{}.{}", s.name(), m.name())))
        .collect()
}

#[test]
fn every_operation_has_its_rpc_and_the_reverse() {
    let routes = routes::all();
    let exempt = |path: &str| {
        !path.starts_with("/api/") || path.contains("/eventhook/") || path == "/api/openapi.json"
    };
    let without: Vec<&str> =
        routes.iter().filter(|r| r.rpc.is_none() && !exempt(r.path)).map(|r| r.path).collect();
    assert!(without.is_empty(), "operations without an RPC: {without:?}");
    let named: BTreeSet<String> = routes.iter().filter_map(|r| r.rpc.map(str::to_owned)).collect();
    assert_eq!(named, rpcs(), "left: what REST names, right: what proto/ has");
}

#[tokio::test]
async fn every_row_is_routed() {
    let product = Product::open().await;
    for route in routes::all() {
        let path = route.path.replace(['{', '}'], "");
        let request = Request::builder().method(&route.method).uri(&path);
        let request = request.body(Body::empty()).unwrap();
        let response = product.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{} {path}", route.method);
        if status == StatusCode::NOT_FOUND {
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let problem: Value = serde_json::from_slice(&body).unwrap();
            assert_ne!(problem["code"], "OM0004", "{} {path} leads nowhere", route.method);
        }
    }
}

#[test]
fn operation_ids_are_unique() {
    let routes = routes::all();
    let ids: BTreeSet<&str> = routes.iter().map(|r| r.operation_id).collect();
    assert_eq!(ids.len(), routes.len());
}

#[test]
fn the_openapi_document_holds_together() {
    let document = openapi::document(&routes::all(), "1.2.3");
    assert_eq!(document["openapi"], "3.1.0");
    for route in routes::all() {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.path][method];
        assert_eq!(operation["operationId"], route.operation_id, "{operation}");
        assert!(operation["responses"]["default"].is_object(), "{operation}");
    }
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 30, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn query_parameters_and_schemas_are_told() {
    let document = openapi::document(&routes::all(), "1.2.3");
    let listed = document["paths"]["/api/events"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<&str> = listed.iter().filter_map(|p| p["name"].as_str()).collect();
    for name in ["type", "channelType", "correlationId", "from", "order", "limit", "cursor"] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    let limit = listed.iter().find(|p| p["name"] == "limit").unwrap();
    assert_eq!(limit["schema"]["type"], "integer", "{limit}");
    let event = &document["components"]["schemas"]["Event"]["properties"];
    assert!(event["sequence"].is_object() && event["payload"] != Value::Null, "{event}");
    let action = &document["components"]["schemas"]["ActionSpecInput"];
    let required = action["required"].as_array().unwrap();
    assert!(!required.iter().any(|name| name == "onError"), "a default may be left out: {action}");
    let secret = &document["components"]["schemas"];
    assert!(secret.to_string().contains("writeOnly"), "the secret of a source is write-only");
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                found.push(reference.clone());
            }
            map.values().for_each(|inner| collect_references(inner, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| collect_references(inner, found)),
        _ => {}
    }
}
