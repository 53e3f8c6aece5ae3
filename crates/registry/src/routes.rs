//! Which stream the events of a type go to. It must stay true that all replicas come to the same answer from the same
//! rows: an event that one of them publishes must be found by the others.

use std::collections::HashMap;

use omni_event_bus::Stream;
use omni_events::EventType;
use omni_store::schemas::SchemaRow;

/// The types whose events go to another stream than that of their domain.
///
/// Streams are shared by all organisations and a subject names none, so a type goes one way for everybody. Where two
/// organisations differ all the same, the one whose name comes first decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// The stream of each of these types.
    pub by_type: HashMap<String, Stream>,
    /// Every stream that any version of any type has named, ascending: events published before a change may still wait
    /// there.
    pub streams: Vec<Stream>,
}

impl Routes {
    /// Reads them from all versions of all types.
    pub(crate) fn of(rows: &[SchemaRow]) -> Self {
        let mut newest: HashMap<(&str, &str), &SchemaRow> = HashMap::new();
        for row in rows {
            let kept = newest.entry((&row.event_type, &row.org)).or_insert(row);
            if kept.version < row.version {
                *kept = row;
            }
        }
        let mut newest: Vec<&SchemaRow> = newest.into_values().collect();
        newest.sort_unstable_by(|a, b| a.org.cmp(&b.org));
        let mut by_type = HashMap::new();
        for row in newest {
            if let Some(stream) = chosen(row) {
                by_type.entry(row.event_type.clone()).or_insert(stream);
            }
        }
        let mut streams: Vec<Stream> = rows.iter().filter_map(chosen).collect();
        streams.sort_unstable();
        streams.dedup();
        Self { by_type, streams }
    }
}

/// The stream a stored type is to go to, if it is another one than it would go to anyway.
///
/// A name that is unknown here was written by a newer version: then the type stays where this version can find it.
pub(crate) fn chosen(row: &SchemaRow) -> Option<Stream> {
    let stream = Stream::from_name(row.stream.as_deref()?)?;
    let event_type = EventType::parse(&row.event_type).ok()?;
    may_differ(&event_type, stream).then_some(stream)
}

/// Whether a type may go to this stream and would not without being told.
pub(crate) fn may_differ(event_type: &EventType, stream: Stream) -> bool {
    event_type.domain().is_open() && stream != default(event_type)
}

/// The stream of the domain.
pub(crate) fn default(event_type: &EventType) -> Stream {
    // Every domain has a stream; the fallback cannot be reached.
    Stream::of(event_type.as_str()).unwrap_or(Stream::Custom)
}

#[cfg(test)]
mod tests {
    use omni_clock::{Clock as _, ManualClock};

    use super::*;

    fn row(org: &str, event_type: &str, version: i32, stream: Option<&str>) -> SchemaRow {
        SchemaRow {
            org: org.into(),
            event_type: event_type.into(),
            version,
            schema: "true".into(),
            description: None,
            stream: stream.map(str::to_owned),
            validation: "off".into(),
            created_by: None,
            created_at: ManualClock::at_unix(1).now(),
        }
    }

    #[test]
    fn the_newest_version_decides_and_old_streams_are_remembered() {
        let rows = [
            row("acme", "custom.a", 2, None),
            row("acme", "custom.a", 1, Some("MEDIA")),
            row("acme", "custom.b", 1, Some("IDENTITY")),
            row("acme", "custom.b", 2, Some("ACCESS")),
        ];
        let routes = Routes::of(&rows);
        assert_eq!(routes.by_type, [("custom.b".to_owned(), Stream::Access)].into());
        assert_eq!(routes.streams, [Stream::Identity, Stream::Media, Stream::Access]);
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let rows = [
            row("acme", "message.received", 1, Some("IDENTITY")),
            row("acme", "custom.a", 1, Some("CUSTOM")),
            row("acme", "custom.b", 1, Some("FROM-THE-FUTURE")),
            row("acme", "custom.c", 1, Some("identity")),
            row("acme", "nonsense", 1, Some("IDENTITY")),
        ];
        assert_eq!(Routes::of(&rows), Routes::default());
    }

    #[test]
    fn all_replicas_agree_where_organisations_differ() {
        let mut rows = vec![
            row("zeta", "custom.a", 1, Some("MEDIA")),
            row("acme", "custom.a", 1, None),
            row("beta", "custom.a", 1, Some("IDENTITY")),
        ];
        let routes = Routes::of(&rows);
        assert_eq!(routes.by_type["custom.a"], Stream::Identity);
        rows.reverse();
        assert_eq!(Routes::of(&rows), routes);
    }
}
