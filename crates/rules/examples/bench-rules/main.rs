//! Measures the matcher beside quamina, the quickest open matcher in this language: on many small events, on big ones, with
//! few rules and with a hundred thousand, with what its authors call the benchmark from hell, and where an adversary chose
//! rules and events.
//!
//! `cargo xtask bench rules` builds and calls it. Book, machine and report are those of the bench of the bus, so that
//! figures of all benches mean the same. Where both matchers are measured they take turns every few hundred events, which
//! have just been touched, as an event has that came from the network; both have to find the same number of matches.

#![expect(clippy::print_stdout, reason = "a program that reports")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails may panic")]

mod adversarial;
mod arrays;
mod big;
#[expect(dead_code, reason = "shared with other benches")]
#[path = "../../../event-bus/examples/bench/book.rs"]
mod book;
mod engines;
mod growth;
mod hell;
mod hosting;
mod kinds;
mod live;
mod lots;
#[expect(dead_code, reason = "shared with other benches")]
#[path = "../../../event-bus/examples/bench/machine.rs"]
mod machine;
mod memory;
#[expect(dead_code, reason = "shared with other benches")]
#[path = "../../../event-bus/examples/bench/meter.rs"]
mod meter;
mod mixed;
mod race;
#[path = "../../../event-bus/examples/bench/report.rs"]
mod report;
mod threads;
mod words;

use std::{path::PathBuf, sync::atomic::Ordering};

use clap::Parser;

use crate::{
    book::Book,
    machine::Machine,
    report::{Bar, Promise},
};

const BARS: [Promise; 15] = [
    ("lots_vs_quamina_geomean", Bar::AtLeast(1.5, "")),
    ("lots_vs_quamina_worst", Bar::AtLeast(1.0, "")),
    ("big_events_vs_quamina", Bar::AtLeast(3.0, "")),
    ("growth_10_to_100000", Bar::AtMost(3.0, "")),
    ("hell_values_per_s", Bar::AtLeast(1e6, "values/s")),
    ("hell_build_ms", Bar::AtMost(1000.0, "ms")),
    ("hell_mb", Bar::AtMost(64.0, "MB")),
    ("arrays_twice_as_long", Bar::AtMost(2.2, "")),
    ("adversarial_build_ms", Bar::AtMost(1000.0, "ms")),
    ("adversarial_event_ms", Bar::AtMost(5.0, "ms")),
    ("adversarial_mb", Bar::AtMost(64.0, "MB")),
    ("two_threads_vs_one", Bar::AtLeast(1.8, "")),
    ("live_visible_p99", Bar::AtMost(1.0, "ms")),
    ("live_matching_vs_quiet", Bar::AtMost(1.2, "")),
    ("memory_bytes_per_rule", Bar::AtMost(600.0, "bytes")),
];

/// A part by its name, and what measures it for one round.
type Part = (&'static str, fn(&mut Book));

const PARTS: [Part; 9] = [
    ("lots", lots::measure),
    ("big", big::measure),
    ("growth", growth::measure),
    ("hell", hell::measure),
    ("arrays", arrays::measure),
    ("adversarial", adversarial::measure),
    ("threads", threads::measure),
    ("live", live::measure),
    ("memory", memory::measure),
];

#[derive(Parser)]
#[command(name = "bench-rules", about = "The matcher beside quamina")]
struct Options {
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// How often each part is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only these parts
    #[arg(long)]
    only: Vec<String>,
    /// Leave the other matcher out
    #[arg(long)]
    alone: bool,
    /// Build one set of rules, print the memory it takes and end
    #[arg(long, hide = true)]
    weigh: Option<String>,
    /// Taken by all benches; nothing is written here
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

fn main() {
    let options = Options::parse();
    if let Some(set) = &options.weigh {
        return memory::weigh(set);
    }
    engines::ALONE.store(options.alone, Ordering::Relaxed);
    let (mut machine, mut book) = (Machine::look(), Book::default());
    for round in 1..=options.rounds {
        println!("round {round} of {}, load {}", options.rounds, machine::load());
        for (name, measure) in PARTS {
            if options.only.is_empty() || options.only.iter().any(|only| only == name) {
                measure(&mut book);
            }
        }
    }
    machine.finish(None);
    report::publish(&book, &BARS, &machine, options.json.as_deref());
}
