//! A schema proposed from what really was sent; the type need not be registered.

use chrono::{DateTime, Utc};
use omni_events::{EventType, Org};
use omni_schema::{Inference, Inferred};

use crate::{Error, Registry, off_thread, stored::Walk};

/// Events that are looked at unless the caller wants others.
const EVENTS: u64 = 10_000;

/// Which events a schema is inferred from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InferOptions {
    /// Most of them, the newest; 10,000 unless said otherwise, a million at most.
    pub limit: Option<u64>,
    /// Received at or after this.
    pub from: Option<DateTime<Utc>>,
    /// Received before this.
    pub to: Option<DateTime<Utc>>,
}

impl Registry {
    /// The schema that the newest stored events of a type suggest; takes a minute at most. Stops when the future is
    /// dropped.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn infer(
        &self,
        org: &Org,
        event_type: &EventType,
        options: InferOptions,
    ) -> Result<Inferred, Error> {
        let InferOptions { limit, from, to } = options;
        let walk = Walk { org, event_type, from, to, limit: limit.unwrap_or(EVENTS) };
        let inference = Inference::default();
        let walked =
            walk.through(self, inference, |known, met| known.add(&met.payload), |_| {}).await?;
        off_thread(move || walked.state.finish()).await
    }
}
