//! `omni source create|list|get|update|delete|enable|disable|providers|test|rotate-secret|quarantine`

mod quarantine;
mod test;

use std::fs;
use std::io::Read as _;

use bytes::Bytes;
use http::header;
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use crate::cli::{RotateSecret, SaveSource, Source};
use crate::client::{Answer, Client};
use crate::error::Error;
use crate::output::{Out, card, clean, page, text};

const COLUMNS: &[(&str, &str)] = &[
    ("NAME", "/name"),
    ("KIND", "/kind"),
    ("PROVIDER", "/provider"),
    ("ENABLED", "/enabled"),
    ("SECRET", "/hasSecret"),
    ("VERSION", "/version"),
    ("UPDATED", "/updatedAt"),
];

const PROVIDERS: &[(&str, &str)] =
    &[("NAME", "/name"), ("TITLE", "/title"), ("SECRET", "/secret"), ("DOCS", "/docs")];

const CARD: &[(&str, &str)] = &[
    ("name", "/name"),
    ("description", "/description"),
    ("kind", "/kind"),
    ("provider", "/provider"),
    ("enabled", "/enabled"),
    ("verifier", "/verifier"),
    ("secret", "/hasSecret"),
    ("second secret", "/hasSecondSecret"),
    ("expected headers", "/expectedHeaders"),
    ("idempotency keys", "/idempotencyKeys"),
    ("event type from", "/eventTypeFrom"),
    ("public URL", "/publicUrl"),
    ("allowed IPs", "/allowedIps"),
    ("limits", "/limits"),
    ("version", "/version"),
    ("created", "/createdAt"),
    ("updated", "/updatedAt"),
];

/// What a source is shown with and is no part of its definition.
const SHOWN_ONLY: &[&str] = &[
    "org",
    "version",
    "hasSecret",
    "hasSecondSecret",
    "secrets",
    "createdAt",
    "updatedAt",
    "createdBy",
];

pub(super) async fn run(command: &Source, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Source::Create(save) => create(save, client, out).await,
        Source::List(part) => {
            let limit = part.limit.to_string();
            let query = super::query(part, &limit, &[]);
            let answer = client.get(&["api", "sources"], &query).await?;
            out.answer(&answer, |answer| page(COLUMNS, answer))
        }
        Source::Get { name } => {
            let answer = client.get(&["api", "sources", name], &[]).await?;
            out.answer(&answer, people)
        }
        Source::Update(save) => update(save, client, out).await,
        Source::Delete { name } => {
            client.delete(&["api", "sources", name], &[]).await?;
            let gone = json!({ "name": name, "deleted": true });
            out.document(&gone, |_| format!("source/{} deleted; its events stay", clean(name)))
        }
        Source::Enable { name } => switch(client, name, "enable", out).await,
        Source::Disable { name } => switch(client, name, "disable", out).await,
        Source::Providers => {
            let answer = client.get(&["api", "sources", "providers"], &[]).await?;
            out.answer(&answer, |answer| page(PROVIDERS, answer))
        }
        Source::Test(wanted) => test::run(wanted, client, out).await,
        Source::RotateSecret(rotation) => rotate(rotation, client, out).await,
        Source::Quarantine(command) => quarantine::run(command, client, out).await,
    }
}

async fn create(save: &SaveSource, client: &Client, out: Out) -> Result<(), Error> {
    let mut definition = Map::new();
    definition.insert("name".to_owned(), json!(save.name));
    let body = Value::Object(filled(definition, save)?).to_string();
    let answer = client.post(&["api", "sources"], body.into()).await?;
    let template = template(client, &answer.value()?).await?;
    out.answer(&answer, |source| created(client, source, template.as_ref()))
}

async fn update(save: &SaveSource, client: &Client, out: Out) -> Result<(), Error> {
    let path = ["api", "sources", &save.name];
    let before = client.get(&path, &[]).await?;
    let etag = before.headers.get(header::ETAG).cloned();
    let Value::Object(mut definition) = before.value()? else {
        let what = "the source is no object".to_owned();
        return Err(Error::Answer { what, place: before.place });
    };
    definition.retain(|name, _| !SHOWN_ONLY.contains(&name.as_str()));
    let body = Value::Object(filled(definition, save)?).to_string();
    let answer = client.put(&path, body.into(), etag).await?;
    out.answer(&answer, |source| {
        format!("source/{} has version {}", text(source, "/name"), text(source, "/version"))
    })
}

/// The definition with everything that was typed.
fn filled(
    mut definition: Map<String, Value>,
    save: &SaveSource,
) -> Result<Map<String, Value>, Error> {
    if let Some(spec) = &save.spec {
        let text = given(spec)?;
        let unfit = |why: &str| Error::Usage(format!("--spec {why}\nnext: quote it, or use @FILE"));
        let spec: Value =
            serde_json::from_str(&text).map_err(|error| unfit(&format!("is no JSON: {error}")))?;
        let Value::Object(spec) = spec else { return Err(unfit("is no JSON object")) };
        definition.extend(spec);
    }
    let texts = [
        ("provider", &save.provider),
        ("description", &save.description),
        ("publicUrl", &save.public_url),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            definition.insert(name.to_owned(), json!(value));
        }
    }
    for (name, value) in [("secret", &save.secret), ("secondSecret", &save.second_secret)] {
        if let Some(value) = value {
            definition.insert(name.to_owned(), json!(secret(value)?));
        }
    }
    if !save.allow_ip.is_empty() {
        definition.insert("allowedIps".to_owned(), json!(save.allow_ip));
    }
    Ok(definition)
}

/// What to do at the sender, for people.
fn created(client: &Client, source: &Value, template: Option<&Value>) -> String {
    let name = text(source, "/name");
    let mut lines = vec![format!("source/{name} created"), String::new()];
    let url = match source.get("org").and_then(Value::as_str) {
        None | Some("default") => client.url(&["webhooks", &name], &[]),
        Some(org) => client.url(&["api", "orgs", org, "eventhook", "in", &name], &[]),
    };
    let told = source.get("publicUrl").and_then(Value::as_str);
    let url = told.map_or_else(|| url.to_string(), clean);
    lines.push(format!("{}  {url}", "register this URL".bold()));
    if let Some(template) = template {
        let title = text(template, "/title");
        lines.push(format!(
            "at {title}, which must reach it: a loopback address is reached through a tunnel"
        ));
        for (what, pointer) in [
            ("secret", "/secret"),
            ("second secret", "/secondSecret"),
            ("note", "/note"),
            ("docs", "/docs"),
        ] {
            if template.pointer(pointer).is_some() {
                lines.push(format!("{}  {}", what.bold(), text(template, pointer)));
            }
        }
    }
    lines.push(String::new());
    lines.push(format!("try it: omni source test {name}"));
    lines.join("\n")
}

/// The template of the provider of a source.
async fn template(client: &Client, source: &Value) -> Result<Option<Value>, Error> {
    let Some(provider) = source.get("provider").and_then(Value::as_str) else { return Ok(None) };
    let all = client.get(&["api", "sources", "providers"], &[]).await?.value()?;
    let all = all.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(all.into_iter().find(|one| one.get("name").and_then(Value::as_str) == Some(provider)))
}

async fn switch(client: &Client, name: &str, verb: &str, out: Out) -> Result<(), Error> {
    let answer = client.post(&["api", "sources", name, verb], Bytes::new()).await?;
    out.answer(&answer, |source| format!("source/{} {verb}d", text(source, "/name")))
}

async fn rotate(rotation: &RotateSecret, client: &Client, out: Out) -> Result<(), Error> {
    let mut body = Map::new();
    if let Some(argument) = &rotation.secret {
        body.insert("secret".to_owned(), json!(secret(argument)?));
    }
    if let Some(overlap) = rotation.overlap {
        body.insert("overlapSeconds".to_owned(), json!(overlap));
    }
    let path = ["api", "sources", &rotation.name, "rotate-secret"];
    let answer: Answer = client.post(&path, Value::Object(body).to_string().into()).await?;
    out.answer(&answer, rotated)
}

fn rotated(source: &Value) -> String {
    let mut lines = vec![format!("source/{} has a new secret", text(source, "/name"))];
    if source.get("secret").is_some_and(Value::is_string) {
        lines.push(format!("{}  {}", "secret".bold(), text(source, "/secret")));
        lines.push("give it to the sender now; it is not shown again".to_owned());
    }
    let secrets = source.get("secrets").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for old in secrets.iter().filter(|secret| secret.get("notAfter").is_some()) {
        lines.push(format!("secret {} counts until {}", text(old, "/id"), text(old, "/notAfter")));
    }
    lines.join("\n")
}

fn people(source: &Value) -> String {
    let mut lines = card(CARD, source);
    let secrets = source.get("secrets").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for secret in secrets {
        let mut line =
            format!("  secret {} of {}", text(secret, "/id"), text(secret, "/createdAt"));
        for (word, pointer) in [("until", "/notAfter"), ("last used", "/lastUsedAt")] {
            if secret.pointer(pointer).is_some() {
                line = format!("{line}, {word} {}", text(secret, pointer));
            }
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// `@FILE`, `-` or the text itself.
fn given(argument: &str) -> Result<String, Error> {
    let read = |path: &str| {
        fs::read_to_string(path).map_err(|source| Error::File { path: path.into(), source })
    };
    match argument.strip_prefix('@') {
        Some(path) => read(path),
        None if argument == "-" => {
            let mut text = String::new();
            let failed = |source| Error::File { path: "-".into(), source };
            std::io::stdin().read_to_string(&mut text).map_err(failed)?;
            Ok(text)
        }
        None => Ok(argument.to_owned()),
    }
}

/// A secret; the line end of its file is no part of it.
fn secret(argument: &str) -> Result<String, Error> {
    let text = given(argument)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let secret = line.strip_suffix('\r').unwrap_or(line);
    if secret.is_empty() {
        let what = "the secret is empty\nnext: write it into a file and give --secret @FILE";
        return Err(Error::Usage(what.to_owned()));
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_end_of_a_file_is_no_part_of_a_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            fs::write(file.path(), text).unwrap();
            secret(&format!("@{}", file.path().display()))
        };
        assert_eq!(read("s e \r\n").unwrap(), "s e ");
        assert_eq!(read("s\n\n").unwrap(), "s\n");
        assert!(matches!(read("\n"), Err(Error::Usage(_))));
        assert_eq!(secret("plain").unwrap(), "plain");
    }

    #[test]
    fn a_rotation_in_words() {
        let told = rotated(&json!({ "name": "a", "secret": "whsec_x", "secrets": [
            { "id": "2" }, { "id": "1", "notAfter": "2026-11-22T00:00:00.000Z" } ] }));
        let told = anstream::adapter::strip_str(&told).to_string();
        assert!(told.contains("secret  whsec_x\n") && told.contains("not shown again"), "{told}");
        assert!(told.contains("secret 1 counts until 2026-11-22"), "{told}");
    }
}
