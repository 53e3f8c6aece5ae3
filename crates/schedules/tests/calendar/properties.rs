//! What holds for every expression, zone and instant.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use croner::parser::{CronParser, Seconds};
use jiff::{
    Timestamp, ToSpan,
    civil::{self, Date},
    tz::TimeZone,
};
use omni_schedules::Plan;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{next, plan};

/// Every zone that is known, sorted, without the ones that are rules and no place.
fn zones() -> Vec<String> {
    let mut names: Vec<String> =
        jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    names.retain(|name| name.contains('/') && !name.starts_with("Etc/"));
    names.sort();
    names
}

fn zone() -> impl Strategy<Value = String> {
    prop::sample::select(zones())
}

/// 1995 to 2035: offsets of whole minutes.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (788_918_400_000_i64..2_051_222_400_000)
        .prop_map(|ms| DateTime::from_timestamp_millis(ms).unwrap())
}

/// An instant less than a day from a change of the clocks, if the zone has any.
fn near_a_change(zone: &str, instant: DateTime<Utc>, offset_minutes: i64) -> DateTime<Utc> {
    let zone = TimeZone::get(zone).unwrap();
    let from = Timestamp::from_second(instant.timestamp()).unwrap();
    let change = zone.following(from).next().map_or(from, |change| change.timestamp());
    let near = DateTime::from_timestamp(change.as_second(), 0).unwrap();
    near + TimeDelta::minutes(offset_minutes)
}

fn field(min: u32, max: u32) -> BoxedStrategy<String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        4 => (min..=max).prop_map(|n| n.to_string()),
        2 => prop::collection::vec(min..=max, 1..4)
            .prop_map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        2 => (min..max).prop_flat_map(move |from| (Just(from), from..=max))
            .prop_map(|(from, to)| format!("{from}-{to}")),
        1 => (2..=(max - min) / 2).prop_map(|step| format!("*/{step}")),
    ]
    .boxed()
}

/// Expressions of six fields that fire; also with `L`, `W`, `#` and `+`.
fn expression() -> impl Strategy<Value = String> {
    let days = prop_oneof![
        4 => Just("*".to_owned()),
        4 => field(1, 28),
        1 => Just("L".to_owned()),
        1 => Just("LW".to_owned()),
        1 => (1..=28_u32).prop_map(|day| format!("{day}W")),
    ];
    let weekdays = prop_oneof![
        6 => Just("*".to_owned()),
        4 => field(0, 7),
        1 => (0..=7_u32).prop_map(|day| format!("{day}L")),
        1 => (0..=6_u32, 1..=4_u32).prop_map(|(day, nth)| format!("{day}#{nth}")),
        // No working day nearest to another is a Sunday, which would never fire.
        1 => (1..=5_u32).prop_map(|day| format!("+{day}")),
    ];
    (field(0, 59), field(0, 59), field(0, 23), days, field(1, 12), weekdays)
        .prop_map(|(s, m, h, d, mo, w)| format!("{s} {m} {h} {d} {mo} {w}"))
}

fn fields() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (expression(), zone())
            .prop_map(|(schedule, timezone)| json!({ "schedule": schedule, "timezone": timezone })),
        1 => (1000..400_000_000_u64, 0..1000_u64).prop_map(
            |(every, phase)| json!({ "kind": "interval", "intervalMs": every, "phaseMs": phase })
        ),
    ]
}

fn walk(plan: &Plan, after: DateTime<Utc>, until: DateTime<Utc>, max: usize) -> Vec<DateTime<Utc>> {
    let mut found = Vec::new();
    let mut instant = next(plan, after);
    while instant <= until && found.len() < max {
        found.push(instant);
        instant = next(plan, instant);
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn instants_rise_and_are_the_same_by_every_way(
        fields in fields(), from in instant(), near in any::<bool>(), minutes in -1500_i64..1500, length in 1_i64..200_000_000,
    ) {
        let plan = plan(fields.clone());
        let from = match fields.get("timezone").and_then(Value::as_str) {
            Some(zone) if near => near_a_change(zone, from, minutes),
            _ => from,
        };
        let until = from + TimeDelta::milliseconds(length);
        let walked = walk(&plan, from, until, 500);
        prop_assert!(walked.iter().all(|instant| *instant > from && *instant <= until));
        prop_assert!(walked.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(&plan.between(from, until, 500), &walked);
        let upcoming = plan.upcoming(from, walked.len().max(1));
        prop_assert_eq!(upcoming[0], next(&plan, from));
        if !walked.is_empty() {
            prop_assert_eq!(&upcoming, &walked);
        }
        // The way back, from the last instant that was walked to.
        let last = if walked.len() < 500 { until } else { walked[499] };
        prop_assert_eq!(&plan.last_between(from, last, 500), &walked);
        let tail = &walked[walked.len().saturating_sub(3)..];
        prop_assert_eq!(&plan.last_between(from, last, 3), tail);
    }

    #[test]
    fn every_minute_is_a_minute_of_real_time(zone in zone(), from in instant(), minutes in -90_i64..90) {
        let plan = plan(json!({ "schedule": "* * * * *", "timezone": zone }));
        let from = near_a_change(&zone, from, minutes);
        let found = plan.upcoming(from, 200);
        prop_assert!(found.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::seconds(60)));
    }

    #[test]
    fn without_changes_of_the_clock_it_is_what_the_library_finds(expression in expression(), from in instant()) {
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        let cron = parser.parse(&expression).unwrap();
        let plan = plan(json!({ "schedule": expression }));
        let mut zoned = Timestamp::from_second(from.timestamp()).unwrap().to_zoned(TimeZone::UTC);
        let mut instant = from;
        for _ in 0..5 {
            zoned = cron.find_next_occurrence(&zoned, false).unwrap();
            instant = next(&plan, instant);
            prop_assert_eq!(instant.timestamp(), zoned.timestamp().as_second());
        }
    }

    #[test]
    fn jitter_stays_in_its_bounds(id: u128, from in instant(), most in 0..=86_400_000_u64) {
        let plan = plan(json!({ "schedule": "* * * * *", "jitterMs": most }));
        let delay = plan.jitter(uuid::Uuid::from_u128(id), from);
        prop_assert!(delay >= TimeDelta::zero() && delay.num_milliseconds() as u64 <= most);
        prop_assert_eq!(delay, plan.clone().jitter(uuid::Uuid::from_u128(id), from));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_daily_time_comes_once_on_every_day_that_exists(
        name in zone(), year in 1995_i16..2033, hour in 0_i8..24, minute in 0_i8..60,
    ) {
        let zone = TimeZone::get(&name).unwrap();
        let plan = plan(json!({ "schedule": format!("{minute} {hour} * * *"), "timezone": name }));
        let (first, last) = (Date::new(year, 1, 1).unwrap(), Date::new(year + 3, 1, 1).unwrap());
        let utc = |date: Date| {
            let midnight = date.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
            DateTime::from_timestamp(midnight.timestamp().as_second(), 0).unwrap()
        };
        let from = utc(first.checked_sub(3.days()).unwrap());
        let until = utc(last.checked_add(3.days()).unwrap());
        let mut fires: BTreeMap<Date, u32> = BTreeMap::new();
        for instant in plan.between(from, until, 2_000) {
            for date in days_of(&zone, instant, civil::time(hour, minute, 0, 0)) {
                *fires.entry(date).or_default() += 1;
            }
        }
        let mut date = first;
        while date < last {
            let shown = zone.to_ambiguous_zoned(date.at(0, 0, 0, 0)).compatible().unwrap();
            let expected = u32::from(shown.date() == date);
            let fired = fires.get(&date).copied().unwrap_or(0);
            prop_assert_eq!(fired, expected, "{}:{} in {} on {}", hour, minute, &name, date);
            date = date.tomorrow().unwrap();
        }
    }
}

/// The days whose time of day a fire at this instant stands for.
fn days_of(zone: &TimeZone, instant: DateTime<Utc>, time: civil::Time) -> Vec<Date> {
    let timestamp = Timestamp::from_second(instant.timestamp()).unwrap();
    let shown = zone.to_datetime(timestamp);
    if shown.time() == time {
        return vec![shown.date()];
    }
    // It stands for a time in the gap that ends with it, on the day before the gap or on the day after.
    let before = zone.to_datetime(timestamp - 1.second());
    let mut days = vec![before.date(), shown.date()];
    days.dedup();
    days.retain(|day| {
        let missing = day.to_datetime(time);
        missing > before && missing < shown
    });
    assert_eq!(days.len(), 1, "{shown} stands for no day");
    days
}
