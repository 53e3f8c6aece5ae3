//! Handing events to the bus, and what becomes of one that it will never take.

use omni_event_bus::Error as BusError;
use omni_events::Event;
use omni_store::executions::{Done, NewOutcome, commit_batch};

use crate::log::Parts;

/// Why a batch did not reach the bus.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("the bus refused a batch")]
    Bus(#[from] BusError),
    #[error("the store could not be read")]
    Store(#[from] omni_store::Error),
}

impl PublishError {
    /// Whether the bus cannot be reached, which is no fault of anybody here.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Bus(BusError::Unavailable { .. }))
    }
}

/// Publishes events in order. One that the bus will never take is left out and recorded as failed: it stays in the store,
/// and holds up nobody.
pub(crate) async fn deliver(parts: &Parts, events: &[Event]) -> Result<(), PublishError> {
    match parts.bus.publish(events).await {
        Err(error) if is_for_ever(&error) => {}
        done => return Ok(done.map(drop)?),
    }
    for event in events {
        match parts.bus.publish(std::slice::from_ref(event)).await {
            Err(error) if is_for_ever(&error) => give_up(parts, event, &chain(&error)).await?,
            done => drop(done?),
        }
    }
    Ok(())
}

async fn give_up(parts: &Parts, event: &Event, reason: &str) -> Result<(), PublishError> {
    tracing::error!(event = %event.id, reason, "the bus cannot carry an event; it stays in the store and nothing will handle it");
    let outcome = NewOutcome {
        event_id: event.id,
        org: event.metadata.org.as_str().to_owned(),
        status: "failed".to_owned(),
        retry_count: 0,
        processed_at: parts.clock.now(),
        executions: 0,
        error: Some(format!("the bus cannot carry it: {reason}")),
        received_at: event.received_at,
    };
    let mut conn = parts.store.write().await?;
    commit_batch(&mut conn, &[Done { outcome, executions: Vec::new(), dead: Vec::new() }]).await?;
    Ok(())
}

/// Whether it is about the event, and not about the bus.
fn is_for_ever(error: &BusError) -> bool {
    matches!(
        error,
        BusError::UnknownDomain { .. } | BusError::TooLarge { .. } | BusError::Encode { .. }
    )
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
