//! `omni apply`: makes the server hold what the documents say. Applying twice changes nothing the
//! second time, except that a source with a secret is written again, since no server tells one.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::ETAG;
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;
use serde_json::{Map, Value};

use crate::cli::{Apply, Format};
use crate::client::{Answer, Client};
use crate::documents::{self, Document, Kind};
use crate::error::Error;
use crate::output::{Out, clean, line};

/// Members that the server adds to a definition.
const ADDED: &[&str] = &[
    "id",
    "org",
    "version",
    "hasSecret",
    "createdAt",
    "updatedAt",
    "createdBy",
    "describes",
    "lastRun",
    "nextRun",
    "nextRunLocal",
    "fired",
    "skipped",
    "missed",
    "alarm",
    "overdue",
];

/// Members that are the user's own: nothing in them is ever filled in.
const OWN: &[&str] = &["payload"];

/// Numbers that the server fills in when a member is left out.
const NUMBERS: &[(&str, f64)] = &[
    ("priority", 0.0),
    ("bodyMaxBytes", 1_048_576.0),
    ("maxAttempts", 3.0),
    ("initialDelayMs", 1_000.0),
    ("maxDelayMs", 3_600_000.0),
    ("jitter", 0.2),
];

/// What became of a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Applied {
    Created,
    Updated,
    Unchanged,
}

impl Applied {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

pub(super) async fn run(command: &Apply, client: &Client, out: Out) -> Result<(), Error> {
    files(&command.files, client, out).await
}

/// Reads everything, then applies one document after the other. One that is refused does not keep
/// the others back; all refusals are told at the end.
pub(crate) async fn files(paths: &[PathBuf], client: &Client, out: Out) -> Result<(), Error> {
    let documents = documents::read(paths)?;
    let bar = ProgressBar::new(documents.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    let mut refused = Vec::new();
    for document in &documents {
        bar.set_message(document.title());
        let told = match apply(document, client).await {
            Ok(applied) => bar.suspend(|| tell(document, applied, out)),
            Err(Error::Problem(problem)) if problem.status.is_client_error() => {
                refused.push(format!("{}: {}", document.place(), problem.what()));
                let told = super::schema::broken(&problem);
                let told = told.unwrap_or_else(|| problem.fields().collect());
                refused.extend(told.into_iter().map(|line| format!("  {line}")));
                Ok(())
            }
            Err(other) => Err(other),
        };
        if let Err(error) = told {
            bar.finish_and_clear();
            return Err(error);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if refused.is_empty() {
        return Ok(());
    }
    refused.push("next: correct this and apply again; the other documents were applied".into());
    Err(Error::Documents(refused))
}

fn tell(document: &Document, applied: Applied, out: Out) -> Result<(), Error> {
    let (kind, name, word) = (document.kind.as_str(), clean(&document.name), applied.as_str());
    match out.format() {
        Format::Table if applied == Applied::Unchanged => {
            line(format!("{kind}/{name} {}", word.dimmed()))
        }
        Format::Table => line(format!("{kind}/{name} {}", word.green())),
        Format::Json => line(serde_json::json!({ "kind": kind, "name": name, "result": word })),
        Format::Yaml => {
            line(format!("---\nkind: {kind}\nname: {}\nresult: {word}", Value::from(name)))
        }
    }
}

/// Creates or updates one definition, found by its name.
pub(crate) async fn apply(document: &Document, client: &Client) -> Result<Applied, Error> {
    let body = Bytes::from(Value::Object(document.spec.clone()).to_string());
    let (list, found) = match document.kind {
        Kind::EventType => return register(body, client).await,
        Kind::Source => {
            let answer = client.find(&["api", "sources", &document.name]).await?;
            ("sources", answer.map(|answer| (document.name.clone(), answer)))
        }
        Kind::Schedule => {
            let answer = client.find(&["api", "schedules", &document.name]).await?;
            ("schedules", answer.map(|answer| (document.name.clone(), answer)))
        }
        Kind::Automation => ("automations", find_automation(&document.name, client).await?),
    };
    let Some((key, answer)) = found else {
        client.post(&["api", list], body).await?;
        return Ok(Applied::Created);
    };
    if answer.value()?.as_object().is_some_and(|current| is_same(&document.spec, current)) {
        return Ok(Applied::Unchanged);
    }
    client.put(&["api", list, &key], body, answer.headers.get(ETAG).cloned()).await?;
    Ok(Applied::Updated)
}

/// Registers an event type; the server knows whether that changes anything.
async fn register(body: Bytes, client: &Client) -> Result<Applied, Error> {
    let answer = client.post_slowly(&["api", "events", "types"], body).await?;
    Ok(match answer.value()?["outcome"].as_str() {
        Some("created") => Applied::Created,
        Some("unchanged") => Applied::Unchanged,
        _ => Applied::Updated,
    })
}

async fn find_automation(name: &str, client: &Client) -> Result<Option<(String, Answer)>, Error> {
    let named = client.get(&["api", "automations"], &[("name", name)]).await?.value()?;
    let Some(id) = named.pointer("/items/0/id").and_then(Value::as_str) else {
        return Ok(None);
    };
    let answer = client.find(&["api", "automations", id]).await?;
    Ok(answer.map(|answer| (id.to_owned(), answer)))
}

/// Whether the server already holds this definition: what is written is there, and what is left
/// out is at its default there.
fn is_same(spec: &Map<String, Value>, current: &Map<String, Value>) -> bool {
    let written = spec.iter().all(|(name, value)| match current.get(name) {
        Some(held) if OWN.contains(&name.as_str()) => value == held,
        Some(held) => is_equal(value, held),
        None => value.is_null(),
    });
    written
        && current
            .iter()
            .filter(|(name, _)| !spec.contains_key(*name) && !ADDED.contains(&name.as_str()))
            .all(|(name, value)| is_default(name, value))
}

fn is_equal(written: &Value, held: &Value) -> bool {
    match (written, held) {
        (Value::Object(written), Value::Object(held)) => is_same(written, held),
        (Value::Array(written), Value::Array(held)) => {
            written.len() == held.len()
                && written.iter().zip(held).all(|(written, held)| is_equal(written, held))
        }
        _ => written == held,
    }
}

/// What the server fills in when a member is left out.
fn is_default(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => *value == (name == "enabled") && !OWN.contains(&name),
        Value::Array(items) => items.is_empty() && !OWN.contains(&name),
        // No retry is one attempt; an empty policy is several.
        Value::Object(members) => {
            !OWN.contains(&name)
                && name != "retry"
                && members.iter().all(|(name, value)| is_default(name, value))
        }
        Value::String(value) => matches!(
            (name, value.as_str()),
            ("kind", "webhook" | "cron")
                | ("timezone", "UTC")
                | ("overlap", "allowAll")
                | ("catchup", "last")
                | ("onError", "continue")
                | ("strategy", "exponential")
        ),
        Value::Number(value) => NUMBERS.contains(&(name, value.as_f64().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn same(spec: &Value, current: &Value) -> bool {
        is_same(spec.as_object().unwrap(), current.as_object().unwrap())
    }

    #[test]
    fn what_the_server_adds_is_no_change() {
        let spec = json!({ "name": "a", "triggerEventType": "custom.a",
            "actions": [{ "type": "log", "config": { "message": "x" } }] });
        let held = json!({ "id": "1", "org": "default", "version": 3, "name": "a",
            "description": null, "triggerEventType": "custom.a", "triggerConditions": [],
            "actions": [{ "type": "log", "config": { "message": "x" }, "onError": "continue",
                          "retry": null }],
            "enabled": true, "priority": 0, "createdAt": "t", "updatedAt": "t" });
        assert!(same(&spec, &held));
        let spec = json!({ "name": "github", "provider": "github" });
        let held = json!({ "name": "github", "kind": "webhook", "provider": "github",
            "limits": { "bodyMaxBytes": 1_048_576 }, "enabled": true, "org": "default",
            "version": 1, "hasSecret": true, "createdAt": "t", "updatedAt": "t" });
        assert!(same(&spec, &held));
    }

    #[test]
    fn what_differs_or_was_taken_out_is_a_change() {
        let spec = json!({ "name": "a", "actions": [{ "type": "log" }] });
        for held in [
            json!({ "name": "a", "actions": [{ "type": "webhook" }] }),
            json!({ "name": "a", "actions": [] }),
            json!({ "name": "a", "actions": [{ "type": "log", "onError": "stop" }] }),
            json!({ "name": "a", "actions": [{ "type": "log" }], "enabled": false }),
            json!({ "name": "a", "actions": [{ "type": "log" }], "priority": 7 }),
            json!({ "name": "a", "actions": [{ "type": "log" }], "description": "old" }),
            json!({ "name": "a", "actions": [{ "type": "log", "retry": { "maxAttempts": 3 } }] }),
            json!({ "name": "a" }),
        ] {
            assert!(!same(&spec, &held), "{held}");
        }
    }

    #[test]
    fn a_schedule_is_compared_without_what_it_did_and_its_payload_as_it_is() {
        let spec = json!({ "name": "a", "schedule": "0 9 * * *", "payload": { "n": [1] } });
        let held = json!({ "name": "a", "kind": "cron", "schedule": "0 9 * * *", "timezone": "UTC",
            "payload": { "n": [1] }, "overlap": "allowAll", "catchup": "last", "enabled": true,
            "org": "default", "version": 2, "describes": "At 09:00 (UTC)", "lastRun": null,
            "nextRun": "t", "nextRunLocal": "t", "fired": 3, "skipped": 1, "missed": 2,
            "alarm": null, "overdue": false, "createdAt": "t", "updatedAt": "t" });
        assert!(same(&spec, &held));
        for (member, value) in [
            ("payload", json!({ "n": [1], "enabled": true })),
            ("payload", json!({})),
            ("overlap", json!("skip")),
            ("timezone", json!("Europe/Berlin")),
            ("maxFires", json!(3)),
        ] {
            let mut other = held.clone();
            other[member] = value;
            assert!(!same(&spec, &other), "{other}");
        }
        let mut silent = spec.clone();
        silent.as_object_mut().unwrap().remove("payload");
        for payload in [json!({}), json!([]), json!(false)] {
            let mut other = held.clone();
            other["payload"] = payload;
            assert!(!same(&silent, &other), "{other}");
        }
    }

    #[test]
    fn a_secret_is_always_written() {
        let spec = json!({ "name": "github", "secret": "s" });
        assert!(!same(&spec, &json!({ "name": "github", "enabled": true })));
    }
}
