//! `omni schema check`: what a schema would break, and for whom, without registering it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use super::{bytes, given, path, report};
use crate::cli::{CheckSchema, mode};
use crate::client::{Answer, Client};
use crate::error::Error;
use crate::messages::Messages;
use crate::output::{Out, clean};

/// What the server takes of a file for a check.
const MEMBERS: [&str; 3] = ["schema", "compatibility", "policy"];

pub(super) async fn run(check: &CheckSchema, client: &Client, out: Out) -> Result<(), Error> {
    let mut body = given::read(&check.file, Some(&check.event_type))?;
    body.retain(|name, _| MEMBERS.contains(&name.as_str()));
    let typed = [
        ("limit", check.limit.map(|limit| json!(limit))),
        ("compatibility", check.compatibility.as_deref().map(|word| json!(mode(word)))),
        ("policy", check.policy.as_deref().map(|word| json!(word.to_lowercase()))),
    ];
    for (name, value) in typed {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    }
    let answer = ask(&check.event_type, &body, client).await?;
    let found = answer.value()?;
    out.answer(&answer, |found| people(&check.event_type, found).join("\n"))?;
    match found["compared"]["compatible"].as_bool() {
        Some(true) => Ok(()),
        _ => Err(Error::Incompatible),
    }
}

/// The verdict and all it rests on.
pub(super) fn people(event_type: &str, found: &Value) -> Vec<String> {
    let mut lines = vec![report::verdict(event_type, &found["compared"])];
    lines.extend(report::report(found));
    lines.push("nothing was changed".dimmed().to_string());
    lines
}

/// Asks the server, with a bar on a terminal while it works.
pub(super) async fn ask(
    event_type: &str,
    body: &Map<String, Value>,
    client: &Client,
) -> Result<Answer, Error> {
    let mut stream = client.post_stream(&path(event_type, &["check"]), bytes(body)).await?;
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} stored events checked") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    let mut messages = Messages::default();
    let ended = loop {
        match messages.read(&mut stream).await {
            Ok(Some(message)) => match message.event.as_str() {
                "progress" => show(&bar, &message.data),
                "check" => break Ok(message.data),
                "problem" => break Err(Error::Server(problem(&message.data))),
                _ => {}
            },
            Ok(None) => {
                let what = "the answer ended before the result".to_owned();
                break Err(Error::Answer { what, place: stream.place.clone() });
            }
            Err(error) => break Err(error),
        }
    };
    bar.finish_and_clear();
    let (status, headers, place) = (StatusCode::OK, HeaderMap::new(), stream.place);
    ended.map(|data| Answer { status, headers, body: Bytes::from(data), place })
}

fn show(bar: &ProgressBar, data: &str) {
    let progress = serde_json::from_str::<Value>(data).unwrap_or_default();
    if let Some(total) = progress["total"].as_u64() {
        bar.set_length(total);
    }
    bar.set_position(progress["checked"].as_u64().unwrap_or(0));
}

/// What went wrong half-way: a problem document, or its detail alone.
fn problem(data: &str) -> String {
    let document = serde_json::from_str::<Value>(data).unwrap_or_default();
    let detail = document["detail"].as_str().unwrap_or(data);
    format!(
        "the check could not be finished: {}\nnext: nothing was changed; try again",
        clean(detail)
    )
}
