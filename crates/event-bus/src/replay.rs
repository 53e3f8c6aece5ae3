//! Reading what was published once more, beside the consumers: merged over streams by time, and at a chosen rate.
//!
//! It must stay true that a replay ends where it was told to when it was opened, whatever is published meanwhile, and
//! that a call that is cancelled or fails takes nothing: the next one goes on with the same event.

mod merge;
mod pace;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use omni_events::{Event, SubjectPattern};

use self::{
    merge::{End, Merge, Source},
    pace::Pace,
};
use crate::{
    Error, EventBus, Message, Pulled, Read, ReadFrom, Stream, backend::decode, bus::Shared, routes,
};

/// Messages that are read at once from each stream.
const PAGE: usize = 256;

/// What is to be replayed.
#[derive(Clone, Debug)]
pub struct ReplayConfig {
    /// What to replay; a message is replayed when any of them matches.
    pub filters: Vec<SubjectPattern>,
    /// Where to begin.
    pub from: ReplayFrom,
    /// Where to end.
    pub until: ReplayUntil,
    /// Most events per second; without it as fast as they are taken.
    pub rate: Option<f64>,
}

/// Where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayFrom {
    /// At the oldest message kept.
    First,
    /// At this sequence, in each stream.
    Sequence(u64),
    /// At the first message published at or after this time.
    Time(DateTime<Utc>),
}

/// Where a replay ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayUntil {
    /// With what is published by the time the replay is opened.
    Now,
    /// With this sequence, in each stream.
    Sequence(u64),
    /// With the last message published at or before this time, also if that is yet to come: it ends with what is there.
    Time(DateTime<Utc>),
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events given out so far.
    pub replayed: u64,
    /// About how many messages are still to be looked at, at most; 0 before the first event was asked for.
    pub remaining: u64,
    /// When the last one given out was published.
    pub at: Option<DateTime<Utc>>,
}

/// A message as it was replayed.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The message.
    pub message: Message,
    /// The stream it is in.
    pub stream: Stream,
    /// Its sequence there.
    pub sequence: u64,
    /// When it was published.
    pub published_at: DateTime<Utc>,
}

impl Replayed {
    /// The event it carries.
    ///
    /// # Errors
    /// [`Error::Decode`] when it carries none.
    pub fn event(&self) -> Result<Event, Error> {
        decode(&self.message, self.stream, self.sequence)
    }
}

/// Reads what was published once more, oldest first. No consumer notices.
///
/// What retention removes before the replay gets there is skipped.
#[derive(Debug)]
pub struct Replay {
    shared: Arc<Shared>,
    filters: Vec<SubjectPattern>,
    merge: Merge,
    pace: Pace,
    replayed: u64,
    at: Option<DateTime<Utc>>,
}

impl EventBus {
    /// Opens a replay of what was published; see [`Replay::next`].
    ///
    /// # Errors
    /// [`Error::Replay`] when the settings do not make sense, [`Error::UnknownDomain`] when a filter could never select
    /// anything.
    pub fn replay(&self, config: ReplayConfig) -> Result<Replay, Error> {
        let ReplayConfig { filters, from, until, rate } = config;
        if filters.is_empty() {
            let reason = "it has no filter; `>` selects everything".to_owned();
            return Err(Error::Replay { reason });
        }
        let pace = Pace::new(rate).map_err(|reason| Error::Replay { reason })?;
        let from = match from {
            ReplayFrom::First => ReadFrom::Sequence(1),
            ReplayFrom::Sequence(sequence) => ReadFrom::Sequence(sequence),
            ReplayFrom::Time(time) => ReadFrom::Time(time),
        };
        let until = match until {
            ReplayUntil::Now => End::Time(self.shared.clock.now()),
            ReplayUntil::Sequence(sequence) => End::Sequence(sequence),
            ReplayUntil::Time(time) => End::Time(time),
        };
        let streams = routes::streams(&filters, &self.shared.routes.streams())?;
        let sources = streams.into_iter().map(|stream| Source::new(stream, from, until)).collect();
        Ok(Replay {
            shared: Arc::clone(&self.shared),
            filters,
            merge: Merge::new(sources),
            pace,
            replayed: 0,
            at: None,
        })
    }
}

impl Replay {
    /// Waits until the next event may be given out by the rate, and returns it; `None` after the last one.
    ///
    /// May be cancelled, and called again after an error: nothing is left out or given out twice.
    ///
    /// # Errors
    /// When the storage failed, or [`Error::Unavailable`].
    pub async fn next(&mut self) -> Result<Option<Replayed>, Error> {
        while let Some((stream, from)) = self.merge.missing() {
            let read = Read { stream, from, filters: self.filters.clone(), max: PAGE };
            let page = self.shared.backend.read(&read).await?;
            self.merge.put(stream, page);
        }
        if self.merge.is_done() {
            return Ok(None);
        }
        let clock = &self.shared.clock;
        if let Some(wait) = self.pace.wait(clock.elapsed()) {
            clock.sleep(wait).await;
        }
        let Some(pulled) = self.merge.pop() else { return Ok(None) };
        self.pace.given(clock.elapsed());
        self.replayed += 1;
        self.at = Some(pulled.published_at);
        let Pulled { message, stream, sequence, published_at, .. } = pulled;
        Ok(Some(Replayed { message, stream, sequence, published_at }))
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let Self { replayed, at, .. } = *self;
        Progress { replayed, remaining: self.merge.remaining(), at }
    }
}
