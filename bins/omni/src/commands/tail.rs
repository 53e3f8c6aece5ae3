//! `omni event tail`: follows events live, and goes on after the last one seen when the connection breaks.

use std::time::Duration;

use http::HeaderValue;
use omni_clock::{Clock, SystemClock};
use owo_colors::OwoColorize;
use serde_json::Value;

use crate::cli::{Format, TailEvents};
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean, line, text};

/// The first pause after a break, and the longest: a server that restarts is back within seconds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));
/// The longest message that is taken; an event is at most 16 MiB.
const MESSAGE_MAX: usize = 32 << 20;

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
    while let Some(bytes) = stream.next().await? {
        messages.add(&bytes);
        while let Some(message) = messages.next() {
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
        if messages.waiting() > MESSAGE_MAX {
            let what = format!("a message is longer than {MESSAGE_MAX} bytes");
            return Err(Error::Answer { what, place: stream.place });
        }
    }
    Ok(())
}

/// Server-sent events, cut out of the bytes as they come.
#[derive(Default)]
struct Messages {
    bytes: Vec<u8>,
    /// So many have no end of a message.
    searched: usize,
}

/// One of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    id: Option<i64>,
    event: String,
    data: String,
}

impl Messages {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// The next message that is complete.
    fn next(&mut self) -> Option<Message> {
        let rest = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") else {
            self.searched = self.bytes.len().saturating_sub(1);
            return None;
        };
        let text: Vec<u8> = self.bytes.drain(..self.searched + end + 2).collect();
        self.searched = 0;
        let mut message = Message::default();
        for line in String::from_utf8_lossy(&text).lines() {
            // What begins with a colon is a comment, which says that the stream lives.
            let Some((field, value)) = line.split_once(':') else { continue };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => message.id = value.parse().ok(),
                "event" => value.clone_into(&mut message.event),
                "data" => message.data.push_str(value),
                _ => {}
            }
        }
        Some(message)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_wherever_the_bytes_break() {
        let text = "id: 7\n\n:\n\nid: 8\nevent: custom.a\ndata: {\"é\": 1}\n\nid: 9\n";
        for size in 1..text.len() {
            let mut messages = Messages::default();
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                messages.add(piece);
                found.extend(std::iter::from_fn(|| messages.next()));
            }
            let event =
                Message { id: Some(8), event: "custom.a".into(), data: "{\"é\": 1}".into() };
            let begin = Message { id: Some(7), ..Message::default() };
            assert_eq!(found, [begin, Message::default(), event], "in pieces of {size}");
            assert_eq!(messages.waiting(), 6);
        }
    }
}
