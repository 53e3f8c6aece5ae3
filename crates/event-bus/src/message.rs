//! What travels on the bus.

use std::sync::Arc;

use bytes::Bytes;
use omni_events::Event;
use uuid::Uuid;

use crate::{Error, Stream};

/// What an event adds around its payload as JSON, about; saves growing the buffer.
const ENVELOPE_SIZE: usize = 640;

/// One message: an address, an id by which a repeat is recognised, and bytes. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id of the event, unique in its stream for as long as repeats are looked for.
    pub id: Uuid,
    /// The address; its first token decides the stream.
    pub subject: Arc<str>,
    /// The event as JSON.
    pub data: Bytes,
}

impl Message {
    /// Writes an event as a message.
    ///
    /// # Errors
    /// [`Error::Encode`] when it cannot be written as JSON.
    pub fn of(event: &Event) -> Result<Self, Error> {
        let mut data = Vec::with_capacity(event.payload.as_bytes().len() + ENVELOPE_SIZE);
        serde_json::to_writer(&mut data, event)
            .map_err(|source| Error::Encode { id: event.id, source: Arc::new(source) })?;
        Ok(Self { id: event.id, subject: omni_events::subject(event).into(), data: data.into() })
    }
}

/// What the publisher gets: the message is in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The stream it went to.
    pub stream: Stream,
    /// Its sequence there, from 1, ascending in the order of publishing.
    pub sequence: u64,
    /// Whether the id was in the stream already; then the sequence is that of the first.
    pub duplicate: bool,
}
