//! The ways to a webhook source: which methods, which bodies, and that no credential of the API is needed or seen.

use axum::body::Body;
use http::Request;

use super::Product;

fn ask(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn greetings_come_by_get_and_options_and_nothing_else_does() {
    let product = Product::open().await;
    for definition in [
        r#"{"name":"plain"}"#,
        r#"{"name":"box","handshake":"dropbox"}"#,
        r#"{"name":"ce","handshake":"cloudEvents"}"#,
    ] {
        let created = product.post("/api/sources", definition).await;
        assert_eq!(created.status, 201, "{}", created.text);
    }
    for base in ["/webhooks", "/api/orgs/default/eventhook/in"] {
        let echoed = product.send(ask("GET", &format!("{base}/box?challenge=a%3Cb"))).await;
        assert_eq!((echoed.status.as_u16(), echoed.text.as_str()), (200, "a<b"));
        assert_eq!(echoed.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(echoed.header("x-content-type-options"), "nosniff");

        let mut options = ask("OPTIONS", &format!("{base}/ce"));
        options.headers_mut().insert("webhook-request-origin", "e.example".parse().unwrap());
        let allowed = product.send(options).await;
        assert_eq!(allowed.status, 200, "{}", allowed.text);
        assert_eq!(allowed.header("webhook-allowed-origin"), "e.example");

        // A method of webhooks that this source has no use for, and one that no source has.
        let none = product.send(ask("GET", &format!("{base}/plain"))).await;
        none.problem(405, "OM0111");
        assert_eq!(none.header("allow"), "POST, PUT");
        let never = product.send(ask("DELETE", &format!("{base}/plain"))).await;
        never.problem(405, "OM0005");
        for method in ["GET", "POST", "PUT", "OPTIONS"] {
            assert!(never.header("allow").contains(method), "{}", never.header("allow"));
        }
        product.send(ask("GET", &format!("{base}/nobody"))).await.problem(404, "OM0101");
    }
}

#[tokio::test]
async fn a_webhook_is_taken_whatever_headers_of_the_api_it_carries() {
    let product = Product::open().await;
    product.post("/api/sources", r#"{"name":"plain","response":{"status":202,"body":"ok"}}"#).await;
    let mut request = ask("POST", "/webhooks/plain");
    // A key that the API would refuse; a source keeps it as its hash.
    request.headers_mut().insert("idempotency-key", "k".repeat(300).parse().unwrap());
    request.headers_mut().insert("authorization", "Bearer nonsense".parse().unwrap());
    *request.body_mut() = Body::from("[1]");
    let answer = product.send(request).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (202, "ok"));
    let family = answer.header("x-correlation-id").to_owned();
    let event = product.get(&format!("/api/events/{family}")).await;
    assert_eq!(event.status, 200, "the family of an event is known also without a body of ours");
}
