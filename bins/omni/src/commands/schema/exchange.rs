//! `omni schema import|export`: OpenAPI and AsyncAPI documents.

use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use super::{TYPES, bytes};
use crate::cli::{ExportSchemas, Format, ImportSchemas, mode};
use crate::client::Client;
use crate::documents;
use crate::error::Error;
use crate::output::{Out, clean, grid, line, safe_json, text};

pub(super) async fn import(import: &ImportSchemas, client: &Client, out: Out) -> Result<(), Error> {
    let mut body = Map::from_iter([
        ("document".to_owned(), documents::one(&import.file)?),
        ("dryRun".to_owned(), json!(import.dry_run)),
    ]);
    let typed = [
        ("prefix", import.prefix.clone()),
        ("validation", import.validation.as_ref().map(|word| word.to_lowercase())),
        ("compatibility", import.compatibility.as_deref().map(mode)),
    ];
    for (name, value) in typed {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    let answer =
        client.post_slowly(&[TYPES[0], TYPES[1], TYPES[2], "import"], bytes(&body)).await?;
    let imported = answer.value()?;
    out.answer(&answer, |imported| people(imported, import.dry_run))?;
    match imported["types"].as_array().into_iter().flatten().filter(|one| is_bad(one)).count() {
        0 => Ok(()),
        bad => Err(Error::Refused(format!(
            "{bad} of them were refused; see above\n\
             next: correct the document and import it again; what was taken stays as it is"
        ))),
    }
}

fn is_bad(one: &Value) -> bool {
    !one["problem"].is_null()
}

fn people(imported: &Value, dry_run: bool) -> String {
    let types = imported["types"].as_array().map_or(&[][..], Vec::as_slice);
    if types.is_empty() {
        return "no event types are in it".dimmed().to_string();
    }
    let table = grid(["TYPE", "RESULT", "WHY"].into_iter(), types.iter().map(row));
    let done = if dry_run { "nothing was changed" } else { "" };
    format!("{table}\n{}", done.dimmed())
}

fn row(one: &Value) -> Vec<String> {
    let name = text(one, if one["eventType"].is_null() { "/name" } else { "/eventType" });
    let why = match &one["problem"] {
        Value::Null if one["outcome"] == "builtIn" => {
            return vec![name, "left out".to_owned(), "it comes with the product".to_owned()];
        }
        Value::Null => return vec![name, text(one, "/outcome"), String::new()],
        Value::String(why) => clean(why),
        problem if problem["detail"].is_string() => text(problem, "/detail"),
        problem => clean(&problem.to_string()),
    };
    vec![name, "refused".to_owned(), why]
}

pub(super) async fn export(export: &ExportSchemas, client: &Client, out: Out) -> Result<(), Error> {
    let mut query = vec![("format", export.format.as_str())];
    query.extend(export.namespace.as_deref().map(|namespace| ("namespace", namespace)));
    let answer = client.get_slowly(&[TYPES[0], TYPES[1], TYPES[2], "export"], &query).await?;
    let format = if export.yaml { Format::Yaml } else { out.format() };
    match format {
        Format::Table => line(safe_json(&answer.value()?)),
        Format::Json | Format::Yaml => Out::new(format).answer(&answer, |_| String::new()),
    }
}
