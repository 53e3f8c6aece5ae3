//! `omni schema infer`: a schema that fits what really came.

use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use super::{bytes, path, register};
use crate::cli::{Format, InferSchema};
use crate::client::{Answer, Client};
use crate::error::Error;
use crate::output::{Out, clean, line, safe_json, text};

pub(super) async fn run(infer: &InferSchema, client: &Client, out: Out) -> Result<(), Error> {
    let answer = ask(infer, client).await?;
    let inferred = answer.value()?;
    if !infer.register {
        return match out.format() {
            Format::Table => tell(&infer.event_type, &inferred),
            Format::Json | Format::Yaml => out.answer(&answer, |_| String::new()),
        };
    }
    if inferred["documents"].as_u64() == Some(0) {
        return Err(Error::NotFound(nothing(&infer.event_type)));
    }
    if out.format() == Format::Table {
        tell(&infer.event_type, &inferred)?;
    }
    let body = Map::from_iter([
        ("eventType".to_owned(), json!(infer.event_type)),
        ("schema".to_owned(), inferred["schema"].clone()),
    ]);
    register::send(&body, client, out).await
}

async fn ask(infer: &InferSchema, client: &Client) -> Result<Answer, Error> {
    let mut body = Map::new();
    let typed = [
        ("limit", infer.limit.map(|limit| json!(limit))),
        ("from", infer.from.as_ref().map(|time| json!(time))),
        ("to", infer.to.as_ref().map(|time| json!(time))),
    ];
    for (name, value) in typed {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    }
    client.post_slowly(&path(&infer.event_type, &["infer"]), bytes(&body)).await
}

/// The schema on standard output, so that it can go to a file; what it rests on beside it.
fn tell(event_type: &str, inferred: &Value) -> Result<(), Error> {
    if inferred["documents"].as_u64() == Some(0) {
        return Err(Error::NotFound(nothing(event_type)));
    }
    line(safe_json(&inferred["schema"]))?;
    let documents = text(inferred, "/documents");
    let events = if documents == "1" { "event" } else { "events" };
    anstream::eprintln!("{} {documents} stored {events}", "from".bold());
    for sentence in inferred["evidence"].as_array().into_iter().flatten() {
        anstream::eprintln!("  {}", clean(sentence.as_str().unwrap_or_default()));
    }
    Ok(())
}

fn nothing(event_type: &str) -> String {
    let event_type = clean(event_type);
    format!(
        "there is no stored event of the type {event_type} to learn from\n\
         next: `omni event list --type {event_type}` shows what there is"
    )
}
