//! Checks of a definition; everything that is wrong is told at once, with the place and what to write instead.

use omni_events::{Domain, EventType};

use super::{Interval, MS_MIN, Plan, Rule};
use crate::{Catchup, Definition, Kind, Problem, cron::Cron, zone::Zone};

/// Longest name: it is a part of an event type of 200 bytes.
const NAME_LEN_MAX: usize = 64;
/// Longest description in bytes.
const DESCRIPTION_LEN_MAX: usize = 1024;
/// Largest payload in bytes: every fire holds it in memory and in the log.
const PAYLOAD_LEN_MAX: usize = 256 << 10;
/// Shortest interval: replicas look for what is due about this often.
const INTERVAL_MIN_MS: u64 = 1_000;
/// Longest interval: ten years with their leap days.
const INTERVAL_MAX_MS: u64 = 3_653 * 86_400_000;
/// Longest jitter: a day. More would be another schedule.
const JITTER_MAX_MS: u64 = 86_400_000;
/// Shortest window of `within`: what is younger is due anyway.
const WINDOW_MIN_MS: u64 = 10_000;
/// Most fires that can be asked for, far more than a schedule of every second makes in a life.
const FIRES_MAX: u64 = 10_000_000_000;
/// How far in the past the only instant may lie when a schedule is saved.
pub(super) const PAST_GRACE_MS: i64 = 10_000;

/// Checks a definition and plans it.
pub(super) fn plan(definition: &Definition) -> Result<Plan, Vec<Problem>> {
    let mut problems = Problems(Vec::new());
    problems.names(definition);
    problems.bounds(definition);
    problems.belonging(definition);
    let zone = problems.zone(&definition.timezone);
    // Local times of an unknown zone are checked as those of UTC, so that their mistakes are told too.
    let times = zone.clone().or_else(|| Zone::find("UTC").ok());
    let start = problems.time(times.as_ref(), "/start", definition.start.as_deref());
    let end = problems.time(times.as_ref(), "/end", definition.end.as_deref());
    if let (Some(start), Some(end)) = (start, end)
        && start >= end
    {
        problems.add("/end", "the end must be after the start");
    }
    let rule = match definition.kind {
        Kind::Cron => problems.cron(definition.schedule.as_deref()).map(Rule::Cron),
        Kind::Interval => problems.interval(definition).map(Rule::Interval),
        Kind::Once => problems.once(times.as_ref(), definition.at.as_deref()).map(Rule::Once),
    };
    match (zone, rule, problems.0.is_empty()) {
        (Some(zone), Some(rule), true) => Ok(Plan {
            zone,
            rule,
            start: start.unwrap_or(MS_MIN),
            end,
            jitter_ms: definition.jitter_ms,
            window: window(definition),
        }),
        _ => Err(problems.0),
    }
}

/// What to say of a schedule that is over when it is saved.
pub(super) fn never(definition: &Definition) -> Problem {
    match definition.kind {
        Kind::Once => {
            Problem::at("/at", "this time is over, so that it would never fire; write one to come")
        }
        Kind::Cron | Kind::Interval => Problem::at(
            "/end",
            "it would never fire: no instant to come is between `start` and `end`; write a later end",
        ),
    }
}

fn window(definition: &Definition) -> chrono::TimeDelta {
    let ms = definition.catchup_window_ms.unwrap_or_default().min(INTERVAL_MAX_MS);
    chrono::TimeDelta::milliseconds(i64::try_from(ms).unwrap_or_default())
}

/// Everything that is wrong with one definition.
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, pointer: &str, message: impl Into<String>) {
        self.0.push(Problem::at(pointer, message));
    }

    fn names(&mut self, definition: &Definition) {
        let name = &definition.name;
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(good) {
            self.add("/name", "use 1 to 64 of a-z, 0-9, `-` and `_`");
        }
        if definition.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_LEN_MAX) {
            self.add("/description", format!("use at most {DESCRIPTION_LEN_MAX} bytes"));
        }
        match definition.event_type.as_deref().map(EventType::parse) {
            Some(Err(error)) => self.add("/eventType", error.to_string()),
            Some(Ok(event_type)) if event_type.domain() != Domain::Custom => self.add(
                "/eventType",
                "a schedule makes events of types that begin with `custom.`; the others are made by the product",
            ),
            _ => {}
        }
    }

    fn bounds(&mut self, definition: &Definition) {
        let payload = serde_json::to_vec(&definition.payload).map_or(usize::MAX, |text| text.len());
        if payload > PAYLOAD_LEN_MAX {
            self.add("/payload", "use at most 262,144 bytes of JSON");
        }
        if definition.jitter_ms > JITTER_MAX_MS {
            self.add("/jitterMs", "use at most 86,400,000, which is a day");
        }
        if definition.max_fires.is_some_and(|fires| !(1..=FIRES_MAX).contains(&fires)) {
            self.add("/maxFires", "use 1 to 10,000,000,000, or leave it out for no limit");
        }
        match (definition.catchup, definition.catchup_window_ms) {
            (Catchup::Within, None) => self.add(
                "/catchupWindowMs",
                "say how old a missed instant may be, at least 10,000 milliseconds",
            ),
            (Catchup::Within, Some(window))
                if !(WINDOW_MIN_MS..=INTERVAL_MAX_MS).contains(&window) =>
            {
                self.add(
                    "/catchupWindowMs",
                    "use 10,000 milliseconds to ten years (315,619,200,000)",
                );
            }
            (Catchup::Within, Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                self.add(
                    "/catchupWindowMs",
                    "it belongs to the catch-up `within`; leave it out, or set `catchup`",
                );
            }
        }
    }

    /// Fields that only another kind has.
    fn belonging(&mut self, definition: &Definition) {
        let kind = definition.kind;
        let fields = [
            ("/schedule", definition.schedule.is_some(), Kind::Cron, "cron"),
            ("/intervalMs", definition.interval_ms.is_some(), Kind::Interval, "interval"),
            ("/phaseMs", definition.phase_ms != 0, Kind::Interval, "interval"),
            ("/at", definition.at.is_some(), Kind::Once, "once"),
        ];
        for (pointer, is_set, owner, word) in fields {
            if is_set && owner != kind {
                self.add(
                    pointer,
                    format!(
                        "it belongs to the kind `{word}`; leave it out, or set `kind` to `{word}`"
                    ),
                );
            }
        }
        let limits = [
            ("/start", definition.start.is_some()),
            ("/end", definition.end.is_some()),
            ("/maxFires", definition.max_fires.is_some()),
        ];
        for (pointer, is_set) in limits {
            if is_set && kind == Kind::Once {
                self.add(pointer, "the kind `once` has a single instant; leave it out");
            }
        }
    }

    fn zone(&mut self, name: &str) -> Option<Zone> {
        Zone::find(name).map_err(|message| self.add("/timezone", message)).ok()
    }

    fn time(&mut self, zone: Option<&Zone>, pointer: &str, text: Option<&str>) -> Option<i64> {
        zone?.read(text?).map_err(|message| self.add(pointer, message)).ok()
    }

    fn cron(&mut self, expression: Option<&str>) -> Option<Cron> {
        let Some(expression) = expression else {
            self.add("/schedule", "write a cron expression, as `0 9 * * MON-FRI`");
            return None;
        };
        let told = |messages: Vec<String>| {
            for message in messages {
                self.add("/schedule", message);
            }
        };
        Cron::read(expression).map_err(told).ok()
    }

    fn interval(&mut self, definition: &Definition) -> Option<Interval> {
        let Some(every) = definition.interval_ms else {
            self.add(
                "/intervalMs",
                "write the milliseconds from one instant to the next, at least 1,000",
            );
            return None;
        };
        if !(INTERVAL_MIN_MS..=INTERVAL_MAX_MS).contains(&every) {
            self.add("/intervalMs", "use 1,000 milliseconds to ten years (315,619,200,000)");
            return None;
        }
        if definition.phase_ms >= every {
            let rest = definition.phase_ms % every;
            self.add(
                "/phaseMs",
                format!("it must be less than `intervalMs`; {rest} gives the same instants"),
            );
            return None;
        }
        let ms = |value: u64| i64::try_from(value).ok();
        Some(Interval::new(ms(every)?, ms(definition.phase_ms)?))
    }

    fn once(&mut self, zone: Option<&Zone>, at: Option<&str>) -> Option<i64> {
        if at.is_none() {
            self.add(
                "/at",
                "write the instant, as 2026-12-24T18:00:00Z, or 2026-12-24T18:00 for the time zone",
            );
        }
        self.time(zone, "/at", at)
    }
}
