//! `omni automation test|lint`: definitions tried out and looked over before they do anything.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use super::explain::{list, proof, reasons};
use crate::cli::{Format, LintAutomations, TestAutomation};
use crate::client::Client;
use crate::documents;
use crate::error::Error;
use crate::output::{Out, clean, pretty, text};

/// Where automations are on the server.
const AUTOMATIONS: [&str; 2] = ["api", "automations"];

pub(super) async fn test(test: &TestAutomation, client: &Client, out: Out) -> Result<(), Error> {
    let mut definitions = definitions(&test.file, test.name.as_deref())?;
    let Some(definition) = definitions.pop().filter(|_| definitions.is_empty()) else {
        let (file, count) = (test.file.display(), definitions.len() + 1);
        let what = format!("{file}: {count} automations are in it; say which with --name");
        return Err(Error::Usage(what));
    };
    let mut body = Map::from_iter([("definition".to_owned(), definition)]);
    // What is there as a file is a file, and an id never is.
    if fs::exists(&test.event).unwrap_or_default() || test.event == "-" {
        body.insert("event".to_owned(), documents::one(Path::new(&test.event))?);
    } else {
        body.insert("eventId".to_owned(), json!(test.event));
    }
    let path = [&AUTOMATIONS[..], &["test"]].concat();
    let answer = client.post(&path, bytes(&Value::Object(body))).await?;
    out.answer(&answer, tried)
}

pub(super) async fn lint(lint: &LintAutomations, client: &Client, out: Out) -> Result<(), Error> {
    let path = [&AUTOMATIONS[..], &["lint"]].concat();
    let Some(file) = &lint.file else {
        let answer = client.post(&path, bytes(&json!({}))).await?;
        return out.answer(&answer, looked_over);
    };
    let definitions = definitions(file, lint.name.as_deref())?;
    let is_one = definitions.len() == 1;
    for definition in definitions {
        let answer = client.post(&path, bytes(&json!({ "definition": definition }))).await?;
        if is_one || out.format() == Format::Json {
            out.answer(&answer, looked_over)?;
        } else {
            out.event(&answer.value()?, looked_over)?;
        }
    }
    Ok(())
}

/// The definitions of automations in a file: its documents, or one that stands there by itself.
fn definitions(file: &Path, name: Option<&str>) -> Result<Vec<Value>, Error> {
    let found: Vec<Value> = documents::automations(file)?;
    let wanted = |definition: &Value| name.is_none_or(|name| definition["name"] == name);
    let found: Vec<Value> = found.into_iter().filter(wanted).collect();
    if found.is_empty() {
        let what = name.map_or_else(
            || "no automation is in it".to_owned(),
            |name| format!("no automation {name:?} is in it"),
        );
        return Err(Error::Usage(format!("{}: {what}", file.display())));
    }
    Ok(found)
}

fn bytes(body: &Value) -> Bytes {
    body.to_string().into()
}

fn tried(trial: &Value) -> String {
    let is_matched = trial.get("matched").and_then(Value::as_bool) == Some(true);
    let answer = if is_matched {
        "it would run".green().bold().to_string()
    } else {
        "it would not run".red().bold().to_string()
    };
    let mut lines = vec![format!("{answer}: {}", text(trial, "/summary"))];
    lines.extend(reasons(trial));
    lines.extend(proof(trial));
    lines.extend(findings(list(trial, "findings")));
    lines.push("actions, as they would be given".bold().to_string());
    for (index, action) in list(trial, "actions").iter().enumerate() {
        let kind = text(action, "/type");
        let given = if let Some(error) = action.get("error").and_then(Value::as_str) {
            clean(error).red().to_string()
        } else {
            let config = pretty(action.get("config").unwrap_or(&Value::Null));
            config.lines().collect::<Vec<_>>().join("\n     ")
        };
        lines.push(format!("  {}. {} {given}", index + 1, kind.bold()));
    }
    lines.join("\n")
}

fn looked_over(lints: &Value) -> String {
    let mut lines = Vec::new();
    for item in list(lints, "items") {
        lines.push(text(item, "/name").bold().to_string());
        lines.extend(list(item, "problems").iter().map(|problem| {
            let (pointer, message) = (text(problem, "/pointer"), text(problem, "/message"));
            format!("  {} {pointer}: {message}", "does not run:".red())
        }));
        lines.extend(findings(list(item, "findings")));
    }
    let checked = text(lints, "/checked");
    if lines.is_empty() {
        lines.push(format!("nothing odd; looked at {checked}"));
    } else {
        lines.push(format!("looked at {checked}").dimmed().to_string());
    }
    if lints.get("complete").and_then(Value::as_bool) == Some(false) {
        lines.push("there was more than could be looked at; mend these and ask again".to_owned());
    }
    lines.join("\n")
}

fn findings(found: &[Value]) -> impl Iterator<Item = String> {
    found.iter().map(|finding| {
        let severity = text(finding, "/severity");
        let shown = match severity.as_str() {
            "error" => severity.red().to_string(),
            "warning" => severity.yellow().to_string(),
            _ => severity.dimmed().to_string(),
        };
        let pointer = finding.get("pointer").and_then(Value::as_str).unwrap_or_default();
        let place = if pointer.is_empty() { String::new() } else { format!(" {}", clean(pointer)) };
        let (code, message) = (text(finding, "/code"), text(finding, "/message"));
        format!("  {shown} {code}{place}: {message}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_trial_in_words() {
        let trial = json!({
            "matched": true, "summary": "it matches", "reasons": [], "proof": { "matched": true },
            "findings": [{ "code": "unknown-field", "severity": "warning", "pointer": "/triggerPattern/payload/x", "message": "no such field" }],
            "actions": [{ "type": "log", "config": { "message": "hi" } }, { "type": "webhook", "config": null, "error": "config/url: no" }],
        });
        let told = plain(&tried(&trial));
        assert!(told.starts_with("it would run: it matches\n"), "{told}");
        assert!(
            told.contains("  warning unknown-field /triggerPattern/payload/x: no such field"),
            "{told}"
        );
        assert!(told.contains("  1. log {\n       \"message\": \"hi\"\n     }"), "{told}");
        assert!(told.contains("  2. webhook config/url: no"), "{told}");
    }

    #[test]
    fn findings_in_words() {
        let lints = json!({ "checked": 3, "complete": true, "items": [{ "name": "a", "problems": [],
            "findings": [{ "code": "equal", "severity": "warning", "pointer": "", "message": "as `b`" }] }] });
        assert_eq!(plain(&looked_over(&lints)), "a\n  warning equal: as `b`\nlooked at 3");
        let none = json!({ "checked": 3, "complete": true, "items": [] });
        assert_eq!(plain(&looked_over(&none)), "nothing odd; looked at 3");
    }

    #[test]
    fn definitions_are_documents_or_stand_by_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str, name: Option<&str>| {
            let path = folder.path().join("a.yaml");
            fs::write(&path, text).unwrap();
            definitions(&path, name).map_err(|error| error.to_string())
        };
        let text = "kind: Source\nname: s\nspec: {}\n---\nkind: Automation\nname: a\nspec: { priority: 1 }\n---\n\
                    kind: Automation\nname: b\nspec: {}\n";
        assert_eq!(read(text, None).unwrap().len(), 2);
        assert_eq!(read(text, Some("a")).unwrap(), [json!({ "name": "a", "priority": 1 })]);
        assert!(read(text, Some("c")).unwrap_err().contains("no automation \"c\""));
        let bare = "name: x\ntriggerEventType: custom.x\nactions: []\n";
        assert_eq!(read(bare, None).unwrap()[0]["name"], "x");
        assert!(
            read("kind: Source\nname: s\nspec: {}\n", None).unwrap_err().contains("no automation")
        );
    }
}
