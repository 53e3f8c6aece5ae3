//! The loop that writes what was captured, and follows the policies that other replicas change.

use std::{mem, slice, sync::atomic::Ordering, time::Duration};

use omni_store::payloads::{self, Added, NewPart};
use tokio_util::sync::CancellationToken;

use super::{
    Captures,
    policies::{Waiting, new_payload},
};

/// How long another replica's change of a policy may stay unknown here; the question is one indexed row.
const EVERY: Duration = Duration::from_secs(1);
/// Captures of one transaction at most.
const BATCH_MAX: usize = 64;
/// The pauses between tries while the store is away; then what waits is dropped.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5)];

/// Writes what was captured, and follows the policies; run one per process.
#[derive(Debug)]
pub struct CaptureAgent(pub(super) Captures);

impl CaptureAgent {
    /// Runs until stopped; then takes no more, writes what waits, and ends.
    pub async fn run(self, stop: CancellationToken) {
        let inner = &self.0.0;
        let mut waiting = inner.waiting.lock().await;
        let mut tick = inner.clock.sleep(EVERY);
        let (mut batch, mut told) = (Vec::new(), 0);
        loop {
            tokio::select! {
                biased;
                () = &mut tick => {
                    if let Err(error) = self.0.refresh().await {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "capture policies not reread");
                    }
                    told = self.tell_dropped(told);
                    tick = inner.clock.sleep(EVERY);
                }
                () = stop.cancelled(), if !waiting.is_closed() => waiting.close(),
                taken = waiting.recv_many(&mut batch, BATCH_MAX) => {
                    if taken == 0 {
                        self.tell_dropped(told);
                        return;
                    }
                    self.write(mem::take(&mut batch), &stop).await;
                }
            }
        }
    }

    fn tell_dropped(&self, told: u64) -> u64 {
        let dropped = self.0.0.dropped.load(Ordering::Relaxed);
        if dropped > told {
            let more = dropped - told;
            tracing::warn!(
                more,
                dropped,
                "raw payloads were not kept: too much was waiting, or the store was away"
            );
        }
        dropped
    }

    /// Writes a batch. While the store is away a few tries are made, with a pause unless everything stops.
    async fn write(&self, batch: Vec<Waiting>, stop: &CancellationToken) {
        let part = |waiting: &Waiting| NewPart {
            event_id: waiting.event_id,
            org: waiting.org.as_str().to_owned(),
            at: waiting.at,
            payload: new_payload(&waiting.capture, waiting.kept, waiting.at),
        };
        let parts: Vec<NewPart> = batch.iter().map(part).collect();
        for pause in PAUSES {
            if self.add(&parts).await.is_ok() {
                return;
            }
            stop.run_until_cancelled(self.0.0.clock.sleep(pause)).await;
        }
        // One of them may be the reason, so each has a last try by itself.
        for part in &parts {
            if let Err(error) = self.add(slice::from_ref(part)).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, event = %part.event_id, "a raw payload was not kept");
                self.0.0.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn add(&self, parts: &[NewPart]) -> Result<(), omni_store::Error> {
        let mut conn = self.0.0.store.write().await?;
        let added = payloads::add(&mut conn, parts).await?;
        drop(conn);
        for (part, added) in parts.iter().zip(added) {
            match added {
                Added::Part(_) => drop(self.0.0.stored.fetch_add(1, Ordering::Relaxed)),
                // That is what expunging is for.
                Added::Expunged => {}
                Added::NoEvent | Added::Full => {
                    self.0.0.dropped.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(event = %part.event_id, stage = part.payload.stage, ?added, "a raw payload has no place");
                }
            }
        }
        Ok(())
    }
}
