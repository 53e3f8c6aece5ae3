//! Events: committed in groups, read by id, by filter and by cause.
//!
//! `omni_events` is append-only: what happens to an event later is a row elsewhere. On SQLite a sequence is never given
//! twice; on PostgreSQL sequences of two writers may become visible out of order.

pub(crate) mod commit;
mod dedupe;
#[cfg(feature = "testing")]
mod explain;
mod filter;
mod list;
mod question;
pub(crate) mod row;
pub mod sample;
mod search;
mod since;
mod types;
pub mod walk;
mod words;
mod writer;

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods as _, QueryDsl as _, Queryable, Selectable, SelectableHelper as _};
use omni_events::Event;
use uuid::Uuid;

use crate::{
    Answer,
    conn::{Conn, Run as _},
    dual::Dual,
    pack::pack,
    schema::{event_outcomes as o, omni_events as e},
};

pub use commit::commit_batch;
pub(crate) use dedupe::claim_key;
pub use dedupe::purge_keys;
#[cfg(feature = "testing")]
pub use explain::{analyze, explain};
pub use filter::{Filter, PENDING, Page, Place};
pub use list::list;
pub use since::{Stretch, since};

/// An event to commit, with the key under which a repeat is recognised and what was received with it.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event; its id must be new.
    pub event: Event,
    /// Makes a second event with the same key a [`Committed::Repeat`].
    pub dedupe: Option<NewKey>,
    /// What was received, byte for byte.
    pub capture: Option<NewPayload>,
    /// The payload as it is kept; made where the event is made, because the one task that commits has no time for it.
    pub(crate) packed: Vec<u8>,
}

impl NewEvent {
    /// An event to commit; compresses its payload.
    pub fn new(event: Event, dedupe: Option<NewKey>, capture: Option<NewPayload>) -> Self {
        let packed = pack(event.payload.as_bytes());
        Self { event, dedupe, capture, packed }
    }
}

/// A key that one event holds until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Who gave the key, so that two senders may use the same: `webhook:github`.
    pub scope: String,
    /// The sender's id of what it sent.
    pub key: String,
    /// SHA-256 of what was sent: the same key with another body is a conflict and no repeat.
    pub body_hash: [u8; 32],
    /// When the key may be used again.
    pub expires_at: DateTime<Utc>,
}

/// One stage of what was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayload {
    /// Where on its way it was captured: `webhook_raw`.
    pub stage: String,
    /// Counts from 0 where a stage happens more than once.
    pub part: i32,
    /// Content type as the sender named it.
    pub content_type: Option<String>,
    /// Headers as a JSON array of pairs.
    pub headers: String,
    /// When it is deleted; `None` keeps it for ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// The bytes as they are kept; `None` when they are the payload of the event.
    pub(crate) body: Option<Vec<u8>>,
    /// Bytes before compression.
    pub(crate) size: i64,
}

impl NewPayload {
    /// What was captured at a stage, kept for ever unless said otherwise; compresses the body.
    pub fn new(
        stage: impl Into<String>,
        content_type: Option<String>,
        headers: String,
        body: Option<&[u8]>,
    ) -> Self {
        Self {
            stage: stage.into(),
            part: 0,
            content_type,
            headers,
            expires_at: None,
            size: body.map_or(0, |body| body.len() as i64),
            body: body.map(pack),
        }
    }

    /// Says how long the body was, when only its beginning is kept.
    #[must_use]
    pub fn cut_from(mut self, whole: usize) -> Self {
        self.size = whole as i64;
        self
    }
}

/// What became of one event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is stored.
    New {
        /// Its place in the order of all events.
        sequence: i64,
    },
    /// An earlier event has its key and body, or its id; nothing was stored.
    Repeat {
        /// The earlier event.
        event_id: Uuid,
        /// Its sequence.
        sequence: i64,
    },
    /// An earlier event has its key with another body; nothing was stored.
    Conflict {
        /// The earlier event.
        event_id: Uuid,
    },
}

/// An event as it is stored, with what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its place in the order of all events.
    pub sequence: i64,
    /// The event.
    pub event: Event,
    /// What the engine made of it; `None` while it is pending.
    pub outcome: Option<Outcome>,
    /// Whether its payload was taken out on purpose; it is `null` then.
    pub is_expunged: bool,
}

/// What the engine made of an event.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = o, check_for_backend(Dual))]
pub struct Outcome {
    /// `completed`, `failed` …
    pub status: String,
    /// How often it was delivered again.
    pub retry_count: i32,
    /// When the engine was done.
    pub processed_at: DateTime<Utc>,
    /// How many automations ran.
    pub executions: i32,
    /// Why it failed.
    pub error: Option<String>,
}

/// An event in a chain of causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Its id.
    pub id: Uuid,
    /// Its type.
    pub event_type: String,
    /// Who said so.
    pub source: String,
}

/// The event with this id, if this organisation has it.
pub fn get<'a>(conn: &'a mut Conn, org: &'a str, id: Uuid) -> Answer<'a, Option<StoredEvent>> {
    Box::pin(async move {
        let query = e::table
            .filter(e::id.eq(id))
            .filter(e::org.eq(org))
            .select(row::StoredRow::as_select());
        let Some(found): Option<row::StoredRow> = query.row(conn).await? else {
            return Ok(None);
        };
        Ok(list::with_outcomes(conn, vec![found]).await?.pop())
    })
}

/// The chain of causes: the event itself, the event that caused it, and so on, `max` at most.
pub fn ancestry<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    id: Uuid,
    max: usize,
) -> Answer<'a, Vec<Ancestor>> {
    Box::pin(async move {
        let mut chain = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next
            && chain.len() < max
        {
            let query = e::table.filter(e::id.eq(id)).filter(e::org.eq(org)).select((
                e::event_type,
                e::source,
                e::causation_id,
            ));
            let found: Option<(String, String, Option<Uuid>)> = query.row(conn).await?;
            let Some((event_type, source, cause)) = found else { break };
            chain.push(Ancestor { id, event_type, source });
            next = cause;
        }
        Ok(chain)
    })
}

/// How many events this organisation has.
pub fn count<'a>(conn: &'a mut Conn, org: &'a str) -> Answer<'a, i64> {
    Box::pin(async move {
        let found = e::table.filter(e::org.eq(org)).count().row(conn).await?;
        Ok(found.unwrap_or_default())
    })
}

/// Whether the engine is done with this event.
pub fn is_processed(conn: &mut Conn, id: Uuid) -> Answer<'_, bool> {
    Box::pin(async move {
        let query = o::table.filter(o::event_id.eq(id)).select(o::event_id);
        let found: Option<Uuid> = query.row(conn).await?;
        Ok(found.is_some())
    })
}
