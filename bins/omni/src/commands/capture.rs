//! `omni capture policy|expire|delete`, and what was captured of an event.

use bytes::Bytes;
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use crate::cli::{
    Capture, CapturePolicy, DeleteCaptures, ExpireCaptures, ExpungeEvent, Format, SetCapturePolicy,
};
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean, line, page, table, text};

const POLICIES: &[(&str, &str)] = &[
    ("TYPE", "/eventType"),
    ("ENABLED", "/policy/enabled"),
    ("STAGES", "/policy/stages"),
    ("DAYS", "/policy/retentionDays"),
    ("MAX BYTES", "/policy/maxBytes"),
    ("UPDATED", "/updatedAt"),
];

const DUE: &[(&str, &str)] = &[
    ("TYPE", "/eventType"),
    ("STAGE", "/stage"),
    ("PARTS", "/parts"),
    ("BYTES", "/bytes"),
    ("UNPACKED", "/size"),
    ("OLDEST", "/oldest"),
    ("NEWEST", "/newest"),
];

const PARTS: &[(&str, &str)] = &[
    ("STAGE", "/stage"),
    ("PART", "/part"),
    ("CAPTURED", "/createdAt"),
    ("CONTENT TYPE", "/contentType"),
    ("SIZE", "/size"),
    ("EXPIRES", "/expiresAt"),
    ("DELETED", "/deletedAt"),
    ("REASON", "/deletedReason"),
];

pub(super) async fn run(command: &Capture, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Capture::Policy(policy) => run_policy(policy, client, out).await,
        Capture::Expire(expire) => {
            let ExpireCaptures { dry_run, at } = expire;
            let body = json!({ "dryRun": dry_run, "at": at });
            let answer = client.post(&["api", "capture", "expire"], bytes(&body)).await?;
            out.answer(&answer, report)
        }
        Capture::Delete(delete) => {
            let DeleteCaptures { event, reason, stage } = delete;
            let mut query = vec![("reason", reason.as_str())];
            query.extend(stage.as_deref().map(|stage| ("stage", stage)));
            let answer = client.delete(&["api", "events", event, "payloads"], &query).await?;
            out.answer(&answer, |answer| format!("{} deleted", parts(answer, "/deleted")))
        }
    }
}

async fn run_policy(command: &CapturePolicy, client: &Client, out: Out) -> Result<(), Error> {
    const PATH: [&str; 2] = ["api", "capture-policies"];
    match command {
        CapturePolicy::List => {
            let answer = client.get(&PATH, &[]).await?;
            out.answer(&answer, |answer| page(POLICIES, &told(answer)))
        }
        CapturePolicy::Set(set) => {
            let path = [PATH[0], PATH[1], &set.event_type];
            let answer = client.put(&path, bytes(&policy(set)), None).await?;
            out.answer(&answer, |stored| page(POLICIES, &told(&json!({ "items": [stored] }))))
        }
        CapturePolicy::Delete { event_type } => {
            client.delete(&[PATH[0], PATH[1], event_type], &[]).await?;
            match out.format() {
                Format::Table => line(format!("the policy of {} is gone", clean(event_type))),
                Format::Json | Format::Yaml => Ok(()),
            }
        }
    }
}

/// `omni event payloads`: what was captured with an event, without the bytes unless for programs.
pub(super) async fn payloads(id: &str, client: &Client, out: Out) -> Result<(), Error> {
    let answer = client.get(&["api", "events", id, "payloads"], &[]).await?;
    out.answer(&answer, |answer| page(PARTS, answer))
}

/// `omni event expunge`
pub(super) async fn expunge(
    ExpungeEvent { id, reason }: &ExpungeEvent,
    client: &Client,
    out: Out,
) -> Result<(), Error> {
    let body = bytes(&json!({ "reason": reason }));
    let answer = client.post(&["api", "events", id, "expunge"], body).await?;
    out.answer(&answer, |done| {
        let (id, at, reason) = (text(done, "/eventId"), text(done, "/at"), text(done, "/reason"));
        format!("the payload of {id} was taken out {at}: {reason}")
    })
}

fn policy(set: &SetCapturePolicy) -> Value {
    let SetCapturePolicy { stages, retention_days, forever, max_bytes, off, .. } = set;
    let mut policy = Map::from_iter([("enabled".to_owned(), json!(!off))]);
    if !stages.is_empty() {
        policy.insert("stages".to_owned(), json!(stages));
    }
    if *forever || retention_days.is_some() {
        policy.insert("retentionDays".to_owned(), json!(retention_days));
    }
    if let Some(bytes) = max_bytes {
        policy.insert("maxBytes".to_owned(), json!(bytes));
    }
    Value::Object(policy)
}

/// Policies in words: what is absent means all stages and the default time, and null means for ever.
fn told(answer: &Value) -> Value {
    let mut answer = answer.clone();
    for item in answer["items"].as_array_mut().into_iter().flatten() {
        let Some(policy) = item["policy"].as_object_mut() else { continue };
        let stages = policy
            .get("stages")
            .and_then(Value::as_array)
            .map(|stages| stages.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
        policy.insert("stages".to_owned(), json!(stages.as_deref().unwrap_or("all")));
        let days = match policy.get("retentionDays") {
            None => json!("default"),
            Some(Value::Null) => json!("for ever"),
            Some(days) => days.clone(),
        };
        policy.insert("retentionDays".to_owned(), days);
    }
    answer
}

fn report(answer: &Value) -> String {
    let at = text(answer, "/at");
    let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return format!("nothing has expired at {at}").dimmed().to_string();
    }
    let sum = match answer["dryRun"].as_bool() {
        Some(true) => format!(
            "{} with {} bytes would be deleted at {at}; nothing was changed",
            parts(answer, "/parts"),
            text(answer, "/bytes")
        ),
        _ => format!("{} of {} deleted", text(answer, "/deleted"), parts(answer, "/parts")),
    };
    format!("{}\n{sum}", table(DUE, items))
}

fn parts(answer: &Value, pointer: &str) -> String {
    let count = text(answer, pointer);
    let word = if count == "1" { "part" } else { "parts" };
    format!("{count} {word}")
}

fn bytes(body: &Value) -> Bytes {
    Bytes::from(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(line: &[&str]) -> Value {
        use clap::Parser as _;
        let line = ["omni", "capture", "policy", "set", "custom.>"].iter().chain(line);
        let cli = crate::cli::Cli::try_parse_from(line).unwrap();
        let crate::cli::Command::Capture(Capture::Policy(CapturePolicy::Set(set))) = cli.command
        else {
            panic!("another command");
        };
        policy(&set)
    }

    #[test]
    fn a_policy_says_only_what_was_typed() {
        assert_eq!(set(&[]), json!({ "enabled": true }));
        assert_eq!(set(&["--off"]), json!({ "enabled": false }));
        assert_eq!(set(&["--forever"]), json!({ "enabled": true, "retentionDays": null }));
        let line = ["--stage", "error", "--retention-days", "3", "--max-bytes", "9"];
        let wanted =
            json!({ "enabled": true, "stages": ["error"], "retentionDays": 3, "maxBytes": 9 });
        assert_eq!(set(&line), wanted);
    }

    #[test]
    fn absent_and_null_are_told_apart() {
        let answer = json!({ "items": [{ "policy": {} }, { "policy": { "retentionDays": null, "stages": ["error"] } }] });
        let told = told(&answer);
        assert_eq!(told["items"][0]["policy"]["retentionDays"], "default");
        assert_eq!(told["items"][0]["policy"]["stages"], "all");
        assert_eq!(told["items"][1]["policy"]["retentionDays"], "for ever");
        assert_eq!(told["items"][1]["policy"]["stages"], "error");
    }
}
