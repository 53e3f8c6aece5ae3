//! Texts and numbers that should fit a schema.

use serde_json::{Number, Value};

use super::{keywords::Node, pattern};

/// Longest string and array, in characters and items, that is built for a lower bound.
pub(super) const LENGTH_MAX: u64 = 300;
/// What the formats of JSON Schema look like.
const FORMATS: [(&str, &str); 16] = [
    ("date-time", "2026-01-01T00:00:00Z"),
    ("date", "2026-01-01"),
    ("time", "00:00:00Z"),
    ("duration", "P1D"),
    ("email", "a@example.com"),
    ("idn-email", "a@example.com"),
    ("hostname", "example.com"),
    ("idn-hostname", "example.com"),
    ("ipv4", "192.0.2.1"),
    ("ipv6", "2001:db8::1"),
    ("uri", "https://example.com/"),
    ("uri-reference", "/a"),
    ("iri", "https://example.com/"),
    ("uuid", "00000000-0000-4000-8000-000000000000"),
    ("json-pointer", "/a"),
    ("regex", "a"),
];

/// Texts, those that a pattern and a format give first.
pub(super) fn texts(node: &Node) -> Vec<Value> {
    let least = whole(node, "minLength").unwrap_or(0);
    let most = whole(node, "maxLength").unwrap_or(u64::MAX);
    let mut found = Vec::new();
    let patterns = node.get("pattern").into_iter().filter_map(Value::as_str);
    found.extend(patterns.flat_map(pattern::matching));
    let format = node.get("format").and_then(Value::as_str);
    found.extend(
        FORMATS
            .iter()
            .filter(|(name, _)| Some(*name) == format)
            .map(|(_, text)| (*text).to_owned()),
    );
    for (_, text) in FORMATS.iter().take(if node.contains_key("not") { FORMATS.len() } else { 0 }) {
        found.push((*text).to_owned());
    }
    found.extend(["a", "", "A", "0", " ", "é", "-", "a b", "abcdefghij"].map(str::to_owned));
    let mut fitted: Vec<Value> = Vec::new();
    for mut text in found {
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        if least > length {
            if least > LENGTH_MAX {
                continue;
            }
            let filler = text.chars().next_back().unwrap_or('a');
            text.extend(std::iter::repeat_n(filler, usize::try_from(least - length).unwrap_or(0)));
        }
        if length.max(least) <= most && !fitted.contains(&Value::String(text.clone())) {
            fitted.push(Value::String(text));
        }
    }
    fitted
}

/// Numbers within the bounds and next to them, small ones first.
pub(super) fn numbers(node: &Node, integer: bool) -> Vec<Value> {
    let bound = |keyword: &str| node.get(keyword).and_then(Value::as_f64);
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let mut found: Vec<Value> = Vec::new();
    // Bounds are taken as they are written: a double would change a long integer.
    found.extend(["minimum", "maximum"].iter().filter_map(|keyword| node.get(*keyword)).cloned());
    let mut points = vec![0.0, 1.0];
    let unit = step.unwrap_or(1.0);
    for end in ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"]
        .into_iter()
        .filter_map(&bound)
    {
        let multiple = (end / unit).round() * unit;
        points.extend([
            end,
            end + 1.0,
            end - 1.0,
            multiple,
            multiple + unit,
            multiple - unit,
            end + 0.5,
            end - 0.5,
        ]);
    }
    points.extend([unit, -1.0, 0.5, 1.5, 2.0, 3.0, 7.0, unit * 2.0]);
    found.extend(points.into_iter().filter_map(number));
    let fits = |value: &Value| {
        let Some(point) = value.as_f64() else { return false };
        let within = bound("minimum").is_none_or(|end| point >= end)
            && bound("maximum").is_none_or(|end| point <= end)
            && bound("exclusiveMinimum").is_none_or(|end| point > end)
            && bound("exclusiveMaximum").is_none_or(|end| point < end);
        let divides = step.is_none_or(|step| ((point / step).round() - point / step).abs() < 1e-9);
        within && divides && (!integer || point.fract() == 0.0)
    };
    let mut fitting: Vec<Value> = Vec::new();
    for value in found {
        if fits(&value) && !fitting.contains(&value) {
            fitting.push(value);
        }
    }
    if fitting.iter().all(|value| value.as_f64().is_some_and(|point| point < 0.0)) {
        return fitting;
    }
    // Zero and small numbers read best.
    fitting.sort_by_key(|value| {
        u8::from(value.as_f64().is_some_and(|point| point < 0.0 || point.fract() != 0.0))
    });
    fitting
}

fn number(point: f64) -> Option<Value> {
    if point.fract() == 0.0 && point.abs() < 9e15 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and below 2^53, as just asked"
        )]
        return Some(Value::from(point as i64));
    }
    Number::from_f64(point).map(Value::Number)
}

/// A bound that counts something.
pub(super) fn whole(node: &Node, keyword: &str) -> Option<u64> {
    let value = node.get(keyword)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a bound is whole and not negative"
    )]
    value.as_u64().or_else(|| value.as_f64().map(|bound| bound as u64))
}
