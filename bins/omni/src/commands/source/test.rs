//! `omni source test`: why a request is refused, or a genuine one to send.

use std::fs;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use crate::cli::TestSource;
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, text};

pub(super) async fn run(wanted: &TestSource, client: &Client, out: Out) -> Result<(), Error> {
    let body = Value::Object(request(wanted)?).to_string();
    let answer = client.post(&["api", "sources", &wanted.name, "test"], body.into()).await?;
    let report = answer.value()?;
    out.answer(&answer, |report| people(&wanted.name, report))?;
    let is_refused = report.get("verified") == Some(&Value::Bool(false));
    let was_tried = report.get("checks").and_then(Value::as_array).is_some_and(|c| !c.is_empty());
    if is_refused && was_tried { Err(Error::Unwell) } else { Ok(()) }
}

fn request(wanted: &TestSource) -> Result<Map<String, Value>, Error> {
    let mut body = Map::new();
    let mut headers = Map::new();
    for header in &wanted.header {
        let Some((name, value)) = header.split_once(':') else {
            return Err(Error::Usage(format!("--header {header}: write it as `Name: value`")));
        };
        headers.insert(name.trim().to_owned(), json!(value.trim()));
    }
    if !headers.is_empty() {
        body.insert("headers".to_owned(), Value::Object(headers));
    }
    let texts = [
        ("quarantineId", &wanted.quarantined),
        ("url", &wanted.url),
        ("method", &wanted.method),
        ("at", &wanted.at),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    if let Some(argument) = &wanted.body {
        // As bytes, because a single one that is changed on the way would be found at fault.
        body.insert("bodyBase64".to_owned(), json!(STANDARD.encode(bytes(argument)?)));
    }
    Ok(body)
}

fn bytes(argument: &str) -> Result<Vec<u8>, Error> {
    match argument.strip_prefix('@') {
        Some(path) => fs::read(path).map_err(|source| Error::File { path: path.into(), source }),
        None if argument == "-" => {
            let mut bytes = Vec::new();
            let failed = |source| Error::File { path: "-".into(), source };
            std::io::stdin().read_to_end(&mut bytes).map_err(failed)?;
            Ok(bytes)
        }
        None => Ok(argument.as_bytes().to_vec()),
    }
}

fn people(name: &str, report: &Value) -> String {
    let list =
        |name: &str| report.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut lines = Vec::new();
    for check in list("checks") {
        let outcome = text(check, "/outcome");
        let mark = match outcome.as_str() {
            "passed" => "ok".green().to_string(),
            "failed" => "no".red().to_string(),
            _ => " -".dimmed().to_string(),
        };
        let detail = check
            .get("detail")
            .map_or_else(String::new, |_| format!(": {}", text(check, "/detail")));
        lines.push(format!("{mark}  {}{detail}", text(check, "/check")));
    }
    for event in list("wouldBecome") {
        lines.push(format!(
            "would become {} (key {})",
            text(event, "/eventType"),
            text(event, "/idempotencyKey")
        ));
    }
    for found in list("diagnosis") {
        let sure = text(found, "/certainty");
        lines.push(format!(
            "{} ({sure})  {}",
            text(found, "/cause").bold(),
            text(found, "/detail")
        ));
        lines.push(format!("  next: {}", text(found, "/fix")));
    }
    if report.get("note").is_some() {
        lines.push(text(report, "/note"));
    }
    if report.get("sample").is_some() {
        lines.push(format!("a genuine request for {name}:\n{}", text(report, "/sample/curl")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_in_words() {
        let told = people(
            "shop",
            &json!({
                "verified": false,
                "checks": [{ "check": "size", "outcome": "passed" }, { "check": "signature", "outcome": "failed", "detail": "no" }],
                "wouldBecome": [{ "eventType": "custom.webhook.shop", "idempotencyKey": null }],
                "diagnosis": [{ "cause": "retired-secret", "certainty": "certain", "detail": "old", "fix": "rotate" }],
            }),
        );
        let told = anstream::adapter::strip_str(&told).to_string();
        assert_eq!(
            told,
            "ok  size\nno  signature: no\nwould become custom.webhook.shop (key -)\n\
             retired-secret (certain)  old\n  next: rotate"
        );
    }
}
