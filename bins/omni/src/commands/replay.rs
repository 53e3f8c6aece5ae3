//! `omni replay start|status|cancel|list`

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use omni_clock::{Clock, SystemClock};
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use super::automation;
use crate::cli::{Replay, StartReplay};
use crate::client::{Answer, Client};
use crate::error::Error;
use crate::output::{Out, card, page, status, text};

/// How often a replay that is followed is looked at; it moves twice a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

const COLUMNS: &[(&str, &str)] = &[
    ("ID", "/id"),
    ("CREATED", "/createdAt"),
    ("STATUS", "/status"),
    ("DONE", "/done"),
    ("TOTAL", "/total"),
    ("FAILED", "/failed"),
    ("SKIPPED", "/skipped"),
];

const CARD: &[(&str, &str)] = &[
    ("id", "/id"),
    ("status", "/status"),
    ("events", "/selection"),
    ("automation", "/automationId"),
    ("repeats effects", "/repeatEffects"),
    ("per second", "/ratePerSecond"),
    ("total", "/total"),
    ("done", "/done"),
    ("failed", "/failed"),
    ("skipped", "/skipped"),
    ("through", "/through"),
    ("error", "/error"),
    ("created", "/createdAt"),
    ("finished", "/finishedAt"),
];

const PLAN: &[(&str, &str)] = &[
    ("events", "/total"),
    ("first", "/first"),
    ("last", "/last"),
    ("takes seconds", "/estimatedSeconds"),
    ("succeeded already", "/alreadySucceeded"),
];

pub(super) async fn run(command: &Replay, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Replay::Start(start) => {
            let body = body(start, client).await?;
            let body = serde_json::to_vec(&body)
                .map_err(|error| Error::Usage(format!("the request cannot be written: {error}")))?;
            let answer = client.post(&["api", "replays"], body.into()).await?;
            out.answer(&answer, if start.run { begun } else { plan })
        }
        Replay::Status { id, watch } => {
            let answer = if *watch { follow(id, client).await? } else { get(id, client).await? };
            out.answer(&answer, |replay| card(CARD, replay).join("\n"))
        }
        Replay::Cancel { id } => {
            let answer = client.post(&["api", "replays", id, "cancel"], "{}".into()).await?;
            out.answer(&answer, |replay| {
                let (id, done) = (text(replay, "/id"), text(replay, "/done"));
                format!("replay {id} is cancelled; {done} events had come back")
            })
        }
        Replay::List(part) => {
            let limit = part.limit.to_string();
            let answer = client.get(&["api", "replays"], &super::query(part, &limit, &[])).await?;
            out.answer(&answer, |answer| page(COLUMNS, answer))
        }
    }
}

/// The request. What was not typed is left out, so that the server decides it.
async fn body(start: &StartReplay, client: &Client) -> Result<Map<String, Value>, Error> {
    let mut body = Map::new();
    for (name, text) in start.filter.members() {
        if let Some(text) = text {
            body.insert(name.to_owned(), json!(text));
        }
    }
    if let Some(types) = &start.filter.types {
        body.insert("types".to_owned(), json!(types.split(',').collect::<Vec<_>>()));
    }
    if !start.ids.is_empty() {
        body.insert("ids".to_owned(), json!(start.ids));
    }
    if let Some(name) = &start.automation {
        let id = automation::id_of(client, name).await?;
        body.insert("automationId".to_owned(), json!(id));
    }
    body.insert("repeatEffects".to_owned(), json!(start.repeat_effects));
    body.insert("ratePerSecond".to_owned(), json!(start.rate));
    body.insert("dryRun".to_owned(), json!(!start.run));
    Ok(body)
}

fn plan(plan: &Value) -> String {
    let mut lines = card(PLAN, plan);
    let types = plan.get("byType").and_then(Value::as_array);
    lines.extend(
        types
            .into_iter()
            .flatten()
            .map(|count| format!("  {} {}", text(count, "/events"), text(count, "/type").dimmed())),
    );
    let next = "nothing was brought back; the same with --run does it";
    lines.push(next.dimmed().to_string());
    lines.join("\n")
}

fn begun(replay: &Value) -> String {
    let id = text(replay, "/id");
    let next = format!("next: omni replay status {id} --watch");
    format!("replay {id} {}\n{}", status(&text(replay, "/status")), next.dimmed())
}

async fn get(id: &str, client: &Client) -> Result<Answer, Error> {
    client.get(&["api", "replays", id], &[]).await
}

/// Looks at a replay until it has ended, with a bar on a terminal.
async fn follow(id: &str, client: &Client) -> Result<Answer, Error> {
    let clock = SystemClock::new();
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    loop {
        let answer = match get(id, client).await {
            Ok(answer) => answer,
            Err(error) => {
                bar.finish_and_clear();
                return Err(error);
            }
        };
        let replay = answer.value()?;
        show(&bar, &replay);
        if !replay["finishedAt"].is_null() {
            bar.finish_and_clear();
            return Ok(answer);
        }
        clock.sleep(LOOK_EVERY).await;
    }
}

fn show(bar: &ProgressBar, replay: &Value) {
    let number = |name: &str| replay[name].as_u64().unwrap_or(0);
    if let Some(total) = replay["total"].as_u64()
        && bar.length() != Some(total)
        && let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {per_sec} {eta}")
    {
        bar.set_style(style);
        bar.set_length(total);
    }
    bar.set_position(number("done") + number("failed") + number("skipped"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_in_words() {
        let told = plan(&json!({
            "dryRun": true, "total": 3, "estimatedSeconds": 0.1, "alreadySucceeded": null,
            "byType": [{ "type": "custom.a", "events": 2 }, { "type": "custom.b", "events": 1 }],
        }));
        let told = anstream::adapter::strip_str(&told).to_string();
        assert!(told.contains("events             3\n"), "{told}");
        assert!(told.contains("  2 custom.a\n  1 custom.b\n"), "{told}");
        assert!(told.ends_with("--run does it"), "{told}");
    }
}
