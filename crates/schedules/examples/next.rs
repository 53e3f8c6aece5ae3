//! Prints how long the next instant of usual schedules takes to find, in nanoseconds per call.
//!
//! `cargo run --release -p omni-schedules --example next`

use std::time::Instant;

use chrono::{DateTime, Utc};
use omni_schedules::{Next, Plan};
use serde_json::json;

const CALLS: u32 = 200_000;

#[expect(clippy::print_stdout, reason = "a table for people is what this program makes")]
fn main() {
    let start: DateTime<Utc> = DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default();
    for (schedule, zone) in [
        ("0 9 * * 1-5", "Europe/Berlin"),
        ("0 0 1 * *", "America/New_York"),
        ("*/5 * * * *", "UTC"),
        ("*/5 * * * *", "Europe/Berlin"),
        ("* * * * * *", "Asia/Kolkata"),
        ("0 0 L * *", "Europe/Berlin"),
        ("0 0 29 2 *", "UTC"),
    ] {
        let document = json!({ "name": "a", "schedule": schedule, "timezone": zone });
        let Ok(definition) = serde_json::from_value(document) else { continue };
        let Ok(plan) = Plan::new(&definition, start) else { continue };
        let mut after = start;
        let begin = Instant::now();
        for _ in 0..CALLS {
            after = match plan.next_after(after) {
                Next::At(next) if next.timestamp() < 4_000_000_000 => next,
                _ => start,
            };
        }
        let each = begin.elapsed() / CALLS;
        println!("{:>6} ns  {schedule} {zone}", each.as_nanos());
    }
}
