//! The story itself: what was sent, what it became, why which rule matched, what was done.

use std::time::Instant;

use omni_rules::{Condition, Conditions, Leaf};
use owo_colors::OwoColorize;
use serde_json::Value;

use super::push::{BODY, Push};
use super::receiver::{Received, Receiver};
use super::{heading, wait_for};
use crate::client::Client;
use crate::commands::execution::action_line;
use crate::error::Error;
use crate::output::{clean, line, text};

/// The automation with three actions.
const MAIN: &str = "demo-main-pushed";
/// Every automation that looks at the push, in the order in which they do.
const LOOKING: &[&str] = &[MAIN, "demo-release-branch"];
/// The one that reacts to the emitted event.
const REACTING: &str = "demo-announce";
const EMITTED: &str = "custom.demo.main-pushed";
/// Longer values are cut: the point is why, not everything.
const VALUE_MAX: usize = 72;

/// Sends the push and tells everything that follows from it.
pub(super) async fn tell(
    client: &Client,
    push: &Push,
    mut receiver: Receiver,
) -> Result<(), Error> {
    let started = Instant::now();
    let event = send(client, push).await?;
    for name in LOOKING {
        explain(&find_automation(client, name).await?, &event)?;
    }
    let id = text(&event, "/id");
    let main = find_automation(client, MAIN).await?;
    run_of(client, &id, &main).await?;
    let received = wait_for("the webhook to the receiver", async || Ok(receiver.arrival())).await?;
    tell_received(&received)?;
    react(client, &id).await?;
    let took = started.elapsed().as_secs_f64() * 1000.0;
    line(format!("\n{}", format!("From the request to the last effect: {took:.0} ms.").green()))
}

/// Sends the request and returns the event that it became, with its outcome.
async fn send(client: &Client, push: &Push) -> Result<Value, Error> {
    let request = push.request(client);
    heading("A push comes in, signed as GitHub signs")?;
    line(format!("  → {} {}", request.method, request.url))?;
    line(format!("    X-GitHub-Event: push, {} bytes", BODY.len()))?;
    line(format!("    X-GitHub-Delivery: {}", push.delivery))?;
    line(format!("    X-Hub-Signature-256: {}…", &push.signature[..23]))?;
    let sent = Instant::now();
    let answer = client.send(request).await?;
    let took = sent.elapsed().as_secs_f64() * 1000.0;
    let body = answer.value()?;
    let status = answer.status.to_string();
    line(format!("  ← {} {} in {took:.1} ms", status.green(), clean(&body.to_string())))?;
    let id = text(&body, "/eventId");
    let event = wait_for("the outcome of the event", async || {
        let event = client.get(&["api", "events", &id], &[]).await?.value()?;
        Ok(event.pointer("/outcome/status").is_some().then_some(event))
    })
    .await?;
    heading("It is an event, durable before the answer")?;
    line(format!("  {} {}", text(&event, "/type").bold(), text(&event, "/id")))?;
    line(format!(
        "  sequence {}, source {}, correlation {}",
        text(&event, "/sequence"),
        text(&event, "/source"),
        text(&event, "/metadata/correlationId")
    ))?;
    Ok(event)
}

async fn find_automation(client: &Client, name: &str) -> Result<Value, Error> {
    let found = client.get(&["api", "automations"], &[("name", name)]).await?.value()?;
    let automation = found.pointer("/items/0").cloned();
    automation.ok_or_else(|| Error::Demo(format!("the automation {name} is not there")))
}

/// Says whether the conditions hold on the event, condition by condition.
fn explain(automation: &Value, event: &Value) -> Result<(), Error> {
    let list = automation.get("triggerConditions").cloned().unwrap_or(Value::Array(Vec::new()));
    let unfit = |why: String| Error::Demo(format!("conditions cannot be explained: {why}"));
    let list: Vec<Condition> =
        serde_json::from_value(list).map_err(|error| unfit(error.to_string()))?;
    let conditions = Conditions::compile(&list).map_err(|problems| {
        unfit(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let leaves = conditions.explain(event);
    let matches = leaves.iter().all(|leaf| leaf.matched);
    let verdict = if matches { "matches" } else { "does not match" };
    heading(&format!(
        "{} (priority {}, on {}) {verdict}",
        text(automation, "/name"),
        text(automation, "/priority"),
        text(automation, "/triggerEventType")
    ))?;
    if leaves.is_empty() {
        return line("  it has no conditions: every event of this type will do");
    }
    leaves.iter().try_for_each(|leaf| line(format!("  {}", leaf_line(leaf))))
}

fn leaf_line(leaf: &Leaf) -> String {
    let mark = if leaf.matched { "✓".green().to_string() } else { "✗".red().to_string() };
    let found = leaf.actual.as_ref().map_or_else(|| "nothing".into(), short);
    let (field, expected) = (clean(&leaf.field), short(&leaf.expected));
    format!("{mark} {field} {} {expected}, found {found}", leaf.operator)
}

fn short(value: &Value) -> String {
    let text = clean(&value.to_string());
    match text.char_indices().nth(VALUE_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Tells the execution of an automation for an event, action by action. A failed one ends the demo.
async fn run_of(client: &Client, event_id: &str, automation: &Value) -> Result<(), Error> {
    let name = text(automation, "/name");
    let wanted = automation.get("id");
    let execution = wait_for(&format!("the execution of {name}"), async || {
        let query = [("eventId", event_id)];
        let list = client.get(&["api", "executions"], &query).await?.value()?;
        let items = list.get("items").and_then(Value::as_array);
        let mut items = items.into_iter().flatten();
        Ok(items.find(|execution| execution.get("automationId") == wanted).cloned())
    })
    .await?;
    heading(&format!("{name} ran, action by action"))?;
    let actions = execution.get("actionsExecuted").and_then(Value::as_array);
    for (index, action) in actions.into_iter().flatten().enumerate() {
        line(action_line(index, action))?;
    }
    let (id, took) = (text(&execution, "/id"), text(&execution, "/executionTimeMs"));
    line(format!("  {}", format!("execution {id}, {took} ms").dimmed()))?;
    if execution.get("status").and_then(Value::as_str) == Some("success") {
        return Ok(());
    }
    let why = text(&execution, "/error");
    Err(Error::Demo(format!("{name} ended as {}: {why}", text(&execution, "/status"))))
}

fn tell_received(received: &Received) -> Result<(), Error> {
    heading("The receiver got the webhook")?;
    line(format!("  {} {}", received.method, clean(&received.path)))?;
    for name in ["idempotency-key", "x-omni-event-id", "x-correlation-id", "user-agent"] {
        line(format!("  {name}: {}", clean(received.header(name))))?;
    }
    line(format!("  {}", clean(&String::from_utf8_lossy(&received.body))))
}

/// Finds the event that the push caused and tells what came of it.
async fn react(client: &Client, cause: &str) -> Result<(), Error> {
    let event = wait_for("the emitted event", async || {
        let query = [("type", EMITTED), ("limit", "10")];
        let list = client.get(&["api", "events"], &query).await?.value()?;
        let items = list.get("items").and_then(Value::as_array);
        let mut items = items.into_iter().flatten();
        Ok(items.find(|event| text(event, "/metadata/causationId") == cause).cloned())
    })
    .await?;
    heading("The emitted event")?;
    line(format!("  {} {}", text(&event, "/type").bold(), text(&event, "/id")))?;
    line(format!(
        "  sequence {}, hop {}, caused by {cause}",
        text(&event, "/sequence"),
        text(&event, "/metadata/hops")
    ))?;
    line(format!("  {}", text(&event, "/payload")))?;
    let reacting = find_automation(client, REACTING).await?;
    explain(&reacting, &event)?;
    run_of(client, &text(&event, "/id"), &reacting).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_is_told_with_what_was_found() {
        let list: Vec<Condition> = serde_json::from_value(json!([
            { "field": "payload.ref", "operator": "eq", "value": "main" },
            { "field": "payload.gone", "operator": "gt", "value": 3 },
        ]))
        .unwrap();
        let conditions = Conditions::compile(&list).unwrap();
        let leaves = conditions.explain(&json!({ "payload": { "ref": "main" } }));
        let lines: Vec<_> = leaves
            .iter()
            .map(|leaf| anstream::adapter::strip_str(&leaf_line(leaf)).to_string())
            .collect();
        assert_eq!(lines[0], "✓ payload.ref eq \"main\", found \"main\"");
        assert_eq!(lines[1], "✗ payload.gone gt 3, found nothing");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let text = short(&json!("ü".repeat(200)));
        assert_eq!(text.chars().count(), VALUE_MAX + 1);
        assert!(text.ends_with('…'));
    }

    #[test]
    fn the_definitions_hold_for_the_push_as_the_story_says() {
        let documents = crate::documents::read_text("a.yaml", super::super::AUTOMATIONS).unwrap();
        let names: Vec<_> = documents.iter().map(|document| document.name.as_str()).collect();
        assert_eq!(names, [MAIN, "demo-release-branch", REACTING]);
        let push: Value =
            serde_json::from_str(include_str!("../../demo/github-push.json")).unwrap();
        let holds: Vec<_> = documents
            .iter()
            .map(|document| {
                let list = document.spec.get("triggerConditions").cloned();
                let list: Vec<Condition> =
                    serde_json::from_value(list.unwrap_or(json!([]))).unwrap();
                Conditions::compile(&list).unwrap().evaluate(&json!({ "payload": push }))
            })
            .collect();
        assert_eq!(holds, [true, false, true]);
    }
}
