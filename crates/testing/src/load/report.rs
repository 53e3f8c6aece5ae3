//! Figures as a table for people and as JSON for the next comparison.

use std::path::Path;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::error::Error;

/// One measured value, and the bar it is held against if there is one.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    figure: String,
    value: f64,
    unit: &'static str,
    bar: Option<String>,
    holds: Option<bool>,
}

impl Figure {
    pub(crate) fn new(figure: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { figure: figure.into(), value, unit, bar: None, holds: None }
    }

    /// Must be this or more.
    pub(crate) fn at_least(mut self, bar: f64) -> Self {
        self.bar = Some(format!(">= {bar}"));
        self.holds = Some(self.value >= bar);
        self
    }

    /// Must be this or less.
    pub(crate) fn at_most(mut self, bar: f64) -> Self {
        self.bar = Some(format!("<= {bar}"));
        self.holds = Some(self.value <= bar);
        self
    }
}

/// Latencies in microseconds, up to a minute, with three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>, Error> {
    Histogram::new_with_bounds(1, 60_000_000, 3)
        .map_err(|error| Error::new(format!("no histogram: {error}")))
}

/// A percentile in milliseconds.
pub(crate) fn millis(histogram: &Histogram<u64>, percentile: f64) -> f64 {
    histogram.value_at_percentile(percentile) as f64 / 1000.0
}

/// Prints the table and writes the file, if one is asked for.
pub(crate) fn publish(figures: &[Figure], json: Option<&Path>) -> Result<(), Error> {
    println!("{}", table(figures));
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_vec_pretty(figures)?)
            .map_err(|error| Error::new(format!("cannot write {}: {error}", path.display())))?;
    }
    Ok(())
}

fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.figure.chars().count()).max().unwrap_or(0);
    let mut lines = vec![format!("{:width$}  {:>12}  {:8}  BAR", "FIGURE", "VALUE", "UNIT")];
    lines.extend(figures.iter().map(|figure| {
        let bar = match (&figure.bar, figure.holds) {
            (Some(bar), Some(true)) => format!("{bar}  holds"),
            (Some(bar), _) => format!("{bar}  MISSED"),
            (None, _) => String::new(),
        };
        let line =
            format!("{:width$}  {:>12.3}  {:8}  {bar}", figure.figure, figure.value, figure.unit);
        line.trim_end().to_owned()
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_holds_or_is_missed() {
        let figures = [
            Figure::new("a", 9000.0, "events/s").at_least(8000.0),
            Figure::new("b long", 10.5, "ms").at_most(10.0),
            Figure::new("c", 1.0, "µs"),
        ];
        assert_eq!(
            table(&figures),
            "FIGURE         VALUE  UNIT      BAR\n\
             a           9000.000  events/s  >= 8000  holds\n\
             b long        10.500  ms        <= 10  MISSED\n\
             c              1.000  µs"
        );
        let json = serde_json::to_value(&figures[1]).unwrap();
        assert_eq!(json["holds"], false);
        assert_eq!(json["bar"], "<= 10");
        assert!(serde_json::to_value(&figures[2]).unwrap()["holds"].is_null());
    }

    #[test]
    fn percentiles_are_told_in_milliseconds() {
        let mut histogram = histogram().unwrap();
        for micros in 1..=1000 {
            histogram.record(micros * 10).unwrap();
        }
        assert!((millis(&histogram, 50.0) - 5.0).abs() < 0.01);
        assert!((millis(&histogram, 99.0) - 9.9).abs() < 0.02);
    }
}
