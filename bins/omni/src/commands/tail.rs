//! `omni event tail`: follows events live, and goes on after the last one seen when the connection breaks.

use std::time::Duration;

use http::HeaderValue;
use omni_clock::{Clock, SystemClock};
use owo_colors::OwoColorize;
use serde_json::Value;

use crate::cli::{Format, TailEvents};
use crate::client::Client;
use crate::error::Error;
use crate::messages::Messages;
use crate::output::{Out, clean, line, text};

/// The first pause after a break, and the longest: a server that restarts is back within seconds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));

/// Where the stream stands.
struct Place {
    last: Option<i64>,
    pause: Duration,
}

pub(super) async fn run(tail: &TailEvents, client: &Client, out: Out) -> Result<(), Error> {
    let clock = SystemClock::new();
    let mut place = Place { last: tail.since, pause: PAUSE.0 };
    let mut was_open = false;
    loop {
        match follow(tail, client, out, &mut place).await {
            Ok(()) => {}
            // Only what may pass is waited for, and only when the server was there before.
            Err(Error::Unreachable { .. }) if was_open || place.last != tail.since => {}
            Err(Error::Problem(problem)) if problem.status.is_server_error() && was_open => {}
            Err(error) => return Err(error),
        }
        was_open = true;
        clock.sleep(place.pause).await;
        place.pause = (place.pause * 2).min(PAUSE.1);
    }
}

/// Shows what comes until the stream ends.
async fn follow(
    tail: &TailEvents,
    client: &Client,
    out: Out,
    place: &mut Place,
) -> Result<(), Error> {
    let mut query = Vec::new();
    let filters =
        [("type", &tail.types), ("channelType", &tail.channel), ("instanceId", &tail.instance)];
    for (name, value) in filters {
        query.extend(value.as_deref().map(|value| (name, value)));
    }
    let last = place.last.map(HeaderValue::from);
    let mut stream = client.stream(&["api", "events", "stream"], &query, last).await?;
    let mut messages = Messages::default();
    while let Some(message) = messages.read(&mut stream).await? {
        place.pause = PAUSE.0;
        if message.event == "problem" {
            anstream::eprintln!("{}", clean(&message.data));
            return Ok(());
        }
        if !message.data.is_empty() {
            show(&message.data, out)?;
        }
        // Only what was shown is not asked for again.
        place.last = message.id.or(place.last);
    }
    Ok(())
}

fn show(document: &str, out: Out) -> Result<(), Error> {
    let value = || serde_json::from_str::<Value>(document).unwrap_or_default();
    match out.format() {
        Format::Json => line(document),
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
