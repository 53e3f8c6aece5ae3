//! What a consumer selects, as the consumers and filters that a server has for it. Pure.
//!
//! It must stay true that one message reaches one of our consumers over one way only, and that what the server's filter
//! lets through besides what is wanted is known to be possible, so that it is passed over and not handed out.

use omni_events::SubjectPattern;

use super::super::names::Names;
use crate::{ConsumerConfig, Error, Stream, routes};

/// What stands behind the name of a consumer of routed messages. No consumer of ours can have such a name.
const ROUTED: &str = "+routed";

/// Where messages for a consumer are: a stream, and there either those of its domain or those routed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stream: Stream,
    pub(super) routed: bool,
}

impl Place {
    /// All there are.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Stream::ALL
            .into_iter()
            .flat_map(|stream| [Self { stream, routed: false }, Self { stream, routed: true }])
    }

    /// The places that a consumer looks in.
    pub(super) fn of(config: &ConsumerConfig, routed: &[Stream]) -> Result<Vec<Self>, Error> {
        let domains = routes::domains(&config.filters)?;
        let mut places: Vec<_> =
            domains.iter().map(|&stream| Self { stream, routed: false }).collect();
        if routes::may_select_routed(&domains) {
            places.extend(routed.iter().map(|&stream| Self { stream, routed: true }));
        }
        places.retain(|place| !place.patterns(&config.filters).is_empty());
        Ok(places)
    }

    /// The name of the server's consumer here.
    pub(super) fn consumer(self, name: &str) -> String {
        if self.routed { format!("{name}{ROUTED}") } else { name.to_owned() }
    }

    /// Whether a message with this subject belongs here and not to the other half of the stream.
    pub(super) fn holds(self, subject: &str) -> bool {
        let own = subject.split('.').next() == Some(self.stream.token());
        own != self.routed
    }

    /// What the filters select here, by the subjects that messages had before they went on the wire.
    fn patterns(self, filters: &[SubjectPattern]) -> Vec<SubjectPattern> {
        let routable = |first| first == Stream::Custom.token() || first == Stream::System.token();
        let here = filters.iter().filter_map(|filter| {
            let text = filter.as_str();
            match text.split_once('.') {
                None if text == ">" && self.routed => Some(filter.clone()),
                None if text == ">" => {
                    SubjectPattern::parse(&format!("{}.>", self.stream.token())).ok()
                }
                Some((first, _)) if self.routed => {
                    (first == "*" || routable(first)).then(|| filter.clone())
                }
                Some((first, rest)) if first == "*" || first == self.stream.token() => {
                    SubjectPattern::parse(&format!("{}.{rest}", self.stream.token())).ok()
                }
                // Another domain, or one part alone, which selects no subject of ours.
                _ => None,
            }
        });
        SubjectPattern::minimal(&here.collect::<Vec<_>>())
    }
}

/// The filters of one consumer on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// Subjects on the wire; none lets everything through.
    pub(super) filters: Vec<String>,
    /// Whether they let through nothing but what is wanted.
    pub(super) exact: bool,
    /// Subjects on the wire that together are what is wanted, whether the server can take them or not.
    pub(super) wanted: Vec<String>,
}

impl Selection {
    /// What the filters of a consumer mean in one place, for a server that may take several that do not overlap.
    pub(super) fn new(
        names: &Names,
        place: Place,
        filters: &[SubjectPattern],
        several: bool,
    ) -> Self {
        let patterns = place.patterns(filters);
        let wire = |subject: &str| {
            if place.routed { names.routed(place.stream, subject) } else { names.plain(subject) }
        };
        let disjoint = |one: &SubjectPattern, others: &[SubjectPattern]| {
            others.iter().all(|other| !one.overlaps(other))
        };
        let apart = (1..patterns.len()).all(|at| disjoint(&patterns[at], &patterns[..at]));
        let wanted: Vec<_> = patterns.iter().map(|pattern| wire(pattern.as_str())).collect();
        if patterns.len() == 1 || (several && apart) {
            return Self { filters: wanted.clone(), exact: true, wanted };
        }
        Self { filters: vec![wire(&common(&patterns))], exact: false, wanted }
    }
}

/// One pattern that covers all: the literal parts that they begin with, and then anything.
fn common(patterns: &[SubjectPattern]) -> String {
    let mut parts = patterns.iter().map(|pattern| pattern.as_str().split('.').collect::<Vec<_>>());
    let mut shared = parts.next().unwrap_or_default();
    // What follows must be at least one part, also for the shortest of them.
    shared.pop();
    for other in parts {
        let most = other.len() - 1;
        let alike = shared.iter().zip(&other[..most]).take_while(|(a, b)| a == b).count();
        shared.truncate(alike);
    }
    let literal = shared.iter().take_while(|part| **part != "*" && **part != ">").count();
    shared.truncate(literal);
    shared.push(">");
    shared.join(".")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(texts: &[&str]) -> Vec<SubjectPattern> {
        texts.iter().map(|text| SubjectPattern::parse(text).unwrap()).collect()
    }

    fn selection(stream: Stream, routed: bool, filters: &[&str], several: bool) -> Selection {
        let names = Names::new(Some("acme")).unwrap();
        Selection::new(&names, Place { stream, routed }, &patterns(filters), several)
    }

    #[test]
    fn a_filter_becomes_what_it_means_in_a_stream() {
        for (filter, plain) in [
            ("custom.a.>", "acme.custom.a.>"),
            ("*.a.>", "acme.custom.a.>"),
            (">", "acme.custom.>"),
        ] {
            let found = selection(Stream::Custom, false, &[filter], false);
            assert_eq!((found.filters, found.exact), (vec![plain.to_owned()], true), "{filter}");
        }
        for (filter, wire) in [
            ("custom.a.>", "acme.routed.media.custom.a.>"),
            ("*.a.>", "acme.routed.media.*.a.>"),
            (">", "acme.routed.media.>"),
        ] {
            assert_eq!(selection(Stream::Media, true, &[filter], false).filters, [wire]);
        }
    }

    #[test]
    fn several_filters_are_joined_where_the_server_cannot_take_them() {
        let two = ["custom.a.b.>", "custom.a.c.x"];
        let old = selection(Stream::Custom, false, &two, false);
        assert_eq!((old.filters, old.exact), (vec!["acme.custom.a.>".to_owned()], false));
        let new = selection(Stream::Custom, false, &two, true);
        assert_eq!(
            (new.filters, new.exact),
            (vec!["acme.custom.a.b.>".to_owned(), "acme.custom.a.c.x".to_owned()], true)
        );
        let overlapping = ["custom.*.x", "custom.a.*"];
        assert_eq!(selection(Stream::Custom, false, &overlapping, true).filters, ["acme.custom.>"]);
        let covered = ["custom.>", "custom.a.b"];
        assert_eq!(selection(Stream::Custom, false, &covered, false).filters, ["acme.custom.>"]);
        let prefix_of_the_other = ["custom.a.b", "custom.a.b.c"];
        assert_eq!(
            selection(Stream::Custom, false, &prefix_of_the_other, false).filters,
            ["acme.custom.a.>"]
        );
    }

    #[test]
    fn a_consumer_looks_where_its_messages_can_be() {
        let places = |filters: &[&str]| {
            let config = ConsumerConfig::new("a", patterns(filters));
            let places = Place::of(&config, &[Stream::Identity]).unwrap();
            places.into_iter().map(|place| (place.stream, place.routed)).collect::<Vec<_>>()
        };
        assert_eq!(places(&["media.>"]), [(Stream::Media, false)]);
        assert_eq!(
            places(&["custom.a.>", "media.>"]),
            [(Stream::Media, false), (Stream::Custom, false), (Stream::Identity, true)]
        );
        assert_eq!(places(&[">"]).len(), 8);
        assert_eq!(places(&["*"]), []);
    }

    proptest! {
        #[test]
        fn the_server_lets_through_all_that_is_wanted(
            filters in prop::collection::vec("(custom|\\*)(\\.(a|b|\\*)){1,3}(\\.>)?", 1..5),
            subject in "custom(\\.(a|b|c)){1,5}",
            several: bool,
            routed: bool,
        ) {
            let names = Names::new(None).unwrap();
            let filters: Vec<_> = filters.iter().map(|f| SubjectPattern::parse(f).unwrap()).collect();
            let stream = if routed { Stream::Media } else { Stream::Custom };
            let place = Place { stream, routed };
            let found = Selection::new(&names, place, &filters, several);
            let wanted = filters.iter().any(|filter| filter.matches(&subject));
            let wire = names.physical(stream, &subject);
            let lets = found.filters.iter().filter(|f| SubjectPattern::parse(f).unwrap().matches(&wire)).count();
            prop_assert!(lets <= 1 || !found.exact, "{:?} overlap", found.filters);
            prop_assert!(!wanted || lets > 0, "{:?} does not let through {}", found.filters, wire);
            prop_assert!(!found.exact || wanted == (lets > 0), "{:?} is not exact for {}", found.filters, wire);
        }
    }
}
