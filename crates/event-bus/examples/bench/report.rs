//! The figures as tables for people and as JSON for the next comparison.

use std::{fmt::Write as _, path::Path};

use serde_json::{Map, Value, json};

use crate::{
    book::{Book, Series, median, millis},
    machine::Machine,
};

/// What is promised of a figure, whose unit is told where it has one.
pub(crate) enum Bar {
    AtLeast(f64, &'static str),
    AtMost(f64, &'static str),
}

/// A figure by its name, and what is promised of it.
pub(crate) type Promise = (&'static str, Bar);

const PERCENTILES: [(&str, f64); 4] =
    [("p50", 50.0), ("p99", 99.0), ("p999", 99.9), ("max", 100.0)];

/// Prints what was measured, and writes the file if one is asked for.
pub(crate) fn publish(book: &Book, bars: &[Promise], machine: &Machine, json: Option<&Path>) {
    let (text, mut document) = figures(book, bars);
    println!("\n{}\n{}\n{text}", throughputs(book), waits(book));
    if let Some(path) = json {
        document.insert("details".into(), details(book));
        document.insert("machine".into(), json!(machine));
        let bytes = serde_json::to_vec_pretty(&document).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// The figures that have a bar: as lines, and each under its name.
fn figures(book: &Book, promises: &[Promise]) -> (String, Map<String, Value>) {
    let (mut text, mut values, mut bars) = (String::new(), Map::new(), Map::new());
    let _ = writeln!(text, "{:38} {:>12}  BAR", "FIGURE", "VALUE");
    for (name, bar) in promises {
        let Some(value) = figure(book, name) else { continue };
        let (sign, bound, unit, holds) = match *bar {
            Bar::AtLeast(least, unit) => (">=", least, unit, value >= least),
            Bar::AtMost(most, unit) => ("<=", most, unit, value <= most),
        };
        let shown = format!("{sign} {bound} {unit}").trim_end().to_owned();
        let word = if holds { "holds" } else { "MISSED" };
        let _ = writeln!(text, "{name:38} {value:>12.3}  {shown}  {word}");
        values.insert((*name).into(), json!(value));
        bars.insert((*name).into(), json!({ "bar": shown, "holds": holds }));
    }
    values.insert("bars".into(), Value::Object(bars));
    (text, values)
}

/// The median over the rounds, of the ratio or of the percentile.
fn figure(book: &Book, name: &str) -> Option<f64> {
    let series = book.series.iter().find(|series| series.name == name);
    let wait = |name: &str| book.latencies.iter().find(|latency| latency.name == name);
    series.map(Series::median).or_else(|| Some(median(&wait(name.strip_suffix("_p99")?)?.p99s)))
}

fn throughputs(book: &Book) -> String {
    let mut text =
        format!("{:38} {:>12} {:>12} {:>12}  UNIT\n", "MEASURED", "MEDIAN", "LOW", "HIGH");
    for series in &book.series {
        let (median, low, high) = (series.median(), series.low(), series.high());
        let digits = if median < 100.0 { 3 } else { 0 };
        let _ = writeln!(
            text,
            "{:38} {median:>12.digits$} {low:>12.digits$} {high:>12.digits$}  {}",
            series.name, series.unit
        );
    }
    text
}

fn waits(book: &Book) -> String {
    let mut text = format!("{:38}", "WAIT, IN MILLISECONDS");
    for (label, _) in PERCENTILES {
        let _ = write!(text, " {label:>8}");
    }
    text.push_str("  P99 OF EACH ROUND\n");
    for latency in &book.latencies {
        let _ = write!(text, "{:38}", latency.name);
        for (_, percentile) in PERCENTILES {
            let _ = write!(text, " {:>8.3}", millis(&latency.all, percentile));
        }
        let each: Vec<_> = latency.p99s.iter().map(|p99| format!("{p99:.2}")).collect();
        let _ = writeln!(text, "  {}", each.join(" "));
    }
    text
}

fn details(book: &Book) -> Value {
    let mut details = Map::new();
    for series in &book.series {
        let value = json!({
            "unit": series.unit,
            "median": series.median(),
            "low": series.low(),
            "high": series.high(),
            "rounds": series.values,
        });
        details.insert(series.name.clone(), value);
    }
    for latency in &book.latencies {
        let mut value = Map::new();
        value.insert("unit".into(), json!("ms"));
        value.insert("samples".into(), json!(latency.all.len()));
        for (label, percentile) in PERCENTILES {
            value.insert(label.into(), json!(millis(&latency.all, percentile)));
        }
        value.insert("p99OfRounds".into(), json!(latency.p99s));
        details.insert(latency.name.clone(), Value::Object(value));
    }
    Value::Object(details)
}
