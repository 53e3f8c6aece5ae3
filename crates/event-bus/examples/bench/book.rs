//! What was measured, under its name, round by round.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::meter::Rate;

/// All measurements of a run, in the order in which they first came.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) series: Vec<Series>,
    pub(crate) latencies: Vec<Latency>,
}

/// One value per round.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) values: Vec<f64>,
}

/// The waits of all rounds, in microseconds.
pub(crate) struct Latency {
    pub(crate) name: String,
    pub(crate) all: Histogram<u64>,
    /// The 99th percentile of each round, in milliseconds.
    pub(crate) p99s: Vec<f64>,
}

impl Book {
    pub(crate) fn note(&mut self, name: &str, unit: &'static str, value: f64) {
        match self.series.iter_mut().find(|series| series.name == name) {
            Some(series) => series.values.push(value),
            None => self.series.push(Series { name: name.into(), unit, values: vec![value] }),
        }
    }

    /// Notes a throughput, and what an event of it costs.
    pub(crate) fn rate(&mut self, name: &str, rate: Rate) {
        self.note(name, "events/s", rate.per_second);
        self.note(&format!("{name}_cpu"), "us/event", rate.cpu_micros);
        if let Some(micros) = rate.server_micros {
            self.note(&format!("{name}_server_cpu"), "us/event", micros);
        }
    }

    /// Notes a throughput and its share of the limit that was measured beside it.
    pub(crate) fn pair(&mut self, ratio: &str, ours: (&str, Rate), limit: (&str, Rate)) {
        self.note(ratio, "ratio", ours.1.per_second / limit.1.per_second);
        self.rate(limit.0, limit.1);
        self.rate(ours.0, ours.1);
    }

    pub(crate) fn latency(&mut self, name: &str, round: &Histogram<u64>) {
        let p99 = millis(round, 99.0);
        match self.latencies.iter_mut().find(|latency| latency.name == name) {
            Some(latency) => {
                latency.all.add(round).unwrap();
                latency.p99s.push(p99);
            }
            None => self.latencies.push(Latency {
                name: name.into(),
                all: round.clone(),
                p99s: vec![p99],
            }),
        }
    }
}

impl Series {
    pub(crate) fn median(&self) -> f64 {
        median(&self.values)
    }

    pub(crate) fn low(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn high(&self) -> f64 {
        self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        return sorted[middle];
    }
    f64::midpoint(sorted[middle - 1], sorted[middle])
}

/// Waits in microseconds up to a minute, with three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap()
}

pub(crate) fn record(histogram: &mut Histogram<u64>, wait: Duration) {
    histogram.saturating_record(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
}

/// A percentile in milliseconds.
pub(crate) fn millis(histogram: &Histogram<u64>, percentile: f64) -> f64 {
    histogram.value_at_percentile(percentile) as f64 / 1000.0
}
