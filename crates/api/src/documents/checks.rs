//! What a schema would break: documents, and the line that says it all.

use std::fmt::Write as _;

use omni_registry::{Compared, Evidence};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// Readers that the line names; the others are counted.
const NAMED_MAX: usize = 3;
/// Longest path in the line, in bytes.
const PATH_MAX: usize = 100;

/// What a schema would break, and for whom. Nothing was changed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SchemaCheck")]
pub(crate) struct Check {
    /// What it would break against the versions there are.
    pub(crate) compared: Compared,
    /// What stored events say of it.
    pub(crate) evidence: Evidence,
    /// What those who read the type read that it does not give them; at most a hundred.
    pub(crate) readers: Vec<ReaderFinding>,
    /// Stored events and readers in one line.
    pub(crate) summary: String,
}

/// Something that a reader of a type reads and a schema does not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReaderFinding {
    /// What reads.
    pub(crate) kind: ReaderKind,
    /// Its id.
    pub(crate) id: Uuid,
    /// Its name.
    pub(crate) name: String,
    /// Whether it is on.
    pub(crate) enabled: bool,
    /// What it reads, as its author wrote it.
    pub(crate) path: String,
    /// Where in its definition.
    pub(crate) place: String,
    /// Why it reads nothing there.
    pub(crate) reading: Loss,
    /// A place that is new in the schema and may be what it should read.
    pub(crate) suggestion: Option<String>,
    /// All that in one sentence.
    pub(crate) message: String,
}

/// A kind of reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReaderKind {
    /// An automation.
    Automation,
}

/// Why a reader reads nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Loss {
    /// The newest version describes it, this schema does not.
    Gone,
    /// This schema forbids it.
    Never,
}

impl Loss {
    fn told(self) -> &'static str {
        match self {
            Self::Gone => "which is gone",
            Self::Never => "which can never be there",
        }
    }
}

impl ReaderFinding {
    /// Writes the sentence.
    #[must_use]
    pub(crate) fn told(mut self) -> Self {
        let mut message = lost(&self);
        let _ = write!(message, " ({})", self.place);
        if let Some(suggestion) = &self.suggestion {
            let _ = write!(message, "; did you mean {suggestion}?");
        }
        self.message = message;
        self
    }
}

/// Stored events and readers in one line: `0 of 41,207 stored events fail; automation vip-fast reads payload.from.tags,
/// which is gone`.
pub(crate) fn summary(evidence: &Evidence, findings: &[ReaderFinding], readers: usize) -> String {
    let mut line = events(evidence);
    if findings.is_empty() {
        line.push_str(match readers {
            0 => "; no automation is triggered by it",
            _ => "; no automation loses what it reads",
        });
        return line;
    }
    let mut by_reader: Vec<(&ReaderFinding, usize)> = Vec::new();
    for finding in findings {
        match by_reader.last_mut() {
            Some((first, more)) if first.id == finding.id => *more += 1,
            _ => by_reader.push((finding, 0)),
        }
    }
    for (finding, more) in by_reader.iter().take(NAMED_MAX) {
        let _ = write!(line, "; {}", lost(finding));
        if *more > 0 {
            let _ = write!(line, " (and {more} more)");
        }
    }
    if let Some(others @ 1..) = by_reader.len().checked_sub(NAMED_MAX) {
        let plural = if others == 1 { "" } else { "s" };
        let _ = write!(line, "; and {others} more automation{plural}");
    }
    line
}

fn lost(finding: &ReaderFinding) -> String {
    let ReaderFinding { kind: ReaderKind::Automation, name, enabled, path, reading, .. } = finding;
    let off = if *enabled { "" } else { " (off)" };
    let cut = &path[..path.floor_char_boundary(PATH_MAX)];
    let more = if cut.len() < path.len() { "…" } else { "" };
    format!("automation {name}{off} reads {cut}{more}, {}", reading.told())
}

fn events(evidence: &Evidence) -> String {
    let Evidence { checked, failing, total, complete, left_out, .. } = evidence;
    if *total == 0 {
        return "no events of this type are stored".to_owned();
    }
    let fail = if *failing == 1 { "fails" } else { "fail" };
    let (failing, checked, total) = (grouped(*failing), grouped(*checked), grouped(*total));
    let mut line = if *complete {
        format!("{failing} of {checked} stored events {fail}")
    } else {
        format!("{failing} of the newest {checked} of {total} stored events {fail}")
    };
    if *left_out > 0 {
        let _ = write!(line, " ({} without a payload are left out)", grouped(*left_out));
    }
    line
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(failing: u64, checked: u64, total: u64, complete: bool) -> Evidence {
        Evidence { failing, checked, total, complete, ..Evidence::default() }
    }

    fn finding(name: &str, path: &str, reading: Loss) -> ReaderFinding {
        ReaderFinding {
            kind: ReaderKind::Automation,
            id: Uuid::from_u128(name.bytes().map(u128::from).sum()),
            name: name.to_owned(),
            enabled: true,
            path: path.to_owned(),
            place: "condition 1".to_owned(),
            reading,
            suggestion: None,
            message: String::new(),
        }
    }

    #[test]
    fn numbers_are_grouped() {
        let table =
            [(0, "0"), (999, "999"), (1000, "1,000"), (41_207, "41,207"), (1_234_567, "1,234,567")];
        for (number, expected) in table {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn the_line_says_what_fails_and_for_whom() {
        let gone = |name, path| finding(name, path, Loss::Gone);
        let all = evidence(0, 41_207, 41_207, true);
        assert_eq!(
            summary(&all, &[gone("vip-fast", "payload.from.tags")], 2),
            "0 of 41,207 stored events fail; automation vip-fast reads payload.from.tags, which is gone"
        );
        assert_eq!(
            summary(&evidence(1, 10_000, 41_207, false), &[], 2),
            "1 of the newest 10,000 of 41,207 stored events fails; no automation loses what it reads"
        );
        assert_eq!(
            summary(&evidence(0, 0, 0, true), &[], 0),
            "no events of this type are stored; no automation is triggered by it"
        );
        let left_out = Evidence { left_out: 3, ..evidence(2, 7, 10, true) };
        let off = ReaderFinding { enabled: false, ..finding("e", "payload.x", Loss::Never) };
        let many = [
            gone("a", "payload.x"),
            gone("a", "payload.y"),
            off,
            gone("c", "$.x"),
            gone("d", "y"),
            gone("f", "z"),
        ];
        assert_eq!(
            summary(&left_out, &many, 9),
            "2 of 7 stored events fail (3 without a payload are left out); automation a reads payload.x, which is gone \
             (and 1 more); automation e (off) reads payload.x, which can never be there; automation c reads $.x, which \
             is gone; and 2 more automations"
        );
    }

    #[test]
    fn a_sentence_names_the_place_and_what_may_be_meant() {
        let finding = ReaderFinding {
            suggestion: Some("payload.from.labels".into()),
            ..finding("vip-fast", &format!("payload.{}", "ü".repeat(100)), Loss::Gone)
        };
        let message = finding.told().message;
        let path = format!("payload.{}…", "ü".repeat(46));
        assert_eq!(
            message,
            format!(
                "automation vip-fast reads {path}, which is gone (condition 1); did you mean payload.from.labels?"
            )
        );
    }
}
