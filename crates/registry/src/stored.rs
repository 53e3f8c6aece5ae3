//! Walking through the stored events of one type, newest first: one piece is read while the one before is worked on.
//!
//! It must stay true that a walk is bounded in events, memory and time, that a piece is worked on off the threads that
//! serve requests, and that whoever stops waiting stops the walk.

use std::time::Duration;

use chrono::{DateTime, Utc};
use omni_events::{EventType, Org};
use omni_store::events::{
    Place,
    sample::{self, PIECE_MAX, Sample, Sampled},
};
use serde_json::Value;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Error, Registry, off_thread};

/// Most events of one walk, whatever was asked for.
pub const EVENTS_MAX: u64 = 1_000_000;
/// Walks of one process at a time; each keeps a thread busy and a connection of the pool.
pub(crate) const WALKS_MAX: usize = 2;
/// Longest walk: a million events take less, unless the schema asks very much of each.
const TIME_MAX: Duration = Duration::from_mins(1);
/// Fewest events of a piece.
const PIECE_MIN: i64 = 16;

/// How far a walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Events that were looked at.
    pub checked: u64,
    /// Events that will have been looked at in the end. Falls when replays are met, which are not looked at.
    pub total: u64,
}

/// Which events are walked through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a> {
    pub(crate) org: &'a Org,
    pub(crate) event_type: &'a EventType,
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
    /// Most of them.
    pub(crate) limit: u64,
}

/// What a walk met, with what was made of it.
#[derive(Debug)]
pub(crate) struct Walked<S> {
    pub(crate) state: S,
    /// Events that were worked on.
    pub(crate) checked: u64,
    /// Events without a payload that could be read.
    pub(crate) left_out: u64,
    /// Events that there are.
    pub(crate) total: u64,
    /// Whether all were met.
    pub(crate) complete: bool,
}

/// One event of a walk.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) id: Uuid,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) payload: Value,
}

/// What goes from piece to piece.
struct Hand<S> {
    state: S,
    take: fn(&mut S, &Met),
    checked: u64,
    left_out: u64,
    /// Says when it is time to end.
    until: Duration,
    registry: Registry,
    stop: CancellationToken,
}

impl Walk<'_> {
    /// Works on each event in turn; those without a payload are left out, and replays, which repeat one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn through<S: Send + 'static>(
        self,
        registry: &Registry,
        state: S,
        take: fn(&mut S, &Met),
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Walked<S>, Error> {
        let _turn = registry.walks().acquire().await.map_err(|_| Error::Stopping)?;
        let limit = self.limit.min(EVENTS_MAX);
        let stop = CancellationToken::new();
        let _stopped_when_dropped = stop.clone().drop_guard();
        let until = registry.clock().elapsed() + TIME_MAX;
        let registry = registry.clone();
        let mut reader = Reader::of(&self, &registry).await?;
        let mut hand =
            Hand { state, take, checked: 0, left_out: 0, until, registry: registry.clone(), stop };
        progress(Progress { checked: 0, total: reader.total().min(limit) });
        let mut piece = reader.next(limit).await?;
        while !piece.is_empty() {
            let working = off_thread(move || hand.work(piece));
            // SQLite answers at once, and others want to be served in between.
            yield_now().await;
            let read = reader.next(limit).await;
            hand = working.await?;
            piece = read?;
            let checked = hand.checked + hand.left_out;
            let total = if hand.is_over() || !piece.is_empty() {
                reader.total().min(limit).max(checked)
            } else {
                checked
            };
            progress(Progress { checked, total });
            if hand.is_over() {
                break;
            }
        }
        let worked_on = hand.checked + hand.left_out;
        let complete = worked_on == reader.taken && reader.is_at_end;
        Ok(Walked {
            total: if complete { worked_on } else { reader.total().max(worked_on) },
            complete,
            checked: hand.checked,
            left_out: hand.left_out,
            state: hand.state,
        })
    }
}

impl<S> Hand<S> {
    fn work(mut self, piece: Vec<Sampled>) -> Self {
        for sampled in piece.into_iter().filter(|sampled| !sampled.is_replay()) {
            if self.is_over() {
                break;
            }
            let (id, received_at) = (sampled.id, sampled.place.received_at);
            let Some(payload) = payload(sampled) else {
                self.left_out += 1;
                continue;
            };
            (self.take)(&mut self.state, &Met { id, received_at, payload });
            self.checked += 1;
        }
        self
    }

    fn is_over(&self) -> bool {
        self.stop.is_cancelled() || self.registry.clock().elapsed() >= self.until
    }
}

fn payload(sampled: Sampled) -> Option<Value> {
    let id = sampled.id;
    let bytes = sampled.open().unwrap_or_else(|error| {
        tracing::error!(event = %id, %error, "a stored payload cannot be read");
        None
    })?;
    let parsed = serde_json::from_slice(&bytes);
    parsed
        .inspect_err(|error| tracing::error!(event = %id, %error, "a stored payload is no JSON"))
        .ok()
}

/// Reads piece by piece; no connection is kept in between.
struct Reader<'a> {
    registry: &'a Registry,
    sample: Sample<'a>,
    after: Option<Place>,
    piece: i64,
    /// Events when it began, replays included.
    counted: u64,
    replays: u64,
    /// Events that were read, replays left out.
    taken: u64,
    is_at_end: bool,
}

impl<'a> Reader<'a> {
    async fn of(walk: &Walk<'a>, registry: &'a Registry) -> Result<Self, Error> {
        let sample = Sample {
            org: walk.org.as_str(),
            event_type: walk.event_type.as_str(),
            from: walk.from,
            to: walk.to,
        };
        let mut conn = registry.store().read().await?;
        let most = i64::try_from(EVENTS_MAX).unwrap_or(i64::MAX);
        let counted = sample::count(&mut conn, sample, most).await?;
        Ok(Self {
            registry,
            sample,
            after: None,
            piece: PIECE_MAX,
            counted: counted.unsigned_abs(),
            replays: 0,
            taken: 0,
            is_at_end: false,
        })
    }

    /// Events that there are, as far as is known.
    fn total(&self) -> u64 {
        self.counted.saturating_sub(self.replays).max(self.taken)
    }

    /// The next piece; empty at the end or when so many events were read.
    async fn next(&mut self, limit: u64) -> Result<Vec<Sampled>, Error> {
        let seen = self.taken + self.replays;
        if self.is_at_end || self.taken >= limit || seen >= EVENTS_MAX {
            self.is_at_end |= seen >= self.counted && self.counted < EVENTS_MAX;
            return Ok(Vec::new());
        }
        let left = i64::try_from(limit - self.taken).unwrap_or(i64::MAX);
        let wanted = self.piece.min(left);
        let mut conn = self.registry.store().read().await?;
        let piece = sample::next(&mut conn, self.sample, self.after, wanted).await?;
        drop(conn);
        let read = piece.len() as u64;
        let replays = piece.iter().filter(|sampled| sampled.is_replay()).count() as u64;
        self.replays += replays;
        self.taken += read - replays;
        self.is_at_end = piece.is_empty();
        self.after = piece.last().map(|sampled| sampled.place).or(self.after);
        // A piece is cut where its events are large, and what was cut off is read again.
        self.piece = i64::try_from(2 * read).unwrap_or(PIECE_MAX).clamp(PIECE_MIN, PIECE_MAX);
        Ok(piece)
    }
}
