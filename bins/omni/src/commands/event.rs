//! `omni event create|list|get|tail`

use std::fs;
use std::io::Read;

use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::tail;
use crate::cli::{CreateEvent, Event, ListEvents};
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, card, page, pretty, text};

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
    ("provider id", "/metadata/providerEventId"),
    ("outcome", "/outcome/status"),
    ("processed", "/outcome/processedAt"),
    ("executions", "/outcome/executions"),
    ("retries", "/outcome/retryCount"),
    ("error", "/outcome/error"),
];

pub(super) async fn run(command: &Event, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Event::Create(event) => create(event, client, out).await,
        Event::List(list) => {
            let ListEvents { types, source, status, correlation, page: part } = list;
            let limit = part.limit.to_string();
            let filters = [
                ("type", types),
                ("source", source),
                ("status", status),
                ("correlationId", correlation),
            ];
            let query = super::query(part, &limit, &filters);
            let answer = client.get(&["api", "events"], &query).await?;
            out.answer(&answer, |answer| page(COLUMNS, answer))
        }
        Event::Get { id } => {
            let answer = client.get(&["api", "events", id], &[]).await?;
            out.answer(&answer, |event| {
                let payload = event.get("payload").unwrap_or(&Value::Null);
                let card = card(CARD, event).join("\n");
                format!("{card}\n{}\n{}", "payload".bold(), pretty(payload))
            })
        }
        Event::Tail { types } => tail::run(types.as_deref(), client, out).await,
    }
}

/// The body of a manual trigger. The payload goes as it was typed, so that no number in it
/// changes on the way.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trigger<'a> {
    event_type: &'a str,
    payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
}

impl Metadata<'_> {
    fn is_empty(&self) -> bool {
        self.channel_type.is_none() && self.instance_id.is_none()
    }
}

async fn create(event: &CreateEvent, client: &Client, out: Out) -> Result<(), Error> {
    let metadata =
        Metadata { channel_type: event.channel.as_deref(), instance_id: event.instance.as_deref() };
    let trigger = Trigger {
        event_type: &event.event_type,
        payload: payload(&event.payload)?,
        metadata,
        priority: event.priority.as_deref(),
    };
    let body = serde_json::to_vec(&trigger)
        .map_err(|error| Error::Usage(format!("--payload cannot be sent: {error}")))?;
    let answer = client.post(&["api", "events", "trigger"], body.into()).await?;
    out.answer(&answer, |created| {
        let (id, sequence) = (text(created, "/eventId"), text(created, "/sequence"));
        format!("event {id} created, sequence {sequence}")
    })
}

/// `JSON`, `@FILE` or `-`.
fn payload(argument: &str) -> Result<Box<RawValue>, Error> {
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
    fn an_empty_metadata_is_not_sent() {
        let trigger = Trigger {
            event_type: "custom.a",
            payload: payload("1").unwrap(),
            metadata: Metadata { channel_type: None, instance_id: None },
            priority: None,
        };
        let body = serde_json::to_string(&trigger).unwrap();
        assert_eq!(body, r#"{"eventType":"custom.a","payload":1}"#);
    }
}
