//! Instants that were worked out by other means: by hand, and by a search of every second with another time zone
//! library (Python's zoneinfo).

use chrono::{DateTime, Utc};
use omni_schedules::Next;
use serde::Deserialize;
use serde_json::json;

use crate::{at, next, plan};

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    what: String,
    schedule: String,
    zone: String,
    after: String,
    expected: Vec<String>,
}

fn check(table: &str) {
    let rows: Vec<Row> = serde_json::from_str(table).unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let plan = plan(json!({ "schedule": row.schedule, "timezone": row.zone }));
        let after = at(&row.after);
        let expected: Vec<DateTime<Utc>> = row.expected.iter().map(|text| at(text)).collect();
        let found = plan.upcoming(after, expected.len());
        let told: Vec<String> = found.iter().map(|instant| plan.local(*instant)).collect();
        let Row { what, schedule, zone, .. } = &row;
        assert_eq!(found, expected, "{what}: {schedule} in {zone} after {}: {told:?}", row.after);
        // The way back finds the same.
        let last = expected.last().copied().unwrap_or(after);
        assert_eq!(plan.last_between(after, last, 1_000), expected, "{what}: {schedule} in {zone}");
    }
}

#[test]
fn known_days_have_the_instants_that_they_should() {
    check(include_str!("../../testdata/calendar.json"));
}

#[test]
fn days_on_which_clocks_change_have_the_instants_that_they_should() {
    check(include_str!("../../testdata/changes.json"));
}

#[test]
fn local_times_carry_offset_and_zone() {
    let plan = plan(json!({ "schedule": "30 2 * * *", "timezone": "europe/berlin" }));
    let instant = next(&plan, at("2026-03-28T12:00:00Z"));
    assert_eq!(plan.local(instant), "2026-03-29T03:00:00+02:00[Europe/Berlin]");
}

#[test]
fn plans_are_told_in_words() {
    for (fields, words) in [
        (
            json!({ "schedule": "0 9 * * 1-5", "timezone": "Europe/Berlin" }),
            "At 09:00, Monday to Friday (Europe/Berlin)",
        ),
        (json!({ "kind": "interval", "intervalMs": 900_000 }), "Every 15 minutes"),
        (
            json!({ "kind": "once", "at": "2026-12-24T18:00", "timezone": "Europe/Berlin" }),
            "Once, on Thursday, 24 December 2026 at 18:00 (Europe/Berlin)",
        ),
    ] {
        assert_eq!(plan(fields).describe(), words);
    }
}

#[test]
fn intervals_are_multiples_since_1970_with_their_phase() {
    let every = plan(json!({ "kind": "interval", "intervalMs": 900_000, "phaseMs": 60_000 }));
    let found = every.upcoming(at("2026-03-29T00:46:00Z"), 2);
    assert_eq!(found, [at("2026-03-29T01:01:00Z"), at("2026-03-29T01:16:00Z")]);
    // A million of them later nothing has drifted.
    let far = at("2026-03-29T01:01:00Z") + chrono::TimeDelta::milliseconds(900_000_000_000);
    assert_eq!(next(&every, far - chrono::TimeDelta::milliseconds(1)), far);
}

#[test]
fn a_single_instant_comes_once() {
    for (written, instant) in [
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00Z"),
        ("2026-12-24T18:00:00.250+05:30", "2026-12-24T12:30:00.250Z"),
        ("2026-12-24T18:00", "2026-12-24T17:00:00Z"),
        ("2026-12-24 18:00:30", "2026-12-24T17:00:30Z"),
        ("2026-03-29T02:30", "2026-03-29T01:00:00Z"),
        ("2026-03-29T02:30:00.5", "2026-03-29T01:00:00Z"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),
        ("2026-03-29T03:00:00+02:00[Europe/Berlin]", "2026-03-29T01:00:00Z"),
    ] {
        let once = plan(json!({ "kind": "once", "at": written, "timezone": "Europe/Berlin" }));
        let instant = at(instant);
        assert_eq!(once.next_after(at("2020-01-01T00:00:00Z")), Next::At(instant), "{written}");
        assert_eq!(once.next_after(instant), Next::Never, "{written}");
        assert_eq!(once.last_between(at("2020-01-01T00:00:00Z"), instant, 9), [instant]);
    }
}

#[test]
fn start_and_end_belong_to_the_span() {
    let hourly = plan(json!({
        "schedule": "0 * * * *", "start": "2026-01-01T10:00:00Z", "end": "2026-01-01T12:00:00Z",
    }));
    let all = ["2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"].map(at);
    assert_eq!(hourly.upcoming(at("2020-01-01T00:00:00Z"), 10), all);
    assert_eq!(hourly.between(at("2020-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z"), 10), all);
    assert_eq!(
        hourly.last_between(at("2020-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z"), 2),
        all[1..]
    );
    assert_eq!(hourly.next_after(at("2026-01-01T12:00:00Z")), Next::Never);
}

#[test]
fn the_end_of_the_calendar_is_unknown_and_not_an_end() {
    for fields in [
        json!({ "schedule": "0 9 * * *", "timezone": "Europe/Berlin" }),
        json!({ "schedule": "* * * * *" }),
        json!({ "kind": "interval", "intervalMs": 1000 }),
    ] {
        let plan = plan(fields);
        for far in [DateTime::<Utc>::MAX_UTC, at("9999-12-30T00:00:00Z")] {
            assert!(matches!(plan.next_after(far), Next::Unknown(_)), "{plan:?}");
        }
        assert!(matches!(plan.next_after(DateTime::<Utc>::MIN_UTC), Next::At(_)), "{plan:?}");
        assert_eq!(
            plan.last_between(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, 1).len(),
            1
        );
    }
}
