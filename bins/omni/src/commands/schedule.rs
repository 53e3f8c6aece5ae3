//! `omni schedule create|list|get|update|delete|enable|disable|trigger|backfill|next|fires|purge|preview`

mod backfill;
mod given;
mod show;

use bytes::Bytes;
use http::header::ETAG;
use omni_clock::{Clock as _, SystemClock};
use owo_colors::OwoColorize;
use serde_json::{Map, Value};

use super::event::triggered_by;
use crate::cli::{PreviewSchedule, SaveSchedule, Schedule};
use crate::client::{Answer, Client};
use crate::error::Error;
use crate::output::{Out, text};

/// How many instants are shown with a schedule.
const SHOWN: &str = "5";

pub(super) async fn run(command: &Schedule, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Schedule::Create(save) => create(save, client, out).await,
        Schedule::Update(save) => update(save, client, out).await,
        Schedule::Preview(preview) => self::preview(preview, client, out).await,
        Schedule::Backfill(backfill) => backfill::run(backfill, client, out).await,
        Schedule::List(part) => {
            let limit = part.limit.to_string();
            let query = super::query(part, &limit, &[]);
            let answer = client.get(&["api", "schedules"], &query).await?;
            out.answer(&answer, show::list)
        }
        Schedule::Get { name } => {
            let answer = client.get(&["api", "schedules", name], &[]).await?;
            let next = next(name, SHOWN, client).await?.value()?;
            out.answer(&answer, |schedule| show::schedule(schedule, &next))
        }
        Schedule::Next { name, count } => {
            let answer = next(name, &count.to_string(), client).await?;
            out.answer(&answer, |answer| show::instants(answer, "/items").join("\n"))
        }
        Schedule::Fires { name, status, page } => {
            let limit = page.limit.to_string();
            let query = super::query(page, &limit, &[("status", status)]);
            let answer = client.get(&["api", "schedules", name, "fires"], &query).await?;
            out.answer(&answer, show::fires)
        }
        Schedule::Delete { name } => {
            client.delete(&["api", "schedules", name], &[]).await?;
            gone(name, out)
        }
        Schedule::Enable { name } => switch(name, "enable", client, out).await,
        Schedule::Disable { name } => switch(name, "disable", client, out).await,
        Schedule::Trigger { name, by } => {
            let url = ["api", "schedules", name.as_str(), "trigger"];
            let by = triggered_by(by.as_deref());
            let answer = client.post_query(&url, &[("triggeredBy", by.as_str())]).await?;
            out.answer(&answer, |fire| show::triggered(name, fire))
        }
        Schedule::Purge { name } => {
            let url = ["api", "schedules", name.as_str(), "purge"];
            let answer = client.post(&url, Bytes::new()).await?;
            out.answer(&answer, |purged| {
                format!("{} fires that waited are cancelled", text(purged, "/cancelled"))
            })
        }
    }
}

fn body(definition: Map<String, Value>) -> Bytes {
    Value::Object(definition).to_string().into()
}

async fn next(name: &str, count: &str, client: &Client) -> Result<Answer, Error> {
    client.get(&["api", "schedules", name, "next"], &[("count", count)]).await
}

/// Saves a schedule and shows what it will do, so that a slip is seen at once.
async fn create(save: &SaveSchedule, client: &Client, out: Out) -> Result<(), Error> {
    let definition = given::definition(save.name.as_deref(), &save.given)?;
    let answer = client.post(&["api", "schedules"], body(definition)).await?;
    saved(&answer, "created", client, out).await
}

/// Changes what was typed in what the server holds, unless somebody else changes it meanwhile.
async fn update(save: &SaveSchedule, client: &Client, out: Out) -> Result<(), Error> {
    let (definition, held) = match (&save.name, &save.given.file) {
        (Some(name), None) => {
            let held = client.get(&["api", "schedules", name], &[]).await?;
            let Value::Object(mut definition) = held.value()? else {
                let what = "the answer is no schedule".to_owned();
                return Err(Error::Answer { what, place: held.place });
            };
            given::keep_definition(&mut definition);
            given::change(&mut definition, &save.given, SystemClock::new().now())?;
            (definition, held.headers.get(ETAG).cloned())
        }
        _ => (given::definition(save.name.as_deref(), &save.given)?, None),
    };
    let name = definition.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let answer = client.put(&["api", "schedules", &name], body(definition), held).await?;
    saved(&answer, "updated", client, out).await
}

async fn saved(answer: &Answer, word: &str, client: &Client, out: Out) -> Result<(), Error> {
    let name = answer.value()?["name"].as_str().unwrap_or_default().to_owned();
    // It is saved; that its next times cannot be told now is no reason to say anything else.
    let next = match next(&name, SHOWN, client).await {
        Ok(next) => next.value().unwrap_or_default(),
        Err(_) => Value::Null,
    };
    out.answer(answer, |schedule| {
        let head = format!("schedule/{} {}", text(schedule, "/name"), word.green());
        show::saved(&head, schedule, &next)
    })
}

async fn preview(preview: &PreviewSchedule, client: &Client, out: Out) -> Result<(), Error> {
    let mut definition = given::definition(None, &preview.given).or_else(|error| {
        // What is only looked at needs no name.
        match &preview.given.file {
            Some(_) => given::definition(Some("unnamed"), &preview.given).map_err(|_| error),
            None => Err(error),
        }
    })?;
    definition.entry("name").or_insert_with(|| "unnamed".into());
    let (url, count) = (["api", "schedules", "preview"], preview.count.to_string());
    let answer = client.post_json(&url, &[("count", count.as_str())], body(definition)).await?;
    out.answer(&answer, |told| {
        let mut lines = vec![text(told, "/describes").bold().to_string()];
        lines.extend(show::instants(told, "/next"));
        lines.push("nothing was saved".dimmed().to_string());
        lines.join("\n")
    })
}

async fn switch(name: &str, verb: &str, client: &Client, out: Out) -> Result<(), Error> {
    let answer = client.post(&["api", "schedules", name, verb], Bytes::new()).await?;
    out.answer(&answer, |schedule| {
        let head = format!("schedule/{} {verb}d", text(schedule, "/name"));
        match schedule.get("nextRunLocal").and_then(Value::as_str) {
            Some(_) => format!("{head}; next: {}", text(schedule, "/nextRunLocal")),
            None => head,
        }
    })
}

fn gone(name: &str, out: Out) -> Result<(), Error> {
    let done = serde_json::json!({ "name": name, "result": "deleted" });
    out.document(&done, |done| format!("schedule/{} deleted; its events stay", text(done, "/name")))
}
