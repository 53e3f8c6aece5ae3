//! `omni event create|list|get|info|cancel|explain|trace|tail`

use std::fs;
use std::io::Read;

use bytes::Bytes;
use http::StatusCode;
use omni_clock::{Clock as _, SystemClock};
use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::execution::action_line;
use super::when::time;
use super::{capture, explain, tail, trace};
use crate::cli::{CreateEvent, Event};
use crate::client::{Answer, Client};
use crate::error::Error;
use crate::output::{Out, card, page, pretty, status, text};

const COLUMNS: &[(&str, &str)] = &[
    ("SEQUENCE", "/sequence"),
    ("RECEIVED", "/receivedAt"),
    ("TYPE", "/type"),
    ("SOURCE", "/source"),
    ("OUTCOME", "/outcome/status"),
    ("ID", "/id"),
];

const CARD: &[(&str, &str)] = &[
    ("id", "/id"),
    ("sequence", "/sequence"),
    ("type", "/type"),
    ("source", "/source"),
    ("time", "/time"),
    ("received", "/receivedAt"),
    ("org", "/metadata/org"),
    ("channel", "/metadata/channelType"),
    ("instance", "/metadata/instanceId"),
    ("correlation", "/metadata/correlationId"),
    ("caused by", "/metadata/causationId"),
    ("hops", "/metadata/hops"),
    ("priority", "/metadata/priority"),
    ("triggered by", "/metadata/triggeredBy"),
    ("provider id", "/metadata/providerEventId"),
    ("scheduled", "/scheduledAt"),
    ("outcome", "/outcome/status"),
    ("processed", "/outcome/processedAt"),
    ("executions", "/outcome/executions"),
    ("retries", "/outcome/retryCount"),
    ("error", "/outcome/error"),
    ("expunged", "/expunged/at"),
    ("because", "/expunged/reason"),
];

pub(super) async fn run(command: &Event, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Event::Create(event) => create(event, client, out).await,
        Event::List(list) => {
            let limit = list.page.limit.to_string();
            let query = super::query(&list.page, &limit, &list.filters());
            let answer = client.get(&["api", "events"], &query).await?;
            out.answer(&answer, |answer| page(COLUMNS, answer))
        }
        Event::Get { id } => {
            let answer = client.get(&["api", "events", id], &[]).await?;
            out.answer(&answer, people)
        }
        Event::Info { id } => info(id, client, out).await,
        Event::Cancel { id } => {
            let answer = client.post(&["api", "events", id, "cancel"], Bytes::new()).await?;
            out.answer(&answer, |event| format!("event {} cancelled", text(event, "/id")))
        }
        Event::Explain(wanted) => explain::run(wanted, client, out).await,
        Event::Trace { id } => trace::run(id, client, out).await,
        Event::Payloads { id } => capture::payloads(id, client, out).await,
        Event::Expunge(expunge) => capture::expunge(expunge, client, out).await,
        Event::Tail(tail) => tail::run(tail, client, out).await,
    }
}

fn people(event: &Value) -> String {
    let payload = event.get("payload").unwrap_or(&Value::Null);
    let card = card(CARD, event).join("\n");
    format!("{card}\n{}\n{}", "payload".bold(), pretty(payload))
}

/// The event and its executions, as one document. The parts go through as the server wrote them, so that no number in a
/// payload changes.
async fn info(id: &str, client: &Client, out: Out) -> Result<(), Error> {
    let event = client.get(&["api", "events", id], &[]).await?;
    let limit = [("limit", "500")];
    let executions = match client.get(&["api", "events", id, "executions"], &limit).await {
        // One that waits for its time has none.
        Err(Error::Problem(problem)) if problem.status == StatusCode::NOT_FOUND => {
            Bytes::from_static(br#"{"items":[],"nextCursor":null}"#)
        }
        answer => answer?.body,
    };
    let body = [b"{\"event\":", &*event.body, b",\"executions\":", &*executions, b"}"].concat();
    let answer = Answer { body: body.into(), ..event };
    out.answer(&answer, |info| {
        let event = people(info.get("event").unwrap_or(&Value::Null));
        let mut lines = vec![event, "executions".bold().to_string()];
        let items = info.pointer("/executions/items").and_then(Value::as_array);
        for execution in items.into_iter().flatten() {
            let (id, took) = (text(execution, "/id"), text(execution, "/executionTimeMs"));
            let automation = text(execution, "/automationId");
            let state = status(&text(execution, "/status"));
            lines.push(format!("{id}  {state}  automation {automation}, {took} ms"));
            let actions = execution.get("actionsExecuted").and_then(Value::as_array);
            let actions = actions.into_iter().flatten().enumerate();
            lines.extend(actions.map(|(index, action)| action_line(index, action)));
        }
        lines.join("\n")
    })
}

/// The body of a manual trigger. The payload goes as it was typed, so that no number in it
/// changes on the way.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trigger<'a> {
    event_type: &'a str,
    payload: Box<RawValue>,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    triggered_by: String,
}

/// Who triggers something from here, as events show it.
pub(super) fn triggered_by(who: Option<&str>) -> String {
    match who.map(str::trim).filter(|who| !who.is_empty()) {
        Some(who) => format!("cli:{who}"),
        None => "cli".to_owned(),
    }
}

async fn create(event: &CreateEvent, client: &Client, out: Out) -> Result<(), Error> {
    let metadata = Metadata {
        channel_type: event.channel.as_deref(),
        instance_id: event.instance.as_deref(),
        triggered_by: triggered_by(event.by.as_deref()),
    };
    let trigger = Trigger {
        event_type: &event.event_type,
        payload: payload(&event.payload)?,
        metadata,
        priority: event.priority.as_deref(),
        scheduled_at: event
            .at
            .as_deref()
            .map(|at| time(at, SystemClock::new().now()))
            .transpose()?,
    };
    let body = serde_json::to_vec(&trigger)
        .map_err(|error| Error::Usage(format!("--payload cannot be sent: {error}")))?;
    let answer = client.post(&["api", "events", "trigger"], body.into()).await?;
    out.answer(&answer, |created| {
        let (id, sequence) = (text(created, "/eventId"), text(created, "/sequence"));
        if created.get("scheduledAt").is_some() {
            return format!("event {id} happens at {}", text(created, "/scheduledAt"));
        }
        format!("event {id} created, sequence {sequence}")
    })
}

/// `JSON`, `@FILE` or `-`.
pub(super) fn payload(argument: &str) -> Result<Box<RawValue>, Error> {
    let read = |path: &str| {
        fs::read_to_string(path).map_err(|source| Error::File { path: path.into(), source })
    };
    let text = match argument.strip_prefix('@') {
        Some(path) => read(path)?,
        None if argument == "-" => {
            let mut text = String::new();
            let failed = |source| Error::File { path: "-".into(), source };
            std::io::stdin().read_to_string(&mut text).map_err(failed)?;
            text
        }
        None => argument.to_owned(),
    };
    RawValue::from_string(text.trim().to_owned()).map_err(|error| {
        Error::Usage(format!("--payload is no JSON: {error}\nnext: quote it, or use @FILE"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_keeps_its_text() {
        let number = r#"{"id":12345678901234567890123,"x":1.10}"#;
        assert_eq!(payload(number).unwrap().get(), number);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " [1] \n").unwrap();
        let argument = format!("@{}", file.path().display());
        assert_eq!(payload(&argument).unwrap().get(), "[1]");
    }

    #[test]
    fn a_wrong_payload_is_wrong_usage() {
        let told = payload("{oops}").unwrap_err().to_string();
        assert!(told.starts_with("--payload is no JSON: "), "{told}");
        assert!(matches!(payload("@/no/such/file"), Err(Error::File { .. })));
    }

    #[test]
    fn what_was_not_typed_is_not_sent() {
        let trigger = Trigger {
            event_type: "custom.a",
            payload: payload("1").unwrap(),
            metadata: Metadata {
                channel_type: None,
                instance_id: None,
                triggered_by: triggered_by(Some(" ")),
            },
            priority: None,
            scheduled_at: None,
        };
        let body = serde_json::to_string(&trigger).unwrap();
        let wanted = r#"{"eventType":"custom.a","payload":1,"metadata":{"triggeredBy":"cli"}}"#;
        assert_eq!(body, wanted);
        assert_eq!(triggered_by(Some("ann")), "cli:ann");
    }
}
