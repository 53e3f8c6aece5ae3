//! `omni source quarantine list|get|release|delete`

use serde_json::{Value, json};

use crate::cli::{Quarantine, ReleaseQuarantined};
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, card, clean, page, text};

const COLUMNS: &[(&str, &str)] = &[
    ("ID", "/id"),
    ("RECEIVED", "/receivedAt"),
    ("STATUS", "/status"),
    ("CODE", "/code"),
    ("REASON", "/reason"),
    ("REMOTE", "/remote"),
];

const CARD: &[(&str, &str)] = &[
    ("id", "/id"),
    ("source", "/source"),
    ("status", "/status"),
    ("code", "/code"),
    ("reason", "/reason"),
    ("method", "/method"),
    ("path", "/path"),
    ("remote", "/remote"),
    ("received", "/receivedAt"),
    ("events", "/eventIds"),
    ("forced", "/forced"),
    ("note", "/note"),
    ("released", "/releasedAt"),
];

pub(super) async fn run(command: &Quarantine, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Quarantine::List(list) => {
            let limit = list.page.limit.to_string();
            let filters = [("status", &list.status), ("code", &list.code)];
            let query = super::super::query(&list.page, &limit, &filters);
            let answer =
                client.get(&["api", "sources", &list.source, "quarantine"], &query).await?;
            out.answer(&answer, |answer| page(COLUMNS, answer))
        }
        Quarantine::Get { source, id } => {
            let answer = client.get(&["api", "sources", source, "quarantine", id], &[]).await?;
            out.answer(&answer, people)
        }
        Quarantine::Release(wanted) => release(wanted, client, out).await,
        Quarantine::Delete { source, id } => {
            client.delete(&["api", "sources", source, "quarantine", id], &[]).await?;
            let gone = json!({ "id": id, "deleted": true });
            out.document(&gone, |_| format!("request {} deleted", clean(id)))
        }
    }
}

async fn release(wanted: &ReleaseQuarantined, client: &Client, out: Out) -> Result<(), Error> {
    let ReleaseQuarantined { source, id, code, force, note, .. } = wanted;
    let Some(id) = id else {
        let body = json!({ "code": code }).to_string();
        let path = ["api", "sources", source, "quarantine", "release"];
        let answer = client.post_slowly(&path, body.into()).await?;
        return out.answer(&answer, many);
    };
    let body = json!({ "force": force, "note": note }).to_string();
    let path = ["api", "sources", source, "quarantine", id, "release"];
    let answer = client.post(&path, body.into()).await?;
    out.answer(&answer, |one| {
        let events = one.get("eventIds").and_then(Value::as_array).map_or(0, Vec::len);
        let ids = text(one, "/eventIds");
        match events {
            0 => format!("request {} is released; it became no event", text(one, "/id")),
            _ => format!("request {} is released: {ids}", text(one, "/id")),
        }
    })
}

fn many(done: &Value) -> String {
    let mut lines = vec![format!(
        "{} released, {} before, {} refused still",
        text(done, "/released"),
        text(done, "/already"),
        text(done, "/refused")
    )];
    let refusals = done.get("refusals").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for one in refusals {
        lines.push(format!(
            "  {} {}: {}",
            text(one, "/id"),
            text(one, "/code"),
            text(one, "/reason")
        ));
    }
    if !refusals.is_empty() {
        lines.push("next: omni source test NAME --quarantined ID".to_owned());
    }
    lines.join("\n")
}

fn people(one: &Value) -> String {
    let mut lines = card(CARD, one);
    let headers = one.get("headers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    lines
        .extend(headers.iter().map(|pair| format!("  {}: {}", text(pair, "/0"), text(pair, "/1"))));
    if let Some(body) = one.get("body").and_then(Value::as_str) {
        lines.push(body.lines().map(clean).collect::<Vec<_>>().join("\n"));
    }
    lines.join("\n")
}
