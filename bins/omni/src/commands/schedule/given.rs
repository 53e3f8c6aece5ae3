//! From what was typed, or a file, to a definition as the server takes it.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use omni_clock::{Clock as _, SystemClock};
use serde_json::{Map, Value, json};

use crate::cli::GivenSchedule;
use crate::commands::{event, when};
use crate::documents;
use crate::error::Error;
use crate::output::clean;

/// What a definition may have; the rest of a schedule is what the server adds.
const MEMBERS: [&str; 18] = [
    "name",
    "description",
    "kind",
    "schedule",
    "intervalMs",
    "phaseMs",
    "at",
    "timezone",
    "eventType",
    "payload",
    "overlap",
    "catchup",
    "catchupWindowMs",
    "jitterMs",
    "start",
    "end",
    "maxFires",
    "enabled",
];

/// What only one kind of schedule has.
const KINDS: [&str; 4] = ["schedule", "intervalMs", "phaseMs", "at"];

/// The definition in a file, under the name that was typed or is in it.
fn read(file: &std::path::Path, name: Option<&str>) -> Result<Map<String, Value>, Error> {
    let wrong = |why: &str| Error::Usage(format!("{}: {}", file.display(), clean(why)));
    let value = documents::one(file)?;
    // A schedule has a `kind` of its own; a document has its definition in `spec`.
    let mut definition = if value.get("spec").is_some() {
        documents::schedule(value).map_err(|why| wrong(&why))?
    } else {
        match value {
            Value::Object(definition) => definition,
            _ => return Err(wrong("a definition is an object")),
        }
    };
    // Such as `omni schedule get -o json` prints.
    if definition.contains_key("describes") {
        keep_definition(&mut definition);
    }
    match (definition.get("name").and_then(Value::as_str), name) {
        (None, None) => Err(wrong("it has no name; type one")),
        (Some(written), Some(typed)) if written != typed => {
            Err(wrong(&format!("it is about the schedule {written}, not about {typed}")))
        }
        (Some(_), _) => Ok(definition),
        (None, Some(typed)) => {
            definition.insert("name".to_owned(), json!(typed));
            Ok(definition)
        }
    }
}

/// Takes away what the server has added to a definition.
pub(super) fn keep_definition(schedule: &mut Map<String, Value>) {
    schedule.retain(|name, value| MEMBERS.contains(&name.as_str()) && !value.is_null());
}

/// A whole definition.
pub(super) fn definition(
    name: Option<&str>,
    given: &GivenSchedule,
) -> Result<Map<String, Value>, Error> {
    if let Some(file) = &given.file {
        return read(file, name);
    }
    if given.cron.is_none() && given.every.is_none() && given.at.is_none() {
        return Err(Error::Usage(
            "when is it to fire?\nnext: write --cron \"0 9 * * 1-5\", --every 15m, --at 2026-12-24T18:00, or -f FILE"
                .to_owned(),
        ));
    }
    let mut definition = Map::new();
    if let Some(name) = name {
        definition.insert("name".to_owned(), json!(name));
    }
    change(&mut definition, given, SystemClock::new().now())?;
    Ok(definition)
}

/// Puts what was typed into a definition.
pub(super) fn change(
    definition: &mut Map<String, Value>,
    given: &GivenSchedule,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut set = |name: &str, value: Value| drop(definition.insert(name.to_owned(), value));
    for (name, text) in [
        ("timezone", &given.timezone),
        ("eventType", &given.event_type),
        ("description", &given.description),
        ("start", &given.start),
        ("end", &given.end),
    ] {
        if let Some(text) = text {
            set(name, json!(text));
        }
    }
    if let Some(payload) = &given.payload {
        let payload = event::payload(payload)?;
        let wrong = |error| Error::Usage(format!("--payload is no JSON: {error}"));
        set("payload", serde_json::from_str(payload.get()).map_err(wrong)?);
    }
    if let Some(overlap) = given.overlap {
        set("overlap", json!(overlap.as_str()));
    }
    if let Some(catchup) = given.catchup {
        set("catchup", json!(catchup.as_str()));
    }
    if let Some(window) = &given.catchup_window {
        set("catchupWindowMs", json!(when::duration_ms("--catchup-window", window)?));
        set("catchup", json!("within"));
    }
    if let Some(jitter) = &given.jitter {
        set("jitterMs", json!(when::duration_ms("--jitter", jitter)?));
    }
    if let Some(max) = given.max_fires {
        set("maxFires", json!(max));
    }
    if given.disabled {
        set("enabled", json!(false));
    }
    if definition.get("catchup").is_some_and(|catchup| catchup != "within") {
        definition.remove("catchupWindowMs");
    }
    instants(definition, given, now)
}

/// Puts what decides the instants into a definition.
fn instants(
    definition: &mut Map<String, Value>,
    given: &GivenSchedule,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (kind, member, value) = if let Some(cron) = &given.cron {
        ("cron", "schedule", json!(cron))
    } else if let Some(every) = &given.every {
        ("interval", "intervalMs", json!(when::duration_ms("--every", every)?))
    } else if let Some(at) = &given.at {
        ("once", "at", json!(instant(at, now)?))
    } else {
        return phase(definition, given);
    };
    // Another kind has nothing of the one before; the same kind keeps its phase.
    let same = definition.get("kind").is_some_and(|held| held == kind);
    definition.retain(|name, _| !KINDS.contains(&name.as_str()) || (same && name == "phaseMs"));
    definition.insert("kind".to_owned(), json!(kind));
    definition.insert(member.to_owned(), value);
    phase(definition, given)
}

fn phase(definition: &mut Map<String, Value>, given: &GivenSchedule) -> Result<(), Error> {
    if let Some(phase) = &given.phase {
        definition.insert("phaseMs".to_owned(), json!(when::duration_ms("--phase", phase)?));
    }
    Ok(())
}

/// A time of `--at` as the server reads it; one from now on is written out, any other is the server's to judge.
fn instant(text: &str, now: DateTime<Utc>) -> Result<String, Error> {
    if text.starts_with('+') { when::time(text, now) } else { Ok(text.to_owned()) }
}

/// A time of the past: as the server reads it, or `-2d` before now.
pub(super) fn past(option: &str, text: &str, now: DateTime<Utc>) -> Result<String, Error> {
    let wrong = || {
        Error::Usage(format!(
            "{option} {text}: no time\nnext: write 2026-11-21T00:00:00Z, or -2d (s, m, h, d) before now"
        ))
    };
    let time = match text.strip_prefix('-') {
        Some(ago) => {
            let ago = when::duration_ms(option, ago).map_err(|_| wrong())?;
            let ago = TimeDelta::try_milliseconds(i64::try_from(ago).map_err(|_| wrong())?);
            ago.and_then(|ago| now.checked_sub_signed(ago)).ok_or_else(wrong)?
        }
        None => DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?.to_utc(),
    };
    Ok(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command, Schedule};

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_255_200, 0).unwrap()
    }

    fn typed(options: &[&str]) -> GivenSchedule {
        let line = [&["omni", "schedule", "preview"], options].concat();
        let Command::Schedule(schedule) = Cli::parse_from(line).command else { unreachable!() };
        let Schedule::Preview(preview) = *schedule else { unreachable!() };
        preview.given
    }

    fn made(options: &[&str]) -> Value {
        let mut made = Map::new();
        change(&mut made, &typed(options), now()).unwrap();
        Value::Object(made)
    }

    #[test]
    fn what_is_typed_becomes_a_definition() {
        assert_eq!(
            made(&[
                "--cron",
                "0 9 * * 1-5",
                "--timezone",
                "Europe/Berlin",
                "--payload",
                "{\"n\":1}"
            ]),
            json!({ "kind": "cron", "schedule": "0 9 * * 1-5", "timezone": "Europe/Berlin",
                    "payload": { "n": 1 } })
        );
        assert_eq!(
            made(&[
                "--every",
                "1h30m",
                "--phase",
                "5m",
                "--jitter",
                "30s",
                "--overlap",
                "buffer-one"
            ]),
            json!({ "kind": "interval", "intervalMs": 5_400_000, "phaseMs": 300_000,
                    "jitterMs": 30_000, "overlap": "bufferOne" })
        );
        assert_eq!(
            made(&["--at", "2026-12-24T18:00", "--disabled", "--catchup-window", "1d"]),
            json!({ "kind": "once", "at": "2026-12-24T18:00", "enabled": false,
                    "catchup": "within", "catchupWindowMs": 86_400_000 })
        );
        assert_eq!(made(&["--at", "+10m"])["at"], "2026-11-21T10:10:00.000Z");
    }

    #[test]
    fn a_change_of_kind_takes_along_nothing_of_the_one_before() {
        let held = json!({ "name": "a", "kind": "interval", "intervalMs": 1000, "phaseMs": 5,
                           "catchup": "within", "catchupWindowMs": 60_000 });
        let changed = |options: &[&str]| {
            let mut definition = held.as_object().unwrap().clone();
            change(&mut definition, &typed(options), now()).unwrap();
            Value::Object(definition)
        };
        let cron = changed(&["--cron", "* * * * *", "--catchup", "none"]);
        assert_eq!(
            cron,
            json!({ "name": "a", "kind": "cron", "schedule": "* * * * *", "catchup": "none" })
        );
        let every = changed(&["--every", "2s"]);
        assert_eq!((&every["intervalMs"], &every["phaseMs"]), (&json!(2000), &json!(5)));
        assert_eq!(every["catchupWindowMs"], 60_000);
    }

    #[test]
    fn a_file_is_a_definition_a_document_or_what_the_server_tells() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str, name| {
            let file = folder.path().join("s.yaml");
            std::fs::write(&file, text).unwrap();
            read(&file, name).map(Value::Object).map_err(|error| error.to_string())
        };
        let wanted = json!({ "name": "a", "kind": "once", "at": "2026-12-24T18:00" });
        let plain = "kind: once\nat: 2026-12-24T18:00\n";
        assert_eq!(read(plain, Some("a")), Ok(wanted.clone()));
        let spec = "kind: Schedule\nname: a\nspec: { kind: once, at: 2026-12-24T18:00 }\n";
        assert_eq!(read(spec, None), Ok(wanted.clone()));
        let told =
            "name: a\nkind: once\nat: 2026-12-24T18:00\nversion: 3\ndescribes: x\nend: null\n";
        assert_eq!(read(told, Some("a")), Ok(wanted));
        assert!(read(plain, None).unwrap_err().contains("no name"));
        assert!(read(told, Some("b")).unwrap_err().contains("not about b"));
        let source = "kind: Source\nname: a\nspec: {}\n";
        assert!(read(source, None).unwrap_err().contains("omni apply"));
    }

    #[test]
    fn a_past_time_is_read_as_people_write_it() {
        assert_eq!(past("--from", "-2d", now()).unwrap(), "2026-11-19T10:00:00.000Z");
        let read = past("--from", "2026-11-20T01:00:00+01:00", now()).unwrap();
        assert_eq!(read, "2026-11-20T00:00:00.000Z");
        for wrong in ["-", "-2w", "yesterday", "2026-11-20"] {
            let told = past("--from", wrong, now()).unwrap_err().to_string();
            assert!(told.starts_with("--from ") && told.contains("next: write"), "{told}");
        }
    }
}
