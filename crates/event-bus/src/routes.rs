//! Which stream a message goes to: that of its domain, unless its type has a stream of its own.

use std::collections::HashMap;

use arc_swap::ArcSwap;
use omni_events::SubjectPattern;

use crate::{Error, Stream};

/// The types that go to another stream than that of their domain, and where such messages may be.
#[derive(Debug, Default)]
pub(crate) struct Routes(ArcSwap<(HashMap<String, Stream>, Vec<Stream>)>);

impl Routes {
    /// Puts other routes in force for what is published from now on.
    pub(crate) fn set(&self, routes: HashMap<String, Stream>, streams: Vec<Stream>) {
        self.0.store((routes, streams).into());
    }

    /// The streams that messages of some type are or were routed to.
    pub(crate) fn streams(&self) -> Vec<Stream> {
        self.0.load().1.clone()
    }

    /// The stream for a subject.
    pub(crate) fn of(&self, subject: &str) -> Result<Stream, Error> {
        let domain = Stream::of(subject)?;
        let loaded = self.0.load();
        let routes = &loaded.0;
        if routes.is_empty() {
            return Ok(domain);
        }
        Ok(routes.get(event_type(subject)).copied().unwrap_or(domain))
    }
}

/// The streams in which some filters can find anything that is where its domain says.
pub(crate) fn domains(filters: &[SubjectPattern]) -> Result<Vec<Stream>, Error> {
    let mut streams = Vec::new();
    for filter in filters {
        streams.extend(Stream::selected_by(filter)?);
    }
    Ok(sorted(streams))
}

/// Whether some filters, which are for these streams, may select a message of a type that can be routed elsewhere.
///
/// Only types that users and the product define can: `custom.*` and `system.*`.
pub(crate) fn may_select_routed(domains: &[Stream]) -> bool {
    domains.iter().any(|stream| matches!(stream, Stream::Custom | Stream::System))
}

/// The streams in which some filters can find anything, routed messages included.
pub(crate) fn streams(filters: &[SubjectPattern], routed: &[Stream]) -> Result<Vec<Stream>, Error> {
    let mut streams = domains(filters)?;
    if may_select_routed(&streams) {
        streams.extend_from_slice(routed);
    }
    Ok(sorted(streams))
}

pub(crate) fn sorted(mut streams: Vec<Stream>) -> Vec<Stream> {
    streams.sort_unstable();
    streams.dedup();
    streams
}

/// The type in a subject: all but the channel and the instance, which are its last two parts.
fn event_type(subject: &str) -> &str {
    let mut parts = subject.rsplitn(3, '.');
    parts.nth(2).unwrap_or(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_with_a_stream_of_its_own_goes_there() {
        let routes = Routes::default();
        assert_eq!(routes.of("custom.order.paid._._").unwrap(), Stream::Custom);
        routes.set([("custom.order.paid".to_owned(), Stream::Identity)].into(), Vec::new());
        assert_eq!(routes.of("custom.order.paid.whatsapp.wa-1").unwrap(), Stream::Identity);
        assert_eq!(routes.of("custom.order._._").unwrap(), Stream::Custom);
        assert_eq!(routes.of("custom.order.paid.late._._").unwrap(), Stream::Custom);
        assert!(routes.of("customer.order._._").is_err());
    }
    #[test]
    fn filters_for_types_that_can_be_routed_look_in_routed_streams() {
        let streams = |pattern: &str| {
            let filters = [SubjectPattern::parse(pattern).unwrap()];
            streams(&filters, &[Stream::Identity, Stream::Custom]).unwrap()
        };
        assert_eq!(streams("custom.order.>"), [Stream::Identity, Stream::Custom]);
        assert_eq!(streams("system.>"), [Stream::Identity, Stream::Custom, Stream::System]);
        assert_eq!(streams("message.>"), [Stream::Message]);
        assert_eq!(streams("*.order.>"), Stream::ALL);
    }
}
