//! What a change of a schema breaks, and for whom, for people. The server found it; here it is only told.

use omni_schema::{Compatibility, Direction};
use owo_colors::OwoColorize;
use serde_json::Value;

use crate::output::{clean, text};

/// Everything that a check found: against which version, in the stored events, for whom.
pub(super) fn report(check: &Value) -> Vec<String> {
    let compared = &check["compared"];
    let mode = mode(compared);
    let mut lines = Vec::new();
    for against in array(&compared["against"]) {
        let found = array(&against["findings"]);
        if !found.is_empty() {
            lines.push(format!("{} {}", "against version".bold(), text(against, "/version")));
            lines.extend(findings(found, mode));
        }
    }
    if let Some(omitted @ 1..) = compared["omitted"].as_u64() {
        lines.push(format!("  … and {} more findings", grouped(omitted)).dimmed().to_string());
    }
    lines.extend(evidence(&check["evidence"]));
    lines.extend(readers(&check["readers"]));
    lines
}

/// Whether the change is let through, in one line.
pub(super) fn verdict(event_type: &str, compared: &Value) -> String {
    let name = clean(event_type);
    let by = format!("{} ({} policy)", text(compared, "/compatibility"), text(compared, "/policy"));
    let newest = compared.pointer("/against/0/version").and_then(Value::as_i64);
    match (compared["compatible"].as_bool(), newest) {
        (Some(true), None) => format!("{}: {name} has no version yet", "compatible".green()),
        (Some(true), Some(version)) => {
            format!("{}: {by} lets {name} change from version {version}", "compatible".green())
        }
        _ => {
            let count = refused(compared).len();
            let things = if count == 1 { "thing" } else { "things" };
            let least = if compared["omitted"].as_u64() > Some(0) { "at least " } else { "" };
            let what = format!("{name} would break {least}{count} {things} that {by} protects");
            format!("{}: {what}", "not compatible".red())
        }
    }
}

/// The directions in which something is refused.
pub(super) fn refused(compared: &Value) -> Vec<Direction> {
    let mode = mode(compared);
    array(&compared["against"])
        .iter()
        .flat_map(|against| array(&against["findings"]))
        .filter_map(direction)
        .filter(|direction| mode.refuses(*direction))
        .collect()
}

/// Findings one after the other: where, what, and the payload that shows it.
pub(super) fn findings(findings: &[Value], mode: Compatibility) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in findings {
        let path = place(&finding["path"]);
        let is_refused = direction(finding).is_none_or(|direction| mode.refuses(direction));
        let rule = text(finding, "/rule");
        let (mark, rule, through) = if is_refused {
            ("✗".red().to_string(), rule.red().to_string(), String::new())
        } else {
            let through = format!(" (let through by {})", mode.as_str());
            ("·".yellow().to_string(), rule.yellow().to_string(), through)
        };
        lines.push(format!("  {mark} {} {rule}{}", path.bold(), through.dimmed()));
        lines.push(format!("    {}", text(finding, "/message")));
        if let Some(example) = finding.get("counterExample").filter(|example| !example.is_null()) {
            let who = match direction(finding) {
                Some(Direction::Backward) => "fitted before, no longer does",
                Some(Direction::Forward) => "fits now, did not before",
                None => "example",
            };
            lines.push(format!(
                "    {} {}",
                format!("{who}:").dimmed(),
                clean(&example.to_string())
            ));
        }
    }
    lines
}

/// What stored events say.
fn evidence(evidence: &Value) -> Vec<String> {
    let number = |name: &str| evidence[name].as_u64().unwrap_or(0);
    let [checked, failing, total, left_out] =
        ["checked", "failing", "total", "leftOut"].map(number);
    if !evidence.is_object() || total == 0 && checked == 0 {
        return Vec::new();
    }
    let mut of = grouped(checked);
    if evidence["complete"] == false {
        of = format!("the newest {of} of {}", grouped(total));
    }
    let count = match failing {
        0 => "0".green().to_string(),
        failing => grouped(failing).red().to_string(),
    };
    let rest = match left_out {
        0 => String::new(),
        left_out => format!(" ({} without a payload are left out)", grouped(left_out)),
    };
    let title = "stored events:".bold();
    let mut lines = vec![format!("{title} {count} of {of} do not fit{rest}")];
    for failure in array(&evidence["failures"]) {
        let (id, at) = (text(failure, "/eventId"), text(failure, "/receivedAt"));
        lines.push(format!("  {id} {}", at.dimmed()));
        for violation in array(&failure["violations"]) {
            let (place, message) = (place(&violation["pointer"]), text(violation, "/message"));
            lines.push(format!("    {place}: {message}"));
        }
    }
    lines
}

/// Who reads what is gone.
fn readers(readers: &Value) -> Vec<String> {
    let readers = array(readers);
    let told = readers.iter().map(|reader| format!("  {} {}", "!".red(), text(reader, "/message")));
    let mut lines: Vec<String> = told.collect();
    if !lines.is_empty() {
        lines.insert(0, "readers that lose something:".bold().to_string());
    }
    lines
}

fn place(pointer: &Value) -> String {
    match pointer.as_str() {
        None | Some("") => "(all)".to_owned(),
        Some(pointer) => clean(pointer),
    }
}

fn mode(compared: &Value) -> Compatibility {
    let word = compared["compatibility"].as_str().unwrap_or_default();
    Compatibility::from_name(word).unwrap_or_default()
}

fn direction(finding: &Value) -> Option<Direction> {
    match finding["direction"].as_str() {
        Some("backward") => Some(Direction::Backward),
        Some("forward") => Some(Direction::Forward),
        _ => None,
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A number with its thousands parted: 41,207.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(lines: &[String]) -> String {
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let told: Vec<_> = [0, 12, 999, 1000, 41_207, 1_234_567].map(grouped).into();
        assert_eq!(told, ["0", "12", "999", "1,000", "41,207", "1,234,567"]);
    }

    #[test]
    fn a_check_tells_what_breaks_by_which_example_and_for_whom() {
        let check = json!({
            "compared": { "compatibility": "BACKWARD", "policy": "lenient", "compatible": false,
                "against": [{ "version": 3, "findings": [
                    { "direction": "backward", "path": "/properties/total/type", "rule": "type.narrowed",
                      "message": "It was a number.", "counterExample": { "total": 1.5 } },
                    { "direction": "forward", "path": "", "rule": "unproved", "message": "evil \u{1b}[2J",
                      "counterExample": null }] }] },
            "evidence": { "checked": 1000, "failing": 1, "total": 41_207, "complete": false, "failures": [
                { "eventId": "e1", "receivedAt": "t", "violations": [{ "pointer": "/total", "message": "no" }] }] },
            "readers": [{ "message": "automation vip (off) reads payload.who, which is gone (condition 1)" }],
        });
        assert_eq!(
            plain(&report(&check)),
            "against version 3\n\
             \x20 ✗ /properties/total/type type.narrowed\n\
             \x20   It was a number.\n\
             \x20   fitted before, no longer does: {\"total\":1.5}\n\
             \x20 · (all) unproved (let through by BACKWARD)\n\
             \x20   evil \\u{1b}[2J\n\
             stored events: 1 of the newest 1,000 of 41,207 do not fit\n\
             \x20 e1 t\n\
             \x20   /total: no\n\
             readers that lose something:\n\
             \x20 ! automation vip (off) reads payload.who, which is gone (condition 1)"
        );
        let told = verdict("custom.a", &check["compared"]);
        assert_eq!(
            plain(&[told]),
            "not compatible: custom.a would break 1 thing that BACKWARD (lenient policy) protects"
        );
        assert_eq!(refused(&check["compared"]), [Direction::Backward]);

        let mut many = check;
        many["compared"]["omitted"] = json!(1234);
        let told = [&[verdict("custom.a", &many["compared"])][..], &report(&many)].concat();
        let told = plain(&told);
        assert!(told.contains("would break at least 1 thing that"), "{told}");
        assert!(told.contains("\n  … and 1,234 more findings\nstored events"), "{told}");
    }
}
