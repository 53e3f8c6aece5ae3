//! `omni schema register`: the next version of a type, or what it would break.

use http::StatusCode;
use omni_schema::Direction;
use owo_colors::OwoColorize;
use serde_json::{Map, Value};

use super::{TYPES, add, bytes, given, report, title};
use crate::cli::{Format, RegisterSchema};
use crate::client::Client;
use crate::error::{Error, Problem};
use crate::output::{Out, clean, text};

pub(super) async fn run(register: &RegisterSchema, client: &Client, out: Out) -> Result<(), Error> {
    let mut body = given::read(&register.file, register.event_type.as_deref())?;
    add(&register.options, &mut body);
    send(&body, client, out).await
}

/// Registers and tells what became of it.
pub(super) async fn send(
    body: &Map<String, Value>,
    client: &Client,
    out: Out,
) -> Result<(), Error> {
    match client.post_slowly(&TYPES, bytes(body)).await {
        Ok(answer) => out.answer(&answer, registered),
        Err(Error::Problem(problem)) if broken(&problem).is_some() => refuse(&problem, body, out),
        Err(error) => Err(error),
    }
}

/// What a refused schema would break, if that is why it was refused.
pub(in crate::commands) fn broken(problem: &Problem) -> Option<Vec<String>> {
    let check = &problem.whole;
    let is_this = problem.status == StatusCode::CONFLICT && check["compared"].is_object();
    is_this.then(|| report::report(check))
}

fn refuse(problem: &Problem, body: &Map<String, Value>, out: Out) -> Result<(), Error> {
    if out.format() != Format::Table {
        // For programs, the whole answer of the server.
        out.document(&problem.whole, |_| String::new())?;
        return Err(Error::Refused(String::new()));
    }
    let check = &problem.whole;
    let event_type = body.get("eventType").and_then(Value::as_str).unwrap_or_default();
    let mut lines = vec![report::verdict(event_type, &check["compared"])];
    lines.extend(report::report(check));
    lines.push(format!("next: {}", next(event_type, &check["compared"])));
    Err(Error::Refused(lines.join("\n")))
}

/// The two ways out.
fn next(event_type: &str, compared: &Value) -> String {
    let refused = report::refused(compared);
    let only = |direction| refused.iter().all(|refused| *refused == direction);
    let mode = if only(Direction::Forward) {
        "BACKWARD (old readers may be surprised)"
    } else if only(Direction::Backward) {
        "FORWARD (stored events may not fit any more)"
    } else {
        "NONE (nobody is protected)"
    };
    let event_type = clean(event_type);
    format!(
        "mend the schema and try it: omni schema check {event_type} FILE\n  \
         or let it through on purpose: --compatibility {mode}; it stays set for the type"
    )
}

fn registered(done: &Value) -> String {
    let word = match text(done, "/outcome").as_str() {
        "created" => "created".green().to_string(),
        "newVersion" => "is new".green().to_string(),
        "configured" => "was configured; its schema is the same".green().to_string(),
        "unchanged" => "unchanged".dimmed().to_string(),
        other => other.to_owned(),
    };
    let mut lines = vec![format!("{} {word}", title(done))];
    lines.extend(report::report(done));
    lines.join("\n")
}
