//! `omni schema diff`: what changed between two versions of a type, or between the newest one and a file.

use std::path::Path;

use omni_schema::{Compatibility, Policy, Schema, compare};
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};
use similar::TextDiff;

use super::{TYPES, check, given, report, version};
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean};

/// How many lines stand around one that changed.
const CONTEXT: usize = 3;

/// What is compared.
#[derive(Debug, PartialEq, Eq)]
enum Sides<'a> {
    /// The newest version and the one before.
    Last,
    /// A version and the newest one.
    Since(u32),
    Between(u32, u32),
    /// The newest version and a file.
    File(&'a Path),
}

pub(super) async fn run(
    event_type: &str,
    words: &[String],
    client: &Client,
    out: Out,
) -> Result<(), Error> {
    let newest = || async { version(event_type, None, client).await?.value() };
    let one = |number| async move { version(event_type, Some(number), client).await?.value() };
    let (old, new) = match sides(words)? {
        Sides::File(path) => return with_file(event_type, path, client, out).await,
        Sides::Between(old, new) => (one(old).await?, one(new).await?),
        Sides::Since(old) => (one(old).await?, newest().await?),
        Sides::Last => {
            let new = newest().await?;
            let number = new["version"].as_u64().and_then(|number| u32::try_from(number).ok());
            let Some(before) = number.and_then(|number| number.checked_sub(1)).filter(|n| *n > 0)
            else {
                let name = clean(event_type);
                return Err(Error::Usage(format!(
                    "{name} has one version only; `omni schema diff {name} FILE` holds a file against it"
                )));
            };
            (one(before).await?, new)
        }
    };
    let (mode, policy) = rules(event_type, client).await?;
    let findings = findings(&old["schema"], &new["schema"], policy);
    let names = [&old, &new].map(|info| format!("version {}", info["version"]));
    let text = text_diff(&old["schema"], &new["schema"], &names);
    let document = json!({
        "eventType": event_type, "from": old["version"], "to": new["version"],
        "policy": policy.as_str(), "findings": findings, "diff": text,
    });
    out.document(&document, |_| {
        let mut lines = vec![coloured(&text)];
        if findings.is_empty() {
            let well = format!("compatible in both directions ({} policy)", policy.as_str());
            lines.push(well.green().to_string());
        } else {
            let mode_says = format!("what breaks ({} policy)", policy.as_str());
            lines.push(mode_says.bold().to_string());
            lines.extend(report::findings(&findings, mode));
        }
        lines.join("\n")
    })
}

/// The server compares, since only it knows the stored events and who reads them.
async fn with_file(event_type: &str, path: &Path, client: &Client, out: Out) -> Result<(), Error> {
    let given = given::read(path, Some(event_type))?;
    let new = given.get("schema").cloned().unwrap_or_default();
    let old = version(event_type, None, client).await?.value()?;
    let body = Map::from_iter([("schema".to_owned(), new.clone())]);
    let found = check::ask(event_type, &body, client).await?.value()?;
    let names = [format!("version {}", old["version"]), path.display().to_string()];
    let text = text_diff(&old["schema"], &new, &names);
    let document = json!({
        "eventType": event_type, "from": old["version"], "to": null, "check": found, "diff": text,
    });
    out.document(&document, |_| {
        let mut lines = vec![coloured(&text)];
        lines.extend(check::people(event_type, &found));
        lines.join("\n")
    })
}

fn sides(words: &[String]) -> Result<Sides<'_>, Error> {
    match words {
        [] => Ok(Sides::Last),
        [one] => Ok(one.parse().map_or_else(|_| Sides::File(Path::new(one)), Sides::Since)),
        [old, new, ..] => match (old.parse(), new.parse()) {
            (Ok(old), Ok(new)) => Ok(Sides::Between(old, new)),
            _ => Err(Error::Usage(
                "write two numbers of versions, or one file to hold against the newest version"
                    .to_owned(),
            )),
        },
    }
}

/// The mode and the policy that hold for a type: its own, or those of its organisation.
async fn rules(event_type: &str, client: &Client) -> Result<(Compatibility, Policy), Error> {
    let settings = [TYPES[0], TYPES[1], TYPES[2], "settings"];
    let settings = client.get(&settings, &[]).await?.value()?;
    let own = client.find(&super::path(event_type, &[])).await?;
    let own = own.map(|answer| answer.value()).transpose()?.unwrap_or_default();
    let word = |name: &str| own[name].as_str().or(settings[name].as_str()).map(str::to_owned);
    let mode = word("compatibility").and_then(|word| Compatibility::from_name(&word));
    let policy = word("policy").and_then(|word| Policy::from_name(&word));
    Ok((mode.unwrap_or_default(), policy.unwrap_or_default()))
}

fn findings(old: &Value, new: &Value, policy: Policy) -> Vec<Value> {
    // A version that cannot be used any more has nothing to be said of but its text.
    let (Ok(old), Ok(new)) = (Schema::new(old.clone()), Schema::new(new.clone())) else {
        return Vec::new();
    };
    let findings = compare(&old, &new, policy).findings;
    findings.iter().filter_map(|finding| serde_json::to_value(finding).ok()).collect()
}

/// The two schemas, line by line.
fn text_diff(old: &Value, new: &Value, names: &[String; 2]) -> String {
    let pretty = |schema: &Value| {
        let text = serde_json::to_string_pretty(schema).unwrap_or_default();
        format!("{text}\n")
    };
    let (old, new) = (pretty(old), pretty(new));
    let diff = TextDiff::from_lines(&old, &new);
    diff.unified_diff().context_radius(CONTEXT).header(&names[0], &names[1]).to_string()
}

fn coloured(diff: &str) -> String {
    if diff.is_empty() {
        return "the schemas are the same".dimmed().to_string();
    }
    let lines = diff.lines().map(|line| {
        let text = clean(line);
        match line.as_bytes().first() {
            Some(b'+') => text.green().to_string(),
            Some(b'-') => text.red().to_string(),
            Some(b'@') => text.dimmed().to_string(),
            _ => text,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_versions_or_a_file() {
        let words =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(sides(&[]).unwrap(), Sides::Last);
        assert_eq!(sides(&words(&["2"])).unwrap(), Sides::Since(2));
        assert_eq!(sides(&words(&["1", "3"])).unwrap(), Sides::Between(1, 3));
        assert_eq!(sides(&words(&["new.json"])).unwrap(), Sides::File(Path::new("new.json")));
        assert!(sides(&words(&["1", "new.json"])).is_err());
    }

    #[test]
    fn schemas_differ_line_by_line() {
        let (old, new) = (json!({ "a": 1, "b": 2 }), json!({ "a": 1, "b": 3 }));
        let names = ["version 1".to_owned(), "version 2".to_owned()];
        assert_eq!(
            text_diff(&old, &new, &names),
            "--- version 1\n+++ version 2\n@@ -1,4 +1,4 @@\n {\n   \"a\": 1,\n-  \"b\": 2\n+  \"b\": 3\n }\n"
        );
        assert_eq!(text_diff(&old, &old, &names), "");
    }
}
