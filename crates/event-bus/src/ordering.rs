//! Which messages must be handled one after the other. It must stay true that a message has the same key every time it
//! is handed out, for its lane is found by it.

mod pointer;

use std::hash::{BuildHasher as _, RandomState};

use self::pointer::Pointer;
use crate::{ConsumerConfig, Message};

/// How many messages may be kept back behind others, for each that may be in flight.
const PARKED_FACTOR: usize = 16;

/// Most messages that are kept back, whatever may be in flight: they are held in memory and have to be kept alive.
const PARKED_MAX: usize = 16_384;

/// What messages have in common that must be handled one at a time, in the order of their stream.
///
/// Messages with different keys are handled side by side; one that waits for a retry keeps back only those of its key.
/// A message without the key is ordered with nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderingKey {
    /// The whole subject: the same type from the same instance.
    Subject,
    /// The channel and instance of the subject, whatever the type. A message that names no instance has no key.
    Instance,
    /// A value in the event as JSON, by RFC 6901, such as `/payload/order/id` or `/metadata/correlationId`.
    ///
    /// A string, number or boolean is a key; what is missing, null, an object or an array is none. A number and a
    /// string of the same text are the same key.
    Pointer(String),
}

impl OrderingKey {
    /// Says what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::Subject | Self::Instance => Ok(()),
            Self::Pointer(pointer) => Pointer::parse(pointer).map(|_| ()),
        }
    }
}

/// Finds the keys of messages, for one consumer.
#[derive(Debug)]
pub(crate) struct Keys {
    place: Place,
    /// Its own for every consumer, so that no sender can aim at another one's key.
    hasher: RandomState,
}

#[derive(Debug)]
enum Place {
    Subject,
    Instance,
    Pointer(Pointer),
}

impl Keys {
    /// Prepares to find keys.
    pub(crate) fn new(key: &OrderingKey) -> Result<Self, String> {
        let place = match key {
            OrderingKey::Subject => Place::Subject,
            OrderingKey::Instance => Place::Instance,
            OrderingKey::Pointer(pointer) => Place::Pointer(Pointer::parse(pointer)?),
        };
        Ok(Self { place, hasher: RandomState::new() })
    }

    /// The key of a message, as a hash: two keys that share one are only ordered more than they need to be.
    pub(crate) fn of(&self, message: &Message) -> Option<u64> {
        let subject = &*message.subject;
        match &self.place {
            Place::Subject => Some(self.hasher.hash_one(subject)),
            Place::Instance => instance(subject).map(|instance| self.hasher.hash_one(instance)),
            Place::Pointer(pointer) => {
                pointer.find(&message.data).map(|text| self.hasher.hash_one(&*text))
            }
        }
    }
}

/// The last two parts of a subject, if the last one names an instance.
fn instance(subject: &str) -> Option<&str> {
    let (rest, instance) = subject.rsplit_once('.')?;
    if instance == "_" {
        return None;
    }
    let from = rest.rfind('.').map_or(0, |dot| dot + 1);
    Some(&subject[from..])
}

/// The settings for the backend: what is kept back is handed out too as far as it is concerned.
pub(crate) fn widened(config: &ConsumerConfig) -> ConsumerConfig {
    let mut config = config.clone();
    if config.ordering.is_some() {
        let parked = config.max_in_flight.saturating_mul(PARKED_FACTOR).min(PARKED_MAX);
        config.max_in_flight = config.max_in_flight.saturating_add(parked);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str, data: &str) -> Message {
        Message { id: uuid::Uuid::nil(), subject: subject.into(), data: data.to_owned().into() }
    }

    #[test]
    fn the_instance_orders_all_types_of_one_instance() {
        let keys = Keys::new(&OrderingKey::Instance).unwrap();
        let of = |subject| keys.of(&message(subject, ""));
        assert_eq!(of("message.sent.whatsapp.wa-1"), of("message.received.whatsapp.wa-1"));
        assert_ne!(of("message.sent.whatsapp.wa-1"), of("message.sent.whatsapp.wa-2"));
        assert_ne!(of("message.sent.whatsapp.1"), of("message.sent.discord.1"));
        assert_eq!(of("custom.order.paid._._"), None);
    }

    #[test]
    fn the_subject_orders_one_type_of_one_instance() {
        let keys = Keys::new(&OrderingKey::Subject).unwrap();
        let of = |subject| keys.of(&message(subject, ""));
        assert_eq!(of("custom.a._._"), of("custom.a._._"));
        assert_ne!(of("custom.a._._"), of("custom.b._._"));
    }

    #[test]
    fn a_value_in_the_event_orders_those_that_share_it() {
        let keys = Keys::new(&OrderingKey::Pointer("/payload/id".into())).unwrap();
        let of = |data| keys.of(&message("custom.a._._", data));
        assert_eq!(of(r#"{"payload":{"id":"7"}}"#), of(r#"{"x":[],"payload":{"id":7}}"#));
        assert_ne!(of(r#"{"payload":{"id":"7"}}"#), of(r#"{"payload":{"id":"8"}}"#));
        assert_eq!(of(r#"{"payload":{}}"#), None);
    }

    #[test]
    fn only_ordered_consumers_get_a_wider_window() {
        let mut config = ConsumerConfig::new("a", vec![]);
        assert_eq!(widened(&config).max_in_flight, 1024);
        config.ordering = Some(OrderingKey::Subject);
        assert_eq!(widened(&config).max_in_flight, 1024 + 16_384);
        config.max_in_flight = 10;
        assert_eq!(widened(&config).max_in_flight, 170);
        config.max_in_flight = usize::MAX;
        assert_eq!(widened(&config).max_in_flight, usize::MAX);
    }
}
