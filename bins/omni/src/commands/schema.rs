//! `omni schema register|list|get|versions|check|diff|infer|import|export|config|settings|delete`

mod check;
mod diff;
mod exchange;
mod given;
mod infer;
mod register;
mod report;

use bytes::Bytes;
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

pub(super) use self::register::broken;
use crate::cli::{Format, GetSchema, INHERIT, Schema, TypeOptions, mode};
use crate::client::{Answer, Client};
use crate::error::Error;
use crate::output::{Out, card, clean, line, pretty, safe_json, table, text};

/// Where event types are on the server.
const TYPES: [&str; 3] = ["api", "events", "types"];

const COLUMNS: &[(&str, &str)] = &[
    ("TYPE", "/eventType"),
    ("VERSION", "/version"),
    ("VALIDATION", "/validation"),
    ("COMPATIBILITY", "/compatibility"),
    ("UPDATED", "/updatedAt"),
    ("DESCRIPTION", "/description"),
];

const VERSIONS: &[(&str, &str)] =
    &[("VERSION", "/version"), ("CREATED", "/createdAt"), ("CREATED BY", "/createdBy")];

const CARD: &[(&str, &str)] = &[
    ("type", "/eventType"),
    ("version", "/version"),
    ("description", "/description"),
    ("validation", "/validation"),
    ("compatibility", "/compatibility"),
    ("policy", "/policy"),
    ("stream", "/stream"),
    ("built in", "/builtIn"),
    ("created by", "/createdBy"),
    ("created", "/createdAt"),
    ("updated", "/updatedAt"),
];

const SETTINGS: &[(&str, &str)] = &[("compatibility", "/compatibility"), ("policy", "/policy")];

pub(super) async fn run(command: &Schema, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Schema::Register(register) => register::run(register, client, out).await,
        Schema::List { namespace } => list(namespace.as_deref(), client, out).await,
        Schema::Get(get) => read(get, client, out).await,
        Schema::Versions { event_type, before } => versions(event_type, *before, client, out).await,
        Schema::Check(check) => check::run(check, client, out).await,
        Schema::Diff { event_type, sides } => diff::run(event_type, sides, client, out).await,
        Schema::Infer(infer) => infer::run(infer, client, out).await,
        Schema::Import(import) => exchange::import(import, client, out).await,
        Schema::Export(export) => exchange::export(export, client, out).await,
        Schema::Config { event_type, options } => config(event_type, options, client, out).await,
        Schema::Settings { compatibility, policy } => {
            settings(compatibility.as_deref(), policy.as_deref(), client, out).await
        }
        Schema::Delete { event_type, permanent } => {
            delete(event_type, *permanent, client, out).await
        }
    }
}

async fn list(namespace: Option<&str>, client: &Client, out: Out) -> Result<(), Error> {
    let query: Vec<_> = namespace.map(|namespace| ("namespace", namespace)).into_iter().collect();
    let answer = client.get(&TYPES, &query).await?;
    out.answer(&answer, |answer| rows(COLUMNS, &answer["types"]))
}

async fn versions(
    event_type: &str,
    before: Option<i32>,
    client: &Client,
    out: Out,
) -> Result<(), Error> {
    let before = before.map(|before| before.to_string());
    let query: Vec<_> = before.as_deref().map(|before| ("before", before)).into_iter().collect();
    let answer = client.get(&path(event_type, &["versions"]), &query).await?;
    out.answer(&answer, |answer| {
        let mut lines = vec![rows(VERSIONS, &answer["versions"])];
        if let Some(next) = answer["next"].as_i64() {
            let name = clean(event_type);
            let older = format!("older ones: omni schema versions {name} --before {next}");
            lines.push(older.dimmed().to_string());
        }
        lines.join("\n")
    })
}

fn rows(columns: &[(&str, &str)], items: &Value) -> String {
    match items.as_array().map_or(&[][..], Vec::as_slice) {
        [] => "nothing yet".dimmed().to_string(),
        items => table(columns, items),
    }
}

async fn read(get: &GetSchema, client: &Client, out: Out) -> Result<(), Error> {
    let answer = version(&get.event_type, get.version, client).await?;
    if !get.schema {
        return out.answer(&answer, people);
    }
    match out.format() {
        Format::Yaml => out.document(&answer.value()?["schema"], safe_json),
        Format::Table | Format::Json => line(safe_json(&answer.value()?["schema"])),
    }
}

/// A type with its newest schema, or one version of it.
async fn version(event_type: &str, number: Option<u32>, client: &Client) -> Result<Answer, Error> {
    let Some(number) = number else {
        return client.get(&path(event_type, &[]), &[]).await;
    };
    client.get(&path(event_type, &["versions", &number.to_string()]), &[]).await
}

fn people(info: &Value) -> String {
    let mut lines = card(CARD, info);
    lines.push(format!("{}\n{}", "schema".bold(), pretty(&info["schema"])));
    lines.join("\n")
}

async fn config(
    event_type: &str,
    options: &TypeOptions,
    client: &Client,
    out: Out,
) -> Result<(), Error> {
    let mut body = Map::new();
    add(options, &mut body);
    for (name, value) in &mut body {
        if is_taken_back(name, value) {
            *value = Value::Null;
        }
    }
    if body.is_empty() {
        let what = "say what to change: --description, --validation, --compatibility, --policy or --stream";
        return Err(Error::Usage(what.to_owned()));
    }
    let answer = client.put(&path(event_type, &["config"]), bytes(&body), None).await?;
    out.answer(&answer, |info| card(CARD, info).join("\n"))
}

/// Whether a type is to be as if this had never been said.
fn is_taken_back(name: &str, value: &Value) -> bool {
    let word = value.as_str().unwrap_or_default();
    match name {
        "description" => word.is_empty(),
        "compatibility" | "policy" | "stream" => word.eq_ignore_ascii_case(INHERIT),
        _ => false,
    }
}

/// Adds those options that were typed.
fn add(options: &TypeOptions, body: &mut Map<String, Value>) {
    for (name, value) in options.named() {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
}

async fn settings(
    compatibility: Option<&str>,
    policy: Option<&str>,
    client: &Client,
    out: Out,
) -> Result<(), Error> {
    let path = [TYPES[0], TYPES[1], TYPES[2], "settings"];
    let mut answer = client.get(&path, &[]).await?;
    if compatibility.is_some() || policy.is_some() {
        // What was not typed stays.
        let mut settings = answer.value()?;
        if let Some(word) = compatibility {
            settings["compatibility"] = json!(mode(word));
        }
        if let Some(word) = policy {
            settings["policy"] = json!(word.to_lowercase());
        }
        answer = client.put(&path, settings.to_string().into(), None).await?;
    }
    out.answer(&answer, |settings| card(SETTINGS, settings).join("\n"))
}

async fn delete(event_type: &str, permanent: bool, client: &Client, out: Out) -> Result<(), Error> {
    let query: &[_] = if permanent { &[("permanent", "true")] } else { &[] };
    client.delete(&path(event_type, &[]), query).await?;
    let name = clean(event_type);
    match out.format() {
        Format::Table if permanent => line(format!("the versions of {name} are gone for good")),
        Format::Table => {
            let next = "its versions can still be read, and registering it again goes on with the next one";
            line(format!("{name} is deleted\n{}", next.dimmed()))
        }
        Format::Json | Format::Yaml => Ok(()),
    }
}

/// The path of a type, and of what is under it.
fn path<'a>(event_type: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    TYPES.iter().copied().chain([event_type]).chain(rest.iter().copied()).collect()
}

fn bytes(body: &Map<String, Value>) -> Bytes {
    Bytes::from(Value::Object(body.clone()).to_string())
}

/// A type and its version in words.
fn title(info: &Value) -> String {
    format!("{} version {}", text(info, "/eventType").bold(), text(info, "/version"))
}
