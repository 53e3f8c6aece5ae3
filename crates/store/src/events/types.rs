//! Which types an organisation has that a filter selects, found by jumping from one type to the next in their index.
//!
//! An index serves the order of a list for one type, not for all that begin alike; so patterns become types first.

use std::collections::BTreeSet;

use diesel::sql_types::Text;
use omni_events::{EventType, TypePattern};

use crate::{
    Error, Kind, Result,
    conn::{Conn, read},
    dual::{Bind, Statement},
};

use super::writer::Writer;

/// Types that are looked at for one pattern; a jump takes some microseconds.
const JUMPS_MAX: i64 = 512;

/// What a filter says about types.
#[derive(Debug)]
pub(super) enum Types {
    /// Nothing.
    All,
    /// Any of these; none when no event has such a type.
    Of(Vec<String>),
    /// Something in this range, which a look at the type itself decides: there are too many types to name them.
    Between(String, String),
}

impl Types {
    /// Finds the types that the patterns select.
    pub(super) async fn of(conn: &mut Conn, org: &str, patterns: &[TypePattern]) -> Result<Self> {
        if patterns.is_empty() || patterns.iter().any(|pattern| pattern.as_str() == ">") {
            return Ok(Self::All);
        }
        let mut found = BTreeSet::new();
        for pattern in patterns {
            if pattern.is_exact() {
                found.insert(pattern.as_str().to_owned());
                continue;
            }
            let (first, beyond) = range(pattern);
            let rows = conn.load(&jumps(conn.kind(), org, first, &beyond)).await?;
            if rows.len() as i64 >= JUMPS_MAX {
                return Ok(between(patterns));
            }
            for row in &rows {
                let event_type: String = read::<String, Text>(row)?;
                let parsed = EventType::parse(&event_type)
                    .map_err(|error| Error::corrupt("omni_events", "event_type", error))?;
                if pattern.matches(&parsed) {
                    found.insert(event_type);
                }
            }
        }
        Ok(Self::Of(found.into_iter().collect()))
    }
}

fn between(patterns: &[TypePattern]) -> Types {
    let first = patterns.iter().map(prefix_of).min().unwrap_or_default();
    let last = patterns.iter().map(prefix_of).max().unwrap_or_default();
    Types::Between(first.to_owned(), format!("{last}\u{7f}"))
}

/// Types are ASCII and compared by their bytes, so what begins with a prefix lies together.
fn range(pattern: &TypePattern) -> (&str, String) {
    let prefix = prefix_of(pattern);
    (prefix, format!("{prefix}\u{7f}"))
}

fn prefix_of(pattern: &TypePattern) -> &str {
    pattern.as_str().split(['*', '>']).next().unwrap_or_default()
}

/// The types of a range, each by one look into the index.
pub(super) fn jumps<'a>(
    kind: Kind,
    org: &'a str,
    first: &'a str,
    beyond: &'a str,
) -> Statement<'a> {
    let mut w = Writer::new(kind);
    let least = "SELECT min(event_type) FROM omni_events WHERE org = ";
    w.sql("WITH RECURSIVE jump (at) AS (").sql(least).text(org);
    w.sql(" AND event_type >= ").bind(Bind::Text(first));
    w.sql(" AND event_type < ").bind(Bind::Text(beyond));
    w.sql(" UNION ALL SELECT (").sql(least).text(org);
    w.sql(" AND event_type > jump.at AND event_type < ").bind(Bind::Text(beyond));
    w.sql(") FROM jump WHERE jump.at IS NOT NULL) SELECT at FROM jump WHERE at IS NOT NULL LIMIT ");
    w.number(JUMPS_MAX);
    w.done()
}

/// The statement for a pattern, to be explained.
#[cfg(feature = "testing")]
pub(super) async fn explain(
    conn: &mut Conn,
    org: &str,
    patterns: &[TypePattern],
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for pattern in patterns.iter().filter(|pattern| !pattern.is_exact()) {
        let (first, beyond) = range(pattern);
        let kind = conn.kind();
        lines.extend(super::explain::plan(conn, jumps(kind, org, first, &beyond)).await?);
    }
    Ok(lines)
}
