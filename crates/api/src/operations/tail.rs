//! Following the event log live: a poll of the store from a sequence on, with what does not match left out here.
//!
//! The poll asks for everything and not only for what matches, so that it goes on from where the log is and never reads
//! the same stretch twice. It is a view for people and tools: where several replicas commit to one PostgreSQL, an event
//! whose commit took longer than its neighbours' can be missing here, while lists have it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::{
    Stream,
    future::{Either, select},
    stream,
};
use omni_events::{Event, Org, TypePattern};
use omni_store::events::StoredEvent;

use crate::{App, call::Call, health::State, operations::events::patterns, problem::Problem};

/// How often a quiet log is looked at.
const INTERVAL: Duration = Duration::from_millis(200);
/// Events read at once; each may have a payload of megabytes, and every follower reads for itself.
const BATCH: i64 = 50;

/// Which events are followed.
#[derive(Debug, Default)]
pub(crate) struct Follow {
    pub(crate) types: Vec<String>,
    pub(crate) source: Option<String>,
    pub(crate) channel_type: Option<String>,
    pub(crate) instance_id: Option<String>,
    /// From after this sequence; none means only what comes from now on.
    pub(crate) after: Option<i64>,
}

struct Tail {
    app: Arc<App>,
    org: Org,
    types: Vec<TypePattern>,
    source: Option<String>,
    channel_type: Option<String>,
    instance_id: Option<String>,
    after: i64,
    waiting: VecDeque<StoredEvent>,
    failed: bool,
}

/// Follows the log until the process drains or the store fails; the last item tells the failure. Also answers after
/// which sequence it begins.
pub(crate) async fn follow(
    app: Arc<App>,
    call: &Call,
    follow: Follow,
) -> Result<(i64, impl Stream<Item = Result<StoredEvent, Problem>> + Send + use<>), Problem> {
    let types = patterns(&follow.types)?;
    let after = match follow.after {
        Some(after) => after,
        None => app.event_log.last_sequence().await?,
    };
    let tail = Tail {
        app,
        org: call.org.clone(),
        types,
        source: follow.source,
        channel_type: follow.channel_type,
        instance_id: follow.instance_id,
        after,
        waiting: VecDeque::new(),
        failed: false,
    };
    let events = stream::unfold(tail, |mut tail| async move {
        let next = tail.next().await?;
        Some((next, tail))
    });
    Ok((after, events))
}

impl Tail {
    async fn next(&mut self) -> Option<Result<StoredEvent, Problem>> {
        loop {
            if self.failed || self.app.health.state() == State::Draining {
                return None;
            }
            if let Some(stored) = self.waiting.pop_front() {
                return Some(Ok(stored));
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => self.pause().await,
                Err(problem) => {
                    self.failed = true;
                    return Some(Err(problem));
                }
            }
        }
    }

    /// Reads the next stretch of the log; answers whether there may be more at once.
    async fn read(&mut self) -> Result<bool, Problem> {
        let found = self.app.event_log.since(&self.org, self.after, BATCH).await?;
        self.after = found.through;
        let wanted = found.events.into_iter().filter(|stored| self.wants(&stored.event));
        self.waiting = wanted.collect();
        Ok(found.is_full || !self.waiting.is_empty())
    }

    fn wants(&self, event: &Event) -> bool {
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        (self.types.is_empty() || self.types.iter().any(|p| p.matches(&event.event_type)))
            && self.source.as_ref().is_none_or(|source| *source == event.source)
            && same(&self.channel_type, &event.metadata.channel_type)
            && same(&self.instance_id, &event.metadata.instance_id)
    }

    async fn pause(&self) {
        let drained = std::pin::pin!(self.app.health.drained());
        match select(self.app.clock.sleep(INTERVAL), drained).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}
