//! How much runs at once: so many plans in all, large events for several, and no organisation more than half.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use omni_events::Event;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many bytes of payload take a place of their own: a running plan holds its event several times over, as text and as
/// trees.
const BYTES_PER_PLACE: usize = 64 << 10;
/// Organisations that are remembered before those at rest are forgotten.
const ORGS_MAX: usize = 256;

/// The places of all plans.
#[derive(Debug)]
pub(crate) struct Rooms {
    all: Arc<Semaphore>,
    per_org: usize,
    orgs: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A plan's places; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    _all: OwnedSemaphorePermit,
    _org: OwnedSemaphorePermit,
}

impl Rooms {
    pub(crate) fn new(plans_max: usize) -> Self {
        let places = plans_max.clamp(1, Semaphore::MAX_PERMITS >> 1);
        let all = Arc::new(Semaphore::new(places));
        Self { all, per_org: places.div_ceil(2), orgs: Mutex::default() }
    }

    /// Takes places if they are free now.
    pub(crate) fn try_enter(&self, event: &Event) -> Option<Room> {
        let (org, places) = self.wanted(event);
        let org = org.try_acquire_many_owned(places).ok()?;
        let all = self.all.clone().try_acquire_many_owned(places).ok()?;
        Some(Room { _all: all, _org: org })
    }

    /// Waits for places, first among the events of its organisation. `None` is never answered while plans run.
    pub(crate) async fn enter(&self, event: &Event) -> Option<Room> {
        let (org, places) = self.wanted(event);
        let org = org.acquire_many_owned(places).await.ok()?;
        let all = self.all.clone().acquire_many_owned(places).await.ok()?;
        Some(Room { _all: all, _org: org })
    }

    fn wanted(&self, event: &Event) -> (Arc<Semaphore>, u32) {
        let places = 1 + event.payload.as_bytes().len() / BYTES_PER_PLACE;
        let places = u32::try_from(places.min(self.per_org)).unwrap_or(u32::MAX);
        let mut orgs = self.orgs.lock().unwrap_or_else(PoisonError::into_inner);
        if orgs.len() >= ORGS_MAX {
            // A permit or a waiter holds its semaphore, so one that nobody else holds is at rest.
            orgs.retain(|_, org| Arc::strong_count(org) > 1);
        }
        let name = event.metadata.org.as_str();
        if let Some(org) = orgs.get(name) {
            return (org.clone(), places);
        }
        let org = Arc::new(Semaphore::new(self.per_org));
        orgs.insert(name.to_owned(), org.clone());
        (org, places)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use omni_events::{EventType, Metadata, Org, Payload};
    use uuid::Uuid;

    use super::*;

    fn event(org: &str, bytes: usize) -> Event {
        Event {
            id: Uuid::nil(),
            event_type: EventType::parse("custom.test").unwrap(),
            source: String::new(),
            time: DateTime::UNIX_EPOCH,
            received_at: DateTime::UNIX_EPOCH,
            payload: Payload::parse(format!("\"{}\"", "x".repeat(bytes)).into()).unwrap(),
            schema_version: None,
            metadata: Metadata { org: Org::parse(org).unwrap(), ..Metadata::default() },
        }
    }

    #[test]
    fn an_organisation_has_half_and_a_large_event_takes_several() {
        let rooms = Rooms::new(8);
        let (small, large) = (event("a", 1), event("a", 3 * BYTES_PER_PLACE));
        let first = rooms.try_enter(&large);
        assert!(first.is_some());
        assert!(rooms.try_enter(&small).is_none(), "it has used its half");
        let other = rooms.try_enter(&event("b", 100 * BYTES_PER_PLACE));
        assert!(
            other.is_some(),
            "one that is larger than all room takes what its organisation has"
        );
        assert!(rooms.try_enter(&event("c", 1)).is_none(), "all is used");
        drop(first);
        let small: Vec<_> = (0..4).filter_map(|_| rooms.try_enter(&small)).collect();
        assert_eq!(small.len(), 4);
    }

    #[test]
    fn organisations_at_rest_are_forgotten() {
        let rooms = Rooms::new(8);
        let held = rooms.try_enter(&event("held", 1));
        for n in 0..2 * ORGS_MAX {
            assert!(rooms.try_enter(&event(&format!("org-{n}"), 1)).is_some());
        }
        let orgs = rooms.orgs.lock().unwrap();
        assert!(orgs.len() <= ORGS_MAX && orgs.contains_key("held"));
        drop(held);
    }
}
