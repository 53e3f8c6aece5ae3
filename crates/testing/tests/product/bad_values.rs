//! Values that other products change, lose or obey: what is accepted comes back byte for byte, what is refused says where,
//! and what is asked for is only ever compared.

use http::Method;
use omni_proto as pb;
use omni_testing::{Database, Reply, TestApp, github, on_both};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, transport::Channel};

type Events = pb::event_service_client::EventServiceClient<Channel>;

async fn grpc(app: &TestApp) -> Events {
    let channel = Channel::from_shared(app.url.clone()).unwrap().connect().await.unwrap();
    Events::new(channel)
}

async fn trigger(app: &TestApp, body: impl Into<Vec<u8>>) -> Reply {
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    app.http.send(Method::POST, "/api/events/trigger", &headers, body.into()).await
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

/// Valid JSON that a parser may change on its way through.
const PAYLOADS: [&str; 16] = [
    r#""\u0000""#,
    r#"{"a\u0000b": "c\u0000"}"#,
    "9007199254740993",
    "-9007199254740993",
    "123456789012345678901234567890",
    "1.50",
    "-0.0",
    "1E+2",
    "0.1000000000000000055511151231257827021181583404541015625",
    r#"{"a": 1, "A": 2}"#,
    r#"{"z": 1, "a": {"y": [ ] , "b":{}}}"#,
    "[ 1,\r\n\t2 ]",
    r#""\ud83d\ude00 \u00e9 / \/""#,
    "\"\u{1f600} \u{7f} \u{2028} \u{fffd} \u{feff}\"",
    r#"{"": "", " ": "\\"}"#,
    "null",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_comes_back_byte_for_byte() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        app.add_github().await;
        let mut grpc = grpc(&app).await;
        let mut ids = Vec::new();
        for (n, payload) in PAYLOADS.into_iter().enumerate() {
            let body = format!(r#"{{"eventType": "custom.bytes", "payload": {payload} }}"#);
            let id = trigger(&app, body).await.expect(201).json()["eventId"].clone();
            ids.push((id.as_str().unwrap().to_owned(), payload));
            let request = pb::TriggerEventRequest {
                event_type: "custom.bytes".into(),
                payload: payload.into(),
                ..Default::default()
            };
            let triggered = grpc.trigger(request).await.unwrap().into_inner();
            ids.push((triggered.event_id, payload));
            let delivery = format!("d-{n}");
            let headers =
                github::headers(omni_testing::SECRET, "push", &delivery, payload.as_bytes());
            let reply = app.http.send(Method::POST, "/webhooks/github", &headers, payload).await;
            // A push is an object; what is none is refused, and that is all the same here.
            if reply.status.is_success() {
                ids.push((reply.json()["eventId"].as_str().unwrap().to_owned(), payload));
            }
        }
        assert!(ids.len() >= 2 * PAYLOADS.len() + 4, "objects are delivered, too: {}", ids.len());
        let page = app.http.get("/api/events?limit=500").await.expect(200).text();
        for (id, payload) in ids {
            let shown = format!(r#""payload":{payload}"#);
            let event = app.http.get(&format!("/api/events/{id}")).await.expect(200).text();
            assert!(event.contains(&shown), "{payload} became {event}");
            assert!(page.contains(&shown), "{payload} is not in the list");
            let got = grpc.get(pb::GetEventRequest { id }).await.unwrap().into_inner();
            assert_eq!(got.event.unwrap().payload, payload.as_bytes(), "{payload}");
        }
        app.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_says_where() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let long = "x".repeat((64 << 10) + 1);
        let of = |payload: &str| {
            format!(r#"{{"eventType":"custom.a","payload":{payload}}}"#).into_bytes()
        };
        let with = |metadata: &str| {
            format!(r#"{{"eventType":"custom.a","payload":1,"metadata":{metadata}}}"#).into_bytes()
        };
        let mut invalid = of("\"-\"");
        let dash = invalid.iter().rposition(|byte| *byte == b'-').unwrap();
        invalid[dash] = 0xff;
        let cases: [(Vec<u8>, &str); 13] = [
            (invalid, "byte 35"),
            (of(r#"{"a": 1, "a": 2}"#), "byte 43"),
            (of("\"a\0b\""), "byte 36"),
            (of(r#""\ud800""#), "column"),
            (of(r#""\udc00\ud800""#), "column"),
            (of("1e999"), "column"),
            (of("01"), "column"),
            (of("[1,]"), "column"),
            (of(r#"1,"payload":2"#), "`payload` twice at byte 36"),
            (with(r#"{"contentText":"a\u0000"}"#), "contentText"),
            (with(&format!(r#"{{"contentText":"{long}"}}"#)), "contentText"),
            (with(r#"{"extra":[1]}"#), "extra"),
            (with(r#"{"senderHandle":"a\nb"}"#), "senderHandle"),
        ];
        let mut wrong = Vec::new();
        for (body, place) in cases {
            let shown = String::from_utf8_lossy(&body).chars().take(100).collect::<String>();
            let reply = trigger(&app, body).await;
            if reply.status != 400 || !reply.text().contains(place) {
                wrong.push(format!("{shown}: {} {}", reply.status, reply.text()));
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
        let mut grpc = grpc(&app).await;
        for payload in [&b"\"\xff\""[..], br#""\ud800""#, b"[1,]"] {
            let request = pb::TriggerEventRequest {
                event_type: "custom.a".into(),
                payload: payload.to_vec().into(),
                ..Default::default()
            };
            let status = grpc.trigger(request).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        }
        assert_eq!(app.http.get("/api/stats").await.expect(200).json()["events"], 0);
        app.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_another_question_is_refused() {
    let app = TestApp::start(Database::Embedded).await;
    for n in 0..3 {
        app.trigger("custom.a", &json!({ "n": n })).await;
    }
    let page = app.http.get("/api/events?type=custom.a,custom.b&limit=1").await.expect(200).json();
    let cursor = page["nextCursor"].as_str().unwrap().to_owned();
    let ask =
        async |query: &str| app.http.get(&format!("/api/events?{query}&cursor={cursor}")).await;
    // The limit is no part of the question, nor is how it is put.
    ask("type=custom.a,custom.b&limit=2").await.expect(200);
    ask("order=desc&type=custom.b,custom.a,custom.a").await.expect(200);
    for other in [
        "type=custom.a",
        "type=custom.a,custom.b&order=asc",
        "type=custom.a,custom.b&status=completed",
        "type=custom.a,custom.b&q=x",
        "limit=1",
    ] {
        let problem = ask(other).await.expect(400).json();
        assert_eq!(problem["errors"][0]["pointer"], "cursor", "{other}: {problem}");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("another question"));
    }
    let headers = [("x-omni-org".to_owned(), "acme".to_owned())];
    let path = format!("/api/events?type=custom.a,custom.b&cursor={cursor}");
    app.http.send(Method::GET, &path, &headers, "").await.expect(400);
    app.http.get(&format!("/api/executions?cursor={cursor}")).await.expect(400);

    let mut grpc = grpc(&app).await;
    let mut list = pb::ListEventsRequest {
        types: vec!["custom.a".into(), "custom.b".into()],
        cursor: cursor.clone(),
        ..Default::default()
    };
    assert_eq!(grpc.list(list.clone()).await.unwrap().into_inner().events.len(), 2);
    list.source = "api".into();
    assert_eq!(grpc.list(list).await.unwrap_err().code(), Code::InvalidArgument);
    app.finish().await;
}

/// What is asked for is a value to compare with, whatever it looks like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_are_compared_and_never_obeyed() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let strange = "' OR 1=1; DROP TABLE omni_events; --";
        let metadata = json!({ "provider": strange, "contentText": "100% sure; don't \"panic\"" });
        let body = json!({ "eventType": "custom.a", "payload": 1, "metadata": metadata });
        let id = trigger(&app, body.to_string()).await.expect(201).json()["eventId"].clone();
        let find = async |name: &str, value: &str| -> Vec<Value> {
            let path = format!("/api/events?{name}={}", encoded(value));
            let list = app.http.get(&path).await.expect(200).json();
            list["items"].as_array().unwrap().iter().map(|event| event["id"].clone()).collect()
        };
        for name in [
            "source",
            "channelType",
            "instanceId",
            "correlationId",
            "provider",
            "providerEventId",
            "status",
            "contentType",
            "q",
        ] {
            for value in [
                "' OR '1'='1",
                "x'; DELETE FROM omni_events; --",
                "x%",
                "_x",
                "\\x",
                "\"x",
                "x\u{1}",
                "$1x",
                "?x",
            ] {
                assert_eq!(find(name, value).await, Vec::<Value>::new(), "{name} {value}");
            }
            app.http.get(&format!("/api/events?{name}=x%00")).await.expect(400);
        }
        assert_eq!(find("provider", strange).await, std::slice::from_ref(&id));
        for words in ["100%", "\"panic\"", "don't", "sure;", "PAN*"] {
            assert_eq!(find("q", words).await, std::slice::from_ref(&id), "{words}");
        }
        for wrong in [
            "type=%27",
            "direction=up",
            "identityId=1",
            "causationId=x",
            "order=up",
            "from=now",
            "q=%2A",
            "q=",
        ] {
            app.http.get(&format!("/api/events?{wrong}")).await.expect(400);
        }
        app.finish().await;
    })
    .await;
}

/// Who wrote to whom, and what, is found without being told apart from the payload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_found_by_person_kind_and_words() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (mona, shop) = ("0193a000-0000-7000-8000-000000000001", "0193a000-0000-7000-8000-000000000002");
        let send = async |event_type: &str, payload: Value, metadata: Value| {
            let body = json!({ "eventType": event_type, "payload": payload, "metadata": metadata });
            trigger(&app, body.to_string()).await.expect(201).json()["eventId"].clone()
        };
        let asked = send(
            "message.received",
            json!({ "messageId": "m-1", "from": { "id": "+4915112" }, "content": { "type": "text", "text": "Where is my order?" } }),
            json!({ "senderIdentityId": mona, "recipientIdentityId": shop, "channelType": "whatsapp", "instanceId": "wa-1", "extra": { "thread": 1.50 } }),
        )
        .await;
        let answered = send(
            "message.sent",
            json!({ "to": { "id": "+4915112" }, "content": { "type": "image", "text": "Your order is here", "attachments": [{ "url": "https://a.example/b.jpg" }] } }),
            json!({ "senderIdentityId": shop, "recipientIdentityId": mona }),
        )
        .await;
        send("custom.other", json!(1), json!({ "contentText": "an order, too" })).await;
        let find = async |query: &str| -> Vec<Value> {
            let list = app.http.get(&format!("/api/events?order=asc&{query}")).await.expect(200).json();
            list["items"].as_array().unwrap().iter().map(|event| event["id"].clone()).collect()
        };
        let both = [asked.clone(), answered.clone()];
        assert_eq!(find(&format!("identityId={mona}")).await, both);
        assert_eq!(find(&format!("identityId={shop}&direction=outbound")).await, both[1..]);
        assert_eq!(find("q=order%20is").await, both);
        assert_eq!(find("q=order&type=message.*").await, both);
        assert_eq!(find("q=whe*").await, both[..1]);
        assert_eq!(find("contentType=image").await, both[1..]);
        assert_eq!(find("providerEventId=m-1&direction=inbound").await, both[..1]);
        assert_eq!(find("instanceId=wa-1&channelType=whatsapp").await, both[..1]);

        let event = app.http.get(&format!("/api/events/{}", asked.as_str().unwrap())).await.expect(200);
        assert!(event.text().contains(r#""extra":{"thread":1.5}"#), "{}", event.text());
        let metadata = event.json()["metadata"].clone();
        let shown = [
            ("senderIdentityId", mona),
            ("senderHandle", "+4915112"),
            ("recipientIdentityId", shop),
            ("contentType", "text"),
            ("contentText", "Where is my order?"),
        ];
        for (name, value) in shown {
            assert_eq!(metadata[name], value, "{metadata}");
        }
        let mut grpc = grpc(&app).await;
        let list = pb::ListEventsRequest { q: "order".into(), identity_id: mona.into(), ..Default::default() };
        let events = grpc.list(list).await.unwrap().into_inner().events;
        let newest = events[0].metadata.clone().unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(newest.recipient_handle.as_deref(), Some("+4915112"));
        assert_eq!(newest.content_media_url.as_deref(), Some("https://a.example/b.jpg"));
        let first = events[1].metadata.clone().unwrap();
        assert_eq!(first.sender_identity_id.as_deref(), Some(mona));
        assert_eq!(first.extra, r#"{"thread":1.5}"#.as_bytes());
        app.finish().await;
    })
    .await;
}

/// Reads the stream until it has shown so many events, and answers their ids and the ids of the stream.
async fn follow(
    app: &TestApp,
    last: Option<&str>,
    events: usize,
    ready: impl AsyncFnOnce(),
) -> Vec<String> {
    let address = app.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /api/events/stream?type=custom.live HTTP/1.1\r\nhost: {address}\r\n{last}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut ready = Some(ready);
    let reading = async {
        while text.matches("\ndata: ").count() < events {
            let mut bytes = vec![0; 4096];
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "the stream ended: {text}");
            text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            // It has said where it begins.
            if text.contains("id: ")
                && let Some(ready) = ready.take()
            {
                ready().await;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), reading)
        .await
        .expect("the events come");
    text.lines().filter_map(|line| line.strip_prefix("id: ").map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let send = async |event_type: &str| app.trigger(event_type, &json!({})).await;
        send("custom.live").await;
        let ids = follow(&app, None, 1, async || {
            send("custom.other").await;
            send("custom.live").await;
        })
        .await;
        assert_eq!(ids.len(), 2, "where it begins, and one event: {ids:?}");
        // While nobody listens.
        send("custom.live").await;
        send("custom.other").await;
        send("custom.live").await;
        let seen = ids.last().unwrap();
        let next = follow(&app, Some(seen), 2, async || {}).await;
        assert_eq!(&next[0], seen);
        let page = app.http.get("/api/events?type=custom.live&order=asc").await.expect(200).json();
        let sequences: Vec<String> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["sequence"].to_string())
            .collect();
        assert_eq!(sequences.len(), 4);
        assert_eq!(next[1..], sequences[2..], "what came meanwhile, and nothing twice");
        assert_eq!(*seen, sequences[1]);
        app.finish().await;
    })
    .await;
}
