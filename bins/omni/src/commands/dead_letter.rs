//! `omni dead-letter list|get|retry|resolve|abandon`

use std::time::Duration;

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use omni_clock::{Clock as _, SystemClock};
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use crate::cli::{DeadLetter, DeadLetterFilter, ListDeadLetters, RetryDeadLetters};
use crate::client::{Answer, Client};
use crate::error::Error;
use crate::output::{Out, card, clean, page, pretty, text};

const COLUMNS: &[(&str, &str)] = &[
    ("ID", "/id"),
    ("DEAD", "/deadAt"),
    ("STATUS", "/status"),
    ("CONSUMER", "/consumer"),
    ("TYPE", "/eventType"),
    ("RETRIES", "/retries"),
    ("NEXT RETRY", "/nextRetryAt"),
];

const CARD: &[(&str, &str)] = &[
    ("id", "/id"),
    ("status", "/status"),
    ("consumer", "/consumer"),
    ("automation", "/automationId"),
    ("version", "/version"),
    ("event", "/eventId"),
    ("type", "/eventType"),
    ("attempts", "/attempts"),
    ("retries", "/retries"),
    ("next retry", "/nextRetryAt"),
    ("retry event", "/retryEventId"),
    ("note", "/note"),
    ("changed by", "/changedBy"),
    ("dead", "/deadAt"),
    ("changed", "/changedAt"),
];

/// How often the progress of a bulk retry is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(command: &DeadLetter, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        DeadLetter::List(list) => {
            let ListDeadLetters { status, filter, page: part } = list;
            let limit = part.limit.to_string();
            let mut filters = filter.named().to_vec();
            filters.push(("status", status));
            let query = super::query(part, &limit, &filters);
            let answer = client.get(&["api", "dead-letters"], &query).await?;
            out.answer(&answer, |answer| page(COLUMNS, answer))
        }
        DeadLetter::Get { id } => {
            let answer = client.get(&["api", "dead-letters", id], &[]).await?;
            out.answer(&answer, people)
        }
        DeadLetter::Retry(retry) => match &retry.id {
            Some(_) if retry.filter.is_given() => {
                let what = "an id names one dead letter; the other options go with --all";
                Err(Error::Usage(what.to_owned()))
            }
            Some(id) => change(id, "retry", Bytes::new(), client, out).await,
            None => retry_all(retry, client, out).await,
        },
        DeadLetter::Resolve { id, note } => {
            let body = json!({ "note": note }).to_string();
            change(id, "resolve", body.into(), client, out).await
        }
        DeadLetter::Abandon { id } => change(id, "abandon", Bytes::new(), client, out).await,
    }
}

async fn change(id: &str, verb: &str, body: Bytes, client: &Client, out: Out) -> Result<(), Error> {
    let path = ["api", "dead-letters", id, verb];
    let answer = client.post(&path, body).await?;
    out.answer(&answer, |letter| {
        let (id, status) = (text(letter, "/id"), text(letter, "/status"));
        match letter.get("retryEventId").and_then(Value::as_str) {
            Some(event) => format!("dead letter {id} is {status}, event {}", clean(event)),
            None => format!("dead letter {id} is {status}"),
        }
    })
}

fn people(story: &Value) -> String {
    let mut lines = card(CARD, story);
    let errors = story.get("errors").and_then(Value::as_array).into_iter().flatten();
    for (index, error) in errors.enumerate() {
        let error = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
        lines.push(format!("  {}. {}", index + 1, clean(&error).red()));
    }
    if let Some(payload) = story.pointer("/event/payload") {
        lines.push(format!("{}\n{}", "payload".bold(), pretty(payload)));
    } else if let Some(message) = story.get("message").and_then(Value::as_str) {
        lines.push(format!("{}\n{}", "message".bold(), clean(message)));
    }
    lines.join("\n")
}

/// Has the server retry many, and waits until each has begun. Whoever stops waiting stops nothing.
async fn retry_all(retry: &RetryDeadLetters, client: &Client, out: Out) -> Result<(), Error> {
    let body = json!({ "filter": filter(&retry.filter) }).to_string();
    let mut answer = client.post(&["api", "dead-letters", "retry"], body.into()).await?;
    let mut job = answer.value()?;
    let bar = match job.get("total").and_then(Value::as_u64) {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::no_length(),
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} retries begun") {
        bar.set_style(style);
    }
    let (id, clock) = (text(&job, "/id"), SystemClock::new());
    while job.get("finishedAt").is_none_or(Value::is_null) {
        clock.sleep(LOOK_EVERY).await;
        (answer, job) = look(&id, client).await?;
        bar.set_position(job.get("done").and_then(Value::as_u64).unwrap_or(0));
    }
    bar.finish_and_clear();
    if job.get("status").and_then(Value::as_str) != Some("completed") {
        let (status, error) = (text(&job, "/status"), text(&job, "/error"));
        return Err(Error::Server(format!("the retry {id} is {status}: {error}")));
    }
    out.answer(&answer, |job| {
        let begun = text(job, "/done");
        format!("{begun} retries begun; those that fail come back in `omni dead-letter list --status pending`")
    })
}

async fn look(id: &str, client: &Client) -> Result<(Answer, Value), Error> {
    let answer = client.get(&["api", "dead-letters", "jobs", id], &[]).await?;
    let job = answer.value()?;
    Ok((answer, job))
}

fn filter(filter: &DeadLetterFilter) -> Value {
    let given = filter
        .named()
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value.clone()?))));
    Value::Object(given.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_in_words() {
        let story = json!({ "id": "x", "status": "pending", "note": null, "errors": ["no answer", "evil \u{1b}[2J"],
                            "event": { "payload": { "n": 1 } } });
        let told = anstream::adapter::strip_str(&people(&story)).to_string();
        assert_eq!(
            told,
            "id           x\nstatus       pending\n  1. no answer\n  2. evil \\u{1b}[2J\npayload\n{\n  \"n\": 1\n}"
        );
    }
}
