//! `omni automation list|get|enable|disable|test|lint`

use bytes::Bytes;
use owo_colors::OwoColorize;
use serde_json::Value;

use super::trial;
use crate::cli::Automation;
use crate::client::{Answer, Client};
use crate::error::Error;
use crate::output::{Out, card, clean, page, text};

const COLUMNS: &[(&str, &str)] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("ON", "/triggerEventType"),
    ("PRIORITY", "/priority"),
    ("ENABLED", "/enabled"),
    ("VERSION", "/version"),
];

const CARD: &[(&str, &str)] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("description", "/description"),
    ("on", "/triggerEventType"),
    ("priority", "/priority"),
    ("enabled", "/enabled"),
    ("version", "/version"),
    ("created", "/createdAt"),
    ("updated", "/updatedAt"),
];

pub(super) async fn run(command: &Automation, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Automation::List(part) => {
            let limit = part.limit.to_string();
            let query = super::query(part, &limit, &[]);
            let answer = client.get(&["api", "automations"], &query).await?;
            out.answer(&answer, |answer| page(COLUMNS, answer))
        }
        Automation::Get { automation } => {
            let answer = get(client, automation).await?;
            out.answer(&answer, people)
        }
        Automation::Enable { automation } => switch(client, automation, "enable", out).await,
        Automation::Disable { automation } => switch(client, automation, "disable", out).await,
        Automation::Test(test) => trial::test(test, client, out).await,
        Automation::Lint(lint) => trial::lint(lint, client, out).await,
    }
}

/// By id if it is one, otherwise by name.
async fn get(client: &Client, automation: &str) -> Result<Answer, Error> {
    client.get(&["api", "automations", &id_of(client, automation).await?], &[]).await
}

async fn switch(client: &Client, automation: &str, verb: &str, out: Out) -> Result<(), Error> {
    let id = id_of(client, automation).await?;
    let answer = client.post(&["api", "automations", &id, verb], Bytes::new()).await?;
    out.answer(&answer, |automation| format!("automation/{} {verb}d", text(automation, "/name")))
}

/// The id of an automation given by id or name.
pub(super) async fn id_of(client: &Client, automation: &str) -> Result<String, Error> {
    if is_id(automation) {
        return Ok(automation.to_owned());
    }
    let found = client.get(&["api", "automations"], &[("name", automation)]).await?.value()?;
    match found.pointer("/items/0/id").and_then(Value::as_str) {
        Some(id) => Ok(id.to_owned()),
        None => Err(Error::NotFound(format!(
            "no automation is called {automation:?}\nnext: `omni automation list` shows them"
        ))),
    }
}

/// Whether a word has the form of a UUID. A name of that form can be reached by its id only.
fn is_id(word: &str) -> bool {
    word.len() == 36
        && word.char_indices().all(|(index, char)| match index {
            8 | 13 | 18 | 23 => char == '-',
            _ => char.is_ascii_hexdigit(),
        })
}

fn people(automation: &Value) -> String {
    let mut lines = card(CARD, automation);
    let list = |name| automation.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if let Some(pattern) = automation.get("triggerPattern").filter(|pattern| !pattern.is_null()) {
        lines.push("pattern".bold().to_string());
        lines.push(format!("  {}", clean(&pattern.to_string())));
    }
    let conditions = list("triggerConditions");
    if !conditions.is_empty() {
        lines.push("conditions, all of them".bold().to_string());
    }
    lines.extend(conditions.iter().map(|condition| {
        let (field, operator) = (text(condition, "/field"), text(condition, "/operator"));
        let value = condition.get("value").map(Value::to_string).unwrap_or_default();
        format!("  {field} {} {}", operator.dimmed(), clean(&value))
    }));
    lines.push("actions, in order".bold().to_string());
    lines.extend(list("actions").iter().enumerate().map(|(index, action)| {
        let (kind, on_error) = (text(action, "/type"), text(action, "/onError"));
        format!("  {}. {kind} (on error: {on_error}) {}", index + 1, text(action, "/config"))
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_an_id_from_a_name() {
        assert!(is_id("0193aa11-0000-7000-8000-00000000000a"));
        assert!(!is_id("0193aa11-0000-7000-8000-00000000000"));
        assert!(!is_id("VIP fast response"));
        assert!(!is_id("0193aa11_0000-7000-8000-00000000000a"));
    }

    #[test]
    fn an_automation_in_words() {
        let text = people(&json!({
            "name": "vip", "triggerEventType": "message.received", "priority": 5,
            "triggerPattern": { "payload": { "kind": ["order"] } },
            "triggerConditions": [{ "field": "payload.n", "operator": "gt", "value": 3 }],
            "actions": [{ "type": "log", "config": { "message": "hi" }, "onError": "stop" }],
        }));
        let text = anstream::adapter::strip_str(&text).to_string();
        assert!(text.contains("\non           message.received\n"), "{text}");
        assert!(text.contains("pattern\n  {\"payload\":{\"kind\":[\"order\"]}}\n"), "{text}");
        assert!(text.contains("  payload.n gt 3\n"), "{text}");
        assert!(text.contains("  1. log (on error: stop) {\"message\":\"hi\"}"), "{text}");
    }
}
