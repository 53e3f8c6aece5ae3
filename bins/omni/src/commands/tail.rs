//! `omni event tail`: follows events live, and goes on after the last one seen when the connection breaks.

use owo_colors::OwoColorize;
use serde_json::Value;

use super::follow::Follow;
use crate::cli::{Format, TailEvents};
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean, line, text};

pub(super) async fn run(tail: &TailEvents, client: &Client, out: Out) -> Result<(), Error> {
    let filters = [
        ("type", &tail.types),
        ("source", &tail.source),
        ("channelType", &tail.channel),
        ("instanceId", &tail.instance),
    ];
    let set = filters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let mut follow = Follow::new(set.collect(), tail.since);
    follow.run(client, async |document| show(document, out)).await
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
