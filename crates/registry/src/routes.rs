//! Which stream the events of a type go to. It must stay true that all replicas come to the same answer from the same
//! rows: an event that one of them publishes must be found by the others.

use std::collections::{HashMap, HashSet};

use omni_event_bus::Stream;
use omni_events::EventType;
use omni_store::schemas::TypeRow;

use crate::registry::SHARED;

/// The types whose events go to another stream than that of their domain.
///
/// Streams are shared by all organisations and a subject names none, so a type goes one way for everybody. Where two
/// organisations differ all the same, the one whose name comes first decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// The stream of each of these types.
    pub by_type: HashMap<String, Stream>,
    /// Every stream that any type has ever named, ascending: events published before a change may still wait
    /// there.
    pub streams: Vec<Stream>,
}

impl Routes {
    /// Reads them from all types; of one that was deleted, or that now comes with the product, only where its events may
    /// still wait.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a TypeRow>) -> Self {
        let (built_in, owned): (Vec<_>, Vec<_>) = rows.partition(|row| row.org == SHARED);
        let built_in: HashSet<&str> = built_in.iter().map(|row| &*row.event_type).collect();
        let mut rows: Vec<&TypeRow> = owned;
        rows.retain(|row| row.streams != "[]");
        rows.sort_unstable_by(|a, b| a.org.cmp(&b.org));
        let mut by_type = HashMap::new();
        let in_force =
            |row: &&&TypeRow| row.deleted_at.is_none() && !built_in.contains(&*row.event_type);
        for row in rows.iter().filter(in_force) {
            if let Some(stream) = chosen(row) {
                by_type.entry(row.event_type.clone()).or_insert(stream);
            }
        }
        let mut streams: Vec<Stream> = rows.iter().flat_map(|row| named(row)).collect();
        streams.sort_unstable();
        streams.dedup();
        Self { by_type, streams }
    }
}

/// Whether a row can have a part in the routes: one that never named a stream has none, and a type that comes with the
/// product takes others out.
pub(crate) fn may_matter(row: &TypeRow) -> bool {
    row.org == SHARED || row.streams != "[]"
}

/// All streams that a type ever named, with one more.
pub(crate) fn remember(streams: &str, another: Option<&str>) -> String {
    let mut known: Vec<String> = serde_json::from_str(streams).unwrap_or_default();
    if let Some(another) = another
        && !known.iter().any(|one| one == another)
    {
        known.push(another.to_owned());
    }
    serde_json::Value::from(known).to_string()
}

fn named(row: &TypeRow) -> Vec<Stream> {
    let names: Vec<String> = serde_json::from_str(&row.streams).unwrap_or_default();
    names.iter().filter_map(|name| differing(&row.event_type, name)).collect()
}

/// The stream a stored type is to go to, if it is another one than it would go to anyway.
///
/// A name that is unknown here was written by a newer version: then the type stays where this version can find it.
pub(crate) fn chosen(row: &TypeRow) -> Option<Stream> {
    differing(&row.event_type, row.stream.as_deref()?)
}

fn differing(event_type: &str, stream: &str) -> Option<Stream> {
    let stream = Stream::from_name(stream)?;
    let event_type = EventType::parse(event_type).ok()?;
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

    fn row(org: &str, event_type: &str, streams: &[&str], stream: Option<&str>) -> TypeRow {
        let now = ManualClock::at_unix(1).now();
        let mut row = TypeRow::new(org, event_type, "off", now);
        row.stream = stream.map(str::to_owned);
        row.streams = streams.iter().fold("[]".to_owned(), |all, one| remember(&all, Some(one)));
        row
    }

    #[test]
    fn old_streams_are_remembered_and_deleted_types_have_none() {
        let mut gone = row("acme", "custom.c", &["PRESENCE"], Some("PRESENCE"));
        gone.deleted_at = Some(gone.created_at);
        let rows = [
            row("acme", "custom.a", &["MEDIA"], None),
            row("acme", "custom.b", &["IDENTITY", "ACCESS"], Some("ACCESS")),
            gone,
        ];
        let routes = Routes::of(rows.iter());
        assert_eq!(routes.by_type, [("custom.b".to_owned(), Stream::Access)].into());
        let mut all = vec![Stream::Identity, Stream::Media, Stream::Access];
        all.extend(Stream::from_name("PRESENCE"));
        all.sort_unstable();
        assert_eq!(routes.streams, all);
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let rows = [
            row("acme", "message.received", &["IDENTITY"], Some("IDENTITY")),
            row("acme", "custom.a", &["CUSTOM"], Some("CUSTOM")),
            row("acme", "custom.b", &["FROM-THE-FUTURE"], Some("FROM-THE-FUTURE")),
            row("acme", "custom.c", &["identity"], Some("identity")),
            row("acme", "nonsense", &["IDENTITY"], Some("IDENTITY")),
        ];
        assert_eq!(Routes::of(rows.iter()), Routes::default());
    }

    #[test]
    fn all_replicas_agree_where_organisations_differ() {
        let mut rows = [
            row("zeta", "custom.a", &["MEDIA"], Some("MEDIA")),
            row("acme", "custom.a", &[], None),
            row("beta", "custom.a", &["IDENTITY"], Some("IDENTITY")),
        ];
        let routes = Routes::of(rows.iter());
        assert_eq!(routes.by_type["custom.a"], Stream::Identity);
        rows.reverse();
        assert_eq!(Routes::of(rows.iter()), routes);
    }
}
