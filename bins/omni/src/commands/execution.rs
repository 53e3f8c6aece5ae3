//! `omni execution list|get`

use owo_colors::OwoColorize;
use serde_json::Value;

use crate::cli::{Execution, ListExecutions};
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, card, clean, page, status, text};

const COLUMNS: &[(&str, &str)] = &[
    ("ID", "/id"),
    ("CREATED", "/createdAt"),
    ("STATUS", "/status"),
    ("MATCHED", "/conditionsMatched"),
    ("EVENT", "/eventId"),
    ("AUTOMATION", "/automationId"),
    ("MS", "/executionTimeMs"),
];

const CARD: &[(&str, &str)] = &[
    ("id", "/id"),
    ("status", "/status"),
    ("matched", "/conditionsMatched"),
    ("event", "/eventId"),
    ("type", "/eventType"),
    ("automation", "/automationId"),
    ("version", "/automationVersion"),
    ("took ms", "/executionTimeMs"),
    ("created", "/createdAt"),
    ("error", "/error"),
];

pub(super) async fn run(command: &Execution, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Execution::List(list) => {
            let ListExecutions { event, automation, status, page: part } = list;
            let limit = part.limit.to_string();
            let filters = [("eventId", event), ("automationId", automation), ("status", status)];
            let query = super::query(part, &limit, &filters);
            let answer = client.get(&["api", "executions"], &query).await?;
            out.answer(&answer, |answer| page(COLUMNS, answer))
        }
        Execution::Get { id } => {
            let answer = client.get(&["api", "executions", id], &[]).await?;
            out.answer(&answer, people)
        }
    }
}

fn people(execution: &Value) -> String {
    let actions = execution.get("actionsExecuted").and_then(Value::as_array);
    let mut lines = card(CARD, execution);
    let actions = actions.into_iter().flatten().enumerate();
    lines.extend(actions.map(|(index, action)| action_line(index, action)));
    lines.join("\n")
}

/// One action in words: what, how it went, how often, how long, and what came of it.
pub(crate) fn action_line(index: usize, action: &Value) -> String {
    let attempts = match action.get("attempts").and_then(Value::as_u64) {
        None | Some(1) => "once".to_owned(),
        Some(0) => "not tried".to_owned(),
        Some(attempts) => format!("tried {attempts} times"),
    };
    let took = action.get("durationMs").and_then(Value::as_f64).unwrap_or(0.0);
    let outcome = match action.get("error").filter(|error| !error.is_null()) {
        Some(Value::String(error)) => clean(error).red().to_string(),
        Some(error) => clean(&error.to_string()).red().to_string(),
        None => text(action, "/result"),
    };
    let name = text(action, "/action");
    let status = status(&text(action, "/status"));
    format!("  {}. {} {status}, {attempts}, {took:.1} ms: {outcome}", index + 1, name.bold())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_action_in_words() {
        let line = |action| anstream::adapter::strip_str(&action_line(1, &action)).to_string();
        assert_eq!(
            line(json!({ "action": "log", "status": "success", "attempts": 1, "durationMs": 0.04,
                         "result": { "level": "info" }, "error": null })),
            "  2. log success, once, 0.0 ms: {\"level\":\"info\"}"
        );
        assert_eq!(
            line(json!({ "action": "webhook", "status": "failed", "attempts": 3,
                         "durationMs": 2001.26, "result": null, "error": "answered 500" })),
            "  2. webhook failed, tried 3 times, 2001.3 ms: answered 500"
        );
    }
}
