//! What a careless or hostile caller sends about types: told with its place, and never a crash or another tenant's type.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::{PAID, TYPES, delete, noted, paid, post, put, registered};
use crate::tests::{Answer, Product};

#[tokio::test]
async fn an_unusable_schema_is_told_with_its_place() {
    let product = Product::open().await;
    registered(&product).await;
    let recursive = json!({ "$ref": "#" });
    let hostile = json!({ "properties": { "a": { "pattern": "(a{1000}){1000}" } } });
    let large = json!({ "description": "x".repeat(300 * 1024) });
    for (schema, pointer) in [
        (Value::Null, "/schema"),
        (json!("a text"), "/schema"),
        (json!({ "type": "nothing" }), "/schema/type"),
        (json!({ "properties": { "a": { "type": 7 } } }), "/schema/properties/a/type"),
        (json!({ "$ref": "https://evil.example/schema.json" }), "/schema/$ref"),
        (json!({ "$ref": "file:///etc/passwd" }), "/schema/$ref"),
        (recursive, "/schema"),
        (hostile, "/schema/properties/a/pattern"),
        (large, "/schema"),
    ] {
        let body = json!({ "eventType": "custom.order.paid", "schema": schema });
        for (path, body) in
            [(TYPES.to_owned(), body), (format!("{PAID}/check"), json!({ "schema": schema }))]
        {
            let told = post(&product, &path, &body).await.problem(400, "OM0002");
            let found = told["errors"][0]["pointer"].as_str().unwrap();
            assert!(found.starts_with(pointer), "{path}: {pointer} is not {found}");
            assert!(!told["errors"][0]["detail"].as_str().unwrap().is_empty(), "{told}");
        }
    }
    assert_eq!(product.get(PAID).await.json()["version"], 1);
}

#[tokio::test]
async fn a_body_of_a_megabyte_is_not_read() {
    let product = Product::open().await;
    let body =
        json!({ "eventType": "custom.a", "schema": { "description": "x".repeat(1024 * 1024) } });
    post(&product, TYPES, &body).await.problem(413, "OM0010");
    let deep = format!(
        r#"{{"eventType":"custom.a","schema":{}{}}}"#,
        r#"{"not":"#.repeat(500),
        "}".repeat(500)
    );
    product.post(TYPES, &deep).await.problem(400, "OM0001");
    product.get(&format!("{TYPES}/custom.a")).await.problem(404, "OM0003");
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let product = Product::open().await;
    registered(&product).await;
    let with = |name: &str, value: Value| {
        let mut body = paid("number");
        body[name] = value;
        body
    };
    let config = format!("{PAID}/config");
    let check = format!("{PAID}/check");
    let infer = format!("{PAID}/infer");
    let import = format!("{TYPES}/import");
    let settings = format!("{TYPES}/settings");
    let document = json!({ "openapi": "3.1.0" });
    for (method, path, body, pointer) in [
        ("POST", TYPES, with("eventType", json!("Order Paid")), "/eventType"),
        ("POST", TYPES, with("eventType", json!("order.paid")), "/eventType"),
        ("POST", TYPES, with("compatibility", json!("full")), "/compatibility"),
        ("POST", TYPES, with("validation", json!("strict")), "/validation"),
        ("POST", TYPES, with("policy", json!("LENIENT")), "/policy"),
        ("POST", TYPES, with("stream", json!("custom")), "/stream"),
        ("POST", TYPES, with("descripton", json!("x")), "/descripton"),
        ("POST", TYPES, with("description", json!("a\u{0}b")), "/description"),
        ("POST", TYPES, with("description", json!("x".repeat(5000))), "/description"),
        ("POST", TYPES, json!({ "eventType": "custom.a" }), ""),
        ("PUT", &config, json!({ "schema": {} }), "/schema"),
        ("PUT", &config, json!({ "validation": "Enforce" }), "/validation"),
        ("POST", &check, json!({ "schema": {}, "limit": 0 }), "/limit"),
        ("POST", &check, json!({ "schema": {}, "limit": 1_000_001 }), "/limit"),
        ("POST", &check, json!({ "schema": {}, "limit": -1 }), "/limit"),
        ("POST", &check, json!({ "schema": {}, "sample": 1 }), "/sample"),
        ("POST", &infer, json!({ "limit": 0 }), "/limit"),
        ("POST", &infer, json!({ "from": "-200000-01-01T00:00:00Z" }), "/from"),
        ("POST", &infer, json!({ "until": 1 }), "/until"),
        ("PUT", &settings, json!({ "compatibility": "SOME" }), "/compatibility"),
        ("PUT", &settings, json!({ "mode": "FULL" }), "/mode"),
        ("POST", &import, json!({ "document": document, "prefix": "Custom" }), "/prefix"),
        ("POST", &import, json!({ "document": document, "prefix": "message" }), "/prefix"),
        ("POST", &import, json!({ "document": document, "prefix": "" }), "/prefix"),
        ("POST", &import, json!({ "document": document }), "/document"),
        ("POST", &import, json!({ "document": { "swagger": "2.0" } }), "/document/swagger"),
    ] {
        let answer = product.json((method, path), &[], &body.to_string()).await;
        let told = answer.problem(400, "OM0002");
        assert_eq!(told["errors"][0]["pointer"], pointer, "{method} {path} {body}: {told}");
    }
    for (path, parameter) in [
        (format!("{TYPES}?namespac=a"), "namespac"),
        (format!("{TYPES}/export?format=raml"), "format"),
    ] {
        let told = product.get(&path).await.problem(400, "OM0002");
        assert!(
            told["detail"].as_str().unwrap().contains(parameter)
                || told["errors"][0]["pointer"] == parameter,
            "{told}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_comes_near() {
    let product = Product::open().await;
    registered(&product).await;
    let told = product.get(&format!("{TYPES}/custom.order.payd")).await.problem(404, "OM0003");
    assert!(told["detail"].as_str().unwrap().contains("custom.order.paid"), "{told}");
    let told = product.get(&format!("{TYPES}/message.recieved")).await.problem(404, "OM0003");
    assert!(told["detail"].as_str().unwrap().contains("message.received"), "{told}");
    for path in [
        format!("{TYPES}/Nonsense"),
        format!("{TYPES}/%00"),
        format!("{TYPES}/Nonsense/versions"),
        format!("{TYPES}/%00/versions/1"),
        format!("{TYPES}/custom.other/versions"),
        format!("{PAID}/versions/2"),
        format!("{PAID}/versions/0"),
        format!("{PAID}/versions/-1"),
        format!("{PAID}/versions/one"),
        format!("{PAID}/versions/%00"),
        format!("{PAID}/versions/99999999999"),
    ] {
        product.get(&path).await.problem(404, "OM0003");
    }
    let told = product.get(&format!("{PAID}/versions/2")).await.problem(404, "OM0003");
    assert!(told["detail"].as_str().unwrap().contains("newest is 1"), "{told}");
    put(&product, &format!("{TYPES}/custom.other/config"), &json!({})).await.problem(404, "OM0003");
    delete(&product, &format!("{TYPES}/custom.other")).await.problem(404, "OM0003");
}

#[tokio::test]
async fn a_type_of_the_product_belongs_to_nobody() {
    let product = Product::open().await;
    for name in ["message.received", "message.invented", "system.dead_letter"] {
        let body = json!({ "eventType": name, "schema": true });
        let told = post(&product, TYPES, &body).await.problem(403, "OM0021");
        assert_eq!(told["errors"][0]["pointer"], "/eventType", "{told}");
        let path = format!("{TYPES}/{name}");
        put(&product, &format!("{path}/config"), &json!({ "validation": "off" }))
            .await
            .problem(403, "OM0021");
        delete(&product, &path).await.problem(403, "OM0021");
    }
    assert_eq!(product.get(&format!("{TYPES}/message.received")).await.json()["builtIn"], true);
}

async fn of(product: &Product, org: &str, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder().method(method).uri(path).header("x-omni-org", org);
    let request = request.header("content-type", "application/json");
    product.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_type_is_seen_by_its_own_organisation_only() {
    let product = Product::open().await;
    let mut body = paid("number");
    body["description"] = json!("canary");
    assert_eq!(of(&product, "acme", "POST", TYPES, &body).await.status, 201);
    let nothing = json!({});
    for (method, path) in [
        ("GET", PAID.to_owned()),
        ("GET", format!("{PAID}/versions")),
        ("GET", format!("{PAID}/versions/1")),
        ("PUT", format!("{PAID}/config")),
        ("DELETE", PAID.to_owned()),
        ("DELETE", format!("{PAID}?permanent=true")),
    ] {
        let answer = of(&product, "other", method, &path, &nothing).await;
        answer.problem(404, "OM0003");
        assert!(!answer.text.contains("canary"), "{}", answer.text);
    }
    for path in [TYPES.to_owned(), format!("{TYPES}/export")] {
        let answer = of(&product, "other", "GET", &path, &nothing).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text.contains("custom.order.paid"), "{path}");
    }
    let near = of(&product, "other", "GET", &format!("{TYPES}/custom.order.payd"), &nothing).await;
    assert!(!near.problem(404, "OM0003").to_string().contains("custom.order.paid"));
    let check = json!({ "schema": true });
    let found = of(&product, "other", "POST", &format!("{PAID}/check"), &check).await.json();
    assert_eq!(found["compared"]["against"], json!([]), "{found}");
    let own = of(&product, "other", "POST", TYPES, &paid("string")).await;
    assert_eq!((own.status.as_u16(), &own.json()["version"]), (201, &json!(1)));
    let next = json!({ "eventType": "custom.order.paid", "schema": noted() });
    assert_eq!(of(&product, "acme", "POST", TYPES, &next).await.status, 201);
    assert_eq!(of(&product, "other", "GET", PAID, &nothing).await.json()["version"], 1);
}
