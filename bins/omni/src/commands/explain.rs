//! `omni event explain`: for each automation what it made of an event, or why it did nothing, leaf by leaf.

use omni_rules::Proof;
use owo_colors::OwoColorize;
use serde_json::Value;

use crate::cli::ExplainEvent;
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean, status, text};

pub(super) async fn run(wanted: &ExplainEvent, client: &Client, out: Out) -> Result<(), Error> {
    let query: Vec<_> =
        wanted.automation.as_deref().map(|name| ("automation", name)).into_iter().collect();
    let answer = client.get(&["api", "events", &wanted.id, "explain"], &query).await?;
    out.answer(&answer, people)
}

fn people(explained: &Value) -> String {
    let (id, kind) = (text(explained, "/eventId"), text(explained, "/eventType"));
    let mut lines = vec![format!("{} {id}  {}", kind.bold(), status(&text(explained, "/status")))];
    lines.extend(list(explained, "notes").iter().map(|note| format!("  {}", said(note).dimmed())));
    let items = list(explained, "items");
    if items.is_empty() {
        lines.push("no automation listens to its type, or nearly".to_owned());
    }
    for item in items {
        lines.push(String::new());
        lines.extend(automation(item));
    }
    match explained.get("more").and_then(Value::as_u64) {
        None | Some(0) => {}
        Some(more) => {
            let more =
                format!("\n{more} more are not shown; --automation NAME explains one of them");
            lines.push(more.dimmed().to_string());
        }
    }
    lines.join("\n")
}

fn automation(item: &Value) -> Vec<String> {
    let is_matched = item.get("matched").and_then(Value::as_bool) == Some(true);
    let mark = if is_matched { "✓".green().to_string() } else { "✗".red().to_string() };
    let (name, version) = (text(item, "/name"), text(item, "/version"));
    let mut lines = vec![format!("{mark} {} (version {version})", name.bold())];
    lines.push(format!("  {}", text(item, "/summary")));
    if item.get("execution").is_some() {
        let (id, state) = (text(item, "/execution/id"), text(item, "/execution/status"));
        lines.push(format!("  execution {id}  {}", status(&state)));
    }
    lines.extend(reasons(item));
    lines.extend(list(item, "notes").iter().map(|note| format!("  {}", said(note).dimmed())));
    lines.extend(proof(item));
    lines
}

/// What stands against it, beyond the one that the summary begins with.
pub(super) fn reasons(item: &Value) -> impl Iterator<Item = String> {
    let reasons = list(item, "reasons").iter().skip(1);
    reasons.map(|reason| format!("  {}", text(reason, "/message")))
}

/// The proof, indented by its own lines.
pub(super) fn proof(item: &Value) -> Vec<String> {
    let Some(written) = item.get("proof") else { return Vec::new() };
    // One of another version of the server may have another form.
    let Ok(proof) = serde_json::from_value::<Proof>(written.clone()) else {
        return vec![format!("  {}", clean(&written.to_string()))];
    };
    let mark = |line: &str| {
        let (is_miss, is_hit) = (line.contains('✗'), line.contains('✓'));
        match (is_miss, is_hit) {
            (true, false) => line.replacen('✗', &"✗".red().to_string(), 1),
            (false, true) => line.replacen('✓', &"✓".green().to_string(), 1),
            _ => line.to_owned(),
        }
    };
    // Its first line is the summary.
    proof.to_string().lines().skip(1).map(mark).collect()
}

pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
}

fn said(value: &Value) -> String {
    clean(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_explanation_in_words() {
        let explained = json!({
            "eventId": "0193", "eventType": "custom.order.paid", "status": "completed", "notes": [], "more": 2,
            "items": [{
                "name": "vip", "version": 2, "matched": false, "summary": "it is off", "notes": ["it was changed"],
                "reasons": [{ "kind": "disabled", "message": "it is off" }, { "kind": "wrongType", "message": "it listens to `custom.x`" }],
                "proof": { "matched": false, "conditions": [
                    { "index": 0, "field": "payload.n", "operator": "gt", "expected": 3, "actual": 1, "matched": false }] },
            }],
        });
        let told = anstream::adapter::strip_str(&people(&explained)).to_string();
        for line in [
            "custom.order.paid 0193  completed",
            "✗ vip (version 2)",
            "  it is off",
            "  it listens to `custom.x`",
            "  it was changed",
            "  ✗ payload.n gt 3, found 1",
            "2 more are not shown; --automation NAME explains one of them",
        ] {
            assert!(told.lines().any(|told| told == line), "{line:?} is not in\n{told}");
        }
        assert_eq!(told.matches("it is off").count(), 1);
        let nobody = json!({ "eventType": "custom.x", "items": [] });
        assert!(people(&nobody).contains("no automation listens"));
    }
}
