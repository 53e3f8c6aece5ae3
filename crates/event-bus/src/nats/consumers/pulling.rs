//! Handing out messages to the members of a consumer.
//!
//! It must stay true that a pull that is cancelled takes nothing: what came stays in the state for the next one.

use std::{collections::HashSet, time::Duration};

use async_nats::jetstream::AckKind;

use super::{Consumers, durable::Durable, records, state::Taken};
use crate::{Error, Pulled, sleeping::sleep_until};

/// Wait before the server is asked again for what it could not do.
pub(super) const AGAIN: Duration = Duration::from_millis(250);

/// Waits until there is a message, and takes up to `max`.
pub(super) async fn pull(
    consumers: &Consumers,
    durable: &Durable,
    max: usize,
) -> Result<Vec<Pulled>, Error> {
    let clock = &*consumers.session.clock;
    let _pulling = durable.pulling(clock.elapsed());
    let mut changes = durable.subscribe();
    loop {
        if consumers.closing.is_cancelled() {
            return Ok(Vec::new());
        }
        if durable.forgotten.is_cancelled() {
            return Err(Error::NoConsumer { name: durable.config.name.clone() });
        }
        changes.mark_unchanged();
        let (taken, version) = if durable.is_moving() {
            (Taken::Nothing { until: None }, None)
        } else {
            let mut state = durable.state();
            (state.take(clock.elapsed(), max), Some(state.version))
        };
        let until = match taken {
            Taken::Messages { pulled, extend } => {
                consumers.settler.tell(extend, AckKind::Progress);
                return Ok(pulled);
            }
            Taken::Unmarked(stories) => {
                let keys = stories.iter().map(|story| story.0).collect::<HashSet<_>>();
                let stories = stories.into_iter().map(|(_, key, record)| (key, record)).collect();
                match records::write_all(&consumers.session, stories).await {
                    Ok(()) => durable.state().mark(&keys),
                    Err(error) => {
                        tracing::debug!(%error, "what is handed out could not be written down");
                        clock.sleep(AGAIN).await;
                    }
                }
                continue;
            }
            Taken::Nothing { until } => until,
        };
        tokio::select! {
            biased;
            () = consumers.closing.cancelled() => {}
            () = durable.forgotten.cancelled() => {}
            _ = changes.changed() => {}
            () = listen(consumers, durable, max, version) => {}
            () = sleep_until(clock, until) => {}
        }
    }
}

/// Listens to the server until something happens; one member at a time does.
async fn listen(consumers: &Consumers, durable: &Durable, max: usize, version: Option<u64>) {
    let Some(version) = version else { return std::future::pending().await };
    let mut reader = durable.reader.lock().await;
    // Another member may have brought something while this one waited for its turn.
    if durable.state().version == version {
        reader.step(consumers, durable, max).await;
    }
}
