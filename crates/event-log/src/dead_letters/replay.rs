//! The event that retries a letter: what was given up once more, as a new event that points at the first.

use omni_events::{Event, Replay};
use omni_store::dead_letters::DeadLetterRow;
use uuid::Uuid;

use super::{DeadLetterError, DeadLetters};
use crate::{Draft, replay::again::again};

/// Whose keys make the retry of a letter one event.
const SCOPE: &str = "dead_letter.retry";

impl DeadLetters {
    /// The event with the given id that is the retry with the given number.
    pub(super) async fn replay(
        &self,
        letter: &DeadLetterRow,
        id: Uuid,
        retry: i32,
    ) -> Result<Draft, DeadLetterError> {
        let original = self.original(letter).await?;
        Ok(draft(letter, original, id, retry))
    }

    /// What was given up: the event in the store, or else the one in the message.
    async fn original(&self, letter: &DeadLetterRow) -> Result<Event, DeadLetterError> {
        let event_id = letter.head.event_id;
        let mut conn = self.log.parts.store.read().await?;
        let stored = omni_store::events::get(&mut conn, &letter.head.org, event_id).await?;
        drop(conn);
        match stored {
            Some(stored) if stored.is_expunged => Err(DeadLetterError::Expunged { event_id }),
            Some(stored) => Ok(stored.event),
            None => letter
                .message()?
                .and_then(|message| serde_json::from_slice(&message).ok())
                // The row says whose it is, whatever the message says.
                .filter(|event: &Event| event.metadata.org.as_str() == letter.head.org)
                .ok_or(DeadLetterError::NoEvent { event_id }),
        }
    }
}

fn draft(letter: &DeadLetterRow, original: Event, id: Uuid, retry: i32) -> Draft {
    let earlier = original.metadata.replay.as_deref();
    let automation_id = letter.head.automation_id.or(earlier.and_then(|r| r.automation_id));
    let replay =
        Replay { id: letter.head.id, automation_id, repeat_effects: false, dead_letter: true };
    let key = format!("{}:{retry}", letter.head.id);
    let draft = Draft { id: Some(id), ..again(original, replay) };
    draft.deduplicated(SCOPE, key, [0; 32])
}
