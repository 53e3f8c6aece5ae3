//! `omni event trace`: the tree of causes, one line for each thing that happened.

use chrono::{DateTime, Utc};
use owo_colors::OwoColorize;
use serde_json::Value;

use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean, status, text};

pub(super) async fn run(id: &str, client: &Client, out: Out) -> Result<(), Error> {
    let answer = client.get(&["api", "events", id, "trace"], &[]).await?;
    out.answer(&answer, people)
}

fn people(trace: &Value) -> String {
    let root = trace.get("root").unwrap_or(&Value::Null);
    let began = time(trace, "/startedAt");
    let asked = trace.get("eventId").and_then(Value::as_str).unwrap_or_default();
    let mut lines = Vec::new();
    draw(root, "", "", (began, asked), &mut lines);
    let took = trace.get("durationMs").and_then(Value::as_f64).unwrap_or_default();
    let mut summary = format!("{} nodes, {}", text(trace, "/nodes"), duration(took));
    if trace.get("truncated").and_then(Value::as_bool) == Some(true) {
        summary.push_str("; there is more than is shown");
    }
    lines.push(summary.dimmed().to_string());
    lines.join("\n")
}

/// A node and what it set off. `own` leads to the node, `below` stands before the lines under it.
fn draw(
    node: &Value,
    own: &str,
    below: &str,
    mark: (Option<DateTime<Utc>>, &str),
    lines: &mut Vec<String>,
) {
    lines.push(format!("{}{}", own.dimmed(), line(node, mark)));
    let children = node.get("children").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (index, child) in children.iter().enumerate() {
        let (branch, rest) =
            if index + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw(child, &format!("{below}{branch}"), &format!("{below}{rest}"), mark, lines);
    }
}

fn line(node: &Value, (began, asked): (Option<DateTime<Utc>>, &str)) -> String {
    let kind = node.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_event = kind == "event";
    let label = text(node, "/label");
    let mut words = vec![if is_event { label.bold().to_string() } else { label }];
    if kind != "request" {
        words.push(status(&text(node, "/status")));
    }
    if node.pointer("/details/conditionsMatched") == Some(&Value::Bool(false)) {
        words.push("did not match".to_owned());
    }
    if let Some(attempts) = node.pointer("/details/attempts").and_then(Value::as_u64)
        && attempts > 1
    {
        words.push(format!("{attempts} attempts"));
    }
    if let (Some(began), Some(at)) = (began, time(node, "/at")) {
        let after = (at - began).num_microseconds().unwrap_or_default();
        words.push(format!("+{}", duration(after as f64 / 1000.0)).dimmed().to_string());
    }
    if let Some(took) = node.get("durationMs").and_then(Value::as_f64) {
        words.push(format!("took {}", duration(took)).dimmed().to_string());
    }
    if is_event {
        words.push(text(node, "/id").dimmed().to_string());
        if node.get("id").and_then(Value::as_str) == Some(asked) {
            words.push("← asked for".cyan().to_string());
        }
    }
    if let Some(error) = node.pointer("/details/error").and_then(Value::as_str) {
        words.push(clean(error).red().to_string());
    }
    words.join("  ")
}

fn time(value: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    let text = value.pointer(pointer)?.as_str()?;
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

/// Milliseconds in the unit that people would use.
fn duration(millis: f64) -> String {
    match millis {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1000.0),
        ms if ms < 7_200_000.0 => format!("{:.0} min", ms / 60_000.0),
        ms => format!("{:.1} h", ms / 3_600_000.0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_is_drawn_with_its_times() {
        let node = |kind: &str, label: &str, at: &str, children: Value| {
            json!({ "kind": kind, "id": label, "label": label, "type": null, "status": "success",
                    "at": at, "durationMs": 1500.0, "details": {}, "children": children })
        };
        let second = node("event", "b\u{1b}", "2026-11-21T10:00:02.500Z", json!([]));
        let action = node("action", "1. emit_event", "2026-11-21T10:00:00.020Z", json!([second]));
        let first = node("execution", "vip v1", "2026-11-21T10:00:00.004Z", json!([action]));
        let other = node("execution", "log v2", "2026-11-21T10:00:00.004Z", json!([]));
        let mut root = node("event", "a", "2026-11-21T10:00:00.000Z", json!([first, other]));
        root["status"] = json!("pending");
        root["durationMs"] = Value::Null;
        let trace = json!({ "eventId": "a", "startedAt": "2026-11-21T10:00:00.000Z", "nodes": 5,
                            "durationMs": 4000.0, "truncated": true, "root": root });
        let drawn = anstream::adapter::strip_str(&people(&trace)).to_string();
        assert_eq!(
            drawn,
            "a  pending  +0.0 ms  a  ← asked for\n\
             ├─ vip v1  success  +4.0 ms  took 1.5 s\n\
             │  └─ 1. emit_event  success  +20 ms  took 1.5 s\n\
             │     └─ b\\u{1b}  success  +2.5 s  took 1.5 s  b\\u{1b}\n\
             └─ log v2  success  +4.0 ms  took 1.5 s\n\
             5 nodes, 4.0 s; there is more than is shown"
        );
    }
}
