//! Schedules, their times and their fires, for people.

use owo_colors::OwoColorize;
use serde_json::Value;

use crate::output::{card, clean, grid, pretty, text};

const CARD: &[(&str, &str)] = &[
    ("name", "/name"),
    ("description", "/description"),
    ("fires", "/describes"),
    ("type", "/eventType"),
    ("overlap", "/overlap"),
    ("catch-up", "/catchup"),
    ("window ms", "/catchupWindowMs"),
    ("jitter ms", "/jitterMs"),
    ("start", "/start"),
    ("end", "/end"),
    ("ends after", "/maxFires"),
    ("enabled", "/enabled"),
    ("last run", "/lastRun"),
    ("next run", "/nextRunLocal"),
    ("fired", "/fired"),
    ("skipped", "/skipped"),
    ("missed", "/missed"),
    ("version", "/version"),
    ("created", "/createdAt"),
    ("updated", "/updatedAt"),
    ("by", "/createdBy"),
];

/// What somebody has to know first.
fn state(schedule: &Value) -> String {
    let is = |name: &str| schedule.get(name).is_some_and(|value| value == true);
    if schedule.get("alarm").is_some_and(|alarm| !alarm.is_null()) {
        "alarm".red().to_string()
    } else if is("overdue") {
        "overdue".red().to_string()
    } else if !is("enabled") {
        "disabled".dimmed().to_string()
    } else if schedule.get("nextRun").is_none_or(Value::is_null) {
        "ended".dimmed().to_string()
    } else {
        "on".green().to_string()
    }
}

fn items<'a>(answer: &'a Value, pointer: &str) -> &'a [Value] {
    answer.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
}

fn more(table: String, answer: &Value) -> String {
    match answer.get("nextCursor").and_then(Value::as_str) {
        Some(cursor) => {
            format!("{table}\n{}", format!("more: --cursor {}", clean(cursor)).dimmed())
        }
        None => table,
    }
}

/// A page of schedules.
pub(super) fn list(answer: &Value) -> String {
    let items = items(answer, "/items");
    if items.is_empty() {
        return "nothing yet".dimmed().to_string();
    }
    let rows = items.iter().map(|schedule| {
        let at = |pointer| text(schedule, pointer);
        vec![at("/name"), at("/describes"), at("/nextRunLocal"), at("/lastRun"), state(schedule)]
    });
    more(grid(["NAME", "FIRES", "NEXT RUN", "LAST RUN", "STATUS"].into_iter(), rows), answer)
}

/// One schedule with what it does next.
pub(super) fn schedule(schedule: &Value, next: &Value) -> String {
    let mut shown = schedule.clone();
    if schedule.get("eventType").is_none_or(Value::is_null) {
        let name = schedule.get("name").and_then(Value::as_str).unwrap_or_default();
        shown["eventType"] = format!("custom.cron.{name}").into();
    }
    let mut lines = card(CARD, &shown);
    lines.extend(alarms(schedule));
    if schedule.get("payload").is_some_and(|payload| !payload.is_null()) {
        lines.push("payload".bold().to_string());
        lines.push(pretty(&schedule["payload"]));
    }
    lines.push("next times".bold().to_string());
    lines.extend(instants(next, "/items"));
    lines.join("\n")
}

/// What was saved, in words and with the times that follow from it.
pub(super) fn saved(head: &str, schedule: &Value, next: &Value) -> String {
    let mut lines = vec![head.to_owned(), text(schedule, "/describes").bold().to_string()];
    lines.extend(alarms(schedule));
    if schedule.get("enabled").is_some_and(|enabled| enabled == false) {
        lines.push("it is off; `omni schedule enable` lets it fire".dimmed().to_string());
    }
    lines.extend(instants(next, "/items"));
    lines.join("\n")
}

fn alarms(schedule: &Value) -> Vec<String> {
    let mut alarms = Vec::new();
    if schedule.get("alarm").is_some_and(|alarm| !alarm.is_null()) {
        alarms.push(format!("{} {}", "alarm:".red().bold(), text(schedule, "/alarm")));
    }
    if schedule.get("overdue").is_some_and(|overdue| overdue == true) {
        let at = text(schedule, "/nextRun");
        let told = format!("{} {at} is over and nothing was done", "overdue:".red().bold());
        alarms.push(told);
    }
    alarms
}

/// Times in the zone of the schedule, each with UTC behind it.
pub(super) fn instants(answer: &Value, pointer: &str) -> Vec<String> {
    let items = items(answer, pointer);
    if items.is_empty() {
        return vec!["  none: it has ended".dimmed().to_string()];
    }
    let width = items.iter().map(|item| text(item, "/local").len()).max().unwrap_or(0);
    let line = |item: &Value| {
        let (local, time) = (text(item, "/local"), text(item, "/time"));
        let jitter = item.get("jitterMs").and_then(Value::as_i64).filter(|jitter| *jitter != 0);
        let jitter = jitter.map_or_else(String::new, |jitter| format!(" + {jitter} ms"));
        format!("  {local:width$}  {}", format!("{time}{jitter}").dimmed())
    };
    items.iter().map(line).collect()
}

/// A page of fires.
pub(super) fn fires(answer: &Value) -> String {
    let items = items(answer, "/items");
    if items.is_empty() {
        return "nothing yet".dimmed().to_string();
    }
    let rows = items.iter().map(|fire| {
        let at = |pointer| text(fire, pointer);
        let word = at("/status");
        // Under the id of a fire that did not happen there is no event.
        let event = if word == "fired" { at("/eventId") } else { "-".to_owned() };
        vec![
            at("/nominal"),
            at("/firedAt"),
            at("/number"),
            at("/reason"),
            word,
            event,
            at("/error"),
        ]
    });
    let headers = ["NOMINAL", "FIRED", "NUMBER", "REASON", "STATUS", "EVENT", "ERROR"];
    more(grid(headers.into_iter(), rows), answer)
}

/// The answer of a trigger.
pub(super) fn triggered(name: &str, fire: &Value) -> String {
    let event = text(fire, "/eventId");
    let next = format!("next: omni event info {event}").dimmed().to_string();
    match text(fire, "/status").as_str() {
        "fired" => format!("schedule/{} fired event {event}\n{next}", clean(name)),
        "failed" => format!("schedule/{} could not fire: {}", clean(name), text(fire, "/error")),
        _ => format!("schedule/{} fires event {event}\n{next}", clean(name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_list_says_when_in_words_and_what_is_wrong() {
        let one = |name: &str, more: Value| {
            let mut one = json!({ "name": name, "describes": "Every hour (UTC)", "enabled": true,
                "nextRun": "2026-01-01T00:00:00.000Z",
                "nextRunLocal": "2026-01-01T00:00:00+00:00[UTC]", "lastRun": null });
            one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            one
        };
        let answer = json!({ "nextCursor": "abc", "items": [
            one("a", json!({})),
            one("b", json!({ "alarm": "no next instant" })),
            one("c", json!({ "enabled": false })),
            one("d", json!({ "nextRun": null })),
            one("e", json!({ "overdue": true })),
        ] });
        let told = plain(&list(&answer));
        let words: Vec<&str> =
            told.lines().filter_map(|line| line.split_whitespace().next_back()).collect();
        assert_eq!(
            words,
            ["STATUS", "on", "alarm", "disabled", "ended", "overdue", "abc"],
            "{told}"
        );
        assert!(told.contains("Every hour (UTC)  2026-01-01T00:00:00+00:00[UTC]  -"), "{told}");
    }

    #[test]
    fn times_show_their_offset_and_jitter() {
        let next = json!({ "items": [
            { "time": "2026-03-28T08:00:00.000Z", "local": "2026-03-28T09:00:00+01:00[Europe/Berlin]",
              "jitterMs": 1250 },
            { "time": "2026-03-29T07:00:00.000Z", "local": "2026-03-29T09:00:00+02:00[Europe/Berlin]",
              "jitterMs": 0 },
        ] });
        assert_eq!(
            plain(&instants(&next, "/items").join("\n")),
            "  2026-03-28T09:00:00+01:00[Europe/Berlin]  2026-03-28T08:00:00.000Z + 1250 ms\n  \
             2026-03-29T09:00:00+02:00[Europe/Berlin]  2026-03-29T07:00:00.000Z"
        );
        assert!(plain(&instants(&json!({}), "/items")[0]).contains("it has ended"));
    }

    #[test]
    fn a_fire_that_did_not_happen_shows_no_event() {
        let fire = |status: &str| {
            json!({ "nominal": "t", "firedAt": null, "number": 3,
            "reason": "regular", "status": status, "eventId": "e-1", "error": null })
        };
        let told = plain(&fires(&json!({ "items": [fire("missed"), fire("fired")] })));
        let lines: Vec<&str> = told.lines().collect();
        assert!(!lines[1].contains("e-1") && lines[2].contains("e-1"), "{told}");
    }
}
