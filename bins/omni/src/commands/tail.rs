//! `omni event tail`: follows events by asking for the page after the last one seen.
//!
//! Cursors are opaque and the end of a list has none, so the last cursor is kept and its page is
//! read again until there is a next one; events already shown are told by their sequence.

use std::time::Duration;

use omni_clock::{Clock, SystemClock};
use owo_colors::OwoColorize;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cli::Format;
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean, line, text};

/// Fast enough to feel live, slow enough to cost nothing.
const PAUSE: Duration = Duration::from_millis(300);
/// Also how many events are read again at most while nothing happens.
const PAGE: &str = "100";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Sequence {
    sequence: i64,
}

/// What was seen last and where its page starts.
struct Place {
    cursor: Option<String>,
    seen: i64,
}

pub(super) async fn run(types: Option<&str>, client: &Client, out: Out) -> Result<(), Error> {
    let clock = SystemClock::new();
    let mut place = newest(types, client).await?;
    loop {
        let page = fetch(types, client, "asc", PAGE, place.cursor.as_deref()).await?;
        for item in &page.items {
            let sequence = sequence(item)?;
            if sequence > place.seen {
                show(item, out)?;
                place.seen = sequence;
            }
        }
        match page.next_cursor {
            Some(cursor) => place.cursor = Some(cursor),
            None => clock.sleep(PAUSE).await,
        }
    }
}

/// The newest event now; its page starts one event before it if there are that many.
async fn newest(types: Option<&str>, client: &Client) -> Result<Place, Error> {
    let page = fetch(types, client, "desc", "2", None).await?;
    let seen = match page.items.first() {
        Some(item) => sequence(item)?,
        None => i64::MIN,
    };
    Ok(Place { cursor: page.next_cursor, seen })
}

async fn fetch(
    types: Option<&str>,
    client: &Client,
    order: &str,
    limit: &str,
    cursor: Option<&str>,
) -> Result<Page, Error> {
    let mut query = vec![("order", order), ("limit", limit)];
    query.extend(types.map(|types| ("type", types)));
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    let answer = client.get(&["api", "events"], &query).await?;
    let place = answer.place.clone();
    serde_json::from_slice(&answer.body).map_err(|error| unfit(&error, place))
}

fn sequence(item: &RawValue) -> Result<i64, Error> {
    let event: Result<Sequence, _> = serde_json::from_str(item.get());
    Ok(event.map_err(|error| unfit(&error, "GET /api/events".into()))?.sequence)
}

fn unfit(error: &serde_json::Error, place: String) -> Error {
    Error::Answer { what: format!("the answer is no list of events: {error}"), place }
}

fn show(item: &RawValue, out: Out) -> Result<(), Error> {
    let value = || serde_json::from_str::<Value>(item.get()).unwrap_or_default();
    match out.format() {
        Format::Json => line(item.get()),
        Format::Yaml => {
            let yaml = serde_saphyr::to_string(&value()).unwrap_or_default();
            line(format!("---\n{}", yaml.trim_end()))
        }
        Format::Table => {
            let event = value();
            let payload = clean(&event.get("payload").map(Value::to_string).unwrap_or_default());
            let short: String = payload.chars().take(100).collect();
            let (sequence, kind) = (text(&event, "/sequence"), text(&event, "/type"));
            let (time, id) = (text(&event, "/receivedAt"), text(&event, "/id"));
            line(format!("{} {sequence} {} {id} {}", time.dimmed(), kind.bold(), short.dimmed()))
        }
    }
}
