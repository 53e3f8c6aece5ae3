//! Several events of one call: checked before any is recorded, then recorded together.
//!
//! It must stay true that drafts which wait here are queued in their order and without a pause between them: whoever
//! goes away meanwhile leaves all of them queued or none.

use tokio::sync::{mpsc::error::TrySendError, oneshot};

use crate::{AppendError, Appended, Draft, EventLog, check::check_size, log::Waiting};

/// A draft that the log would take at the time it was checked.
#[derive(Clone, Debug)]
pub struct CheckedDraft {
    draft: Draft,
    schema_version: Option<i32>,
}

impl EventLog {
    /// Checks a draft as [`EventLog::append`] does, and records nothing; for whoever records several or none.
    ///
    /// # Errors
    /// What [`EventLog::append`] would refuse it for, but for a key that was used before: that only the commit knows.
    pub async fn check(&self, draft: Draft) -> Result<CheckedDraft, AppendError> {
        let schema_version = self.check_draft(&draft).await?;
        let without_capture = Draft { capture: None, ..draft.clone() };
        let event = self.accept(without_capture, schema_version).event;
        check_size(&event, self.parts.bus.message_size_max())?;
        Ok(CheckedDraft { draft, schema_version })
    }

    /// Records drafts that were checked, in their order, and answers for each when it is durable.
    ///
    /// They share commits but are not one: when the store fails in between, some answers are errors and others not.
    ///
    /// # Errors
    /// [`AppendError::Overloaded`] when there is no room for all of them; then none was taken. More than
    /// [`crate::Config::waiting_max`] never find room.
    pub async fn append_all(
        &self,
        drafts: Vec<CheckedDraft>,
    ) -> Result<Vec<Result<Appended, AppendError>>, AppendError> {
        let rooms: Vec<_> = drafts
            .iter()
            .map(|checked| self.make_room(&checked.draft))
            .collect::<Result<_, _>>()?;
        let mut answered = Vec::with_capacity(drafts.len());
        for (CheckedDraft { draft, schema_version }, room) in drafts.into_iter().zip(rooms) {
            let new = self.accept(draft, schema_version);
            let (answer, receiver) = oneshot::channel();
            // Whoever has room has a place in the queue.
            answered.push(match self.queue.try_send(Waiting { new, answer, room }) {
                Ok(()) => Ok(receiver),
                Err(TrySendError::Full(_)) => Err(AppendError::Overloaded),
                Err(TrySendError::Closed(_)) => Err(AppendError::Stopped),
            });
        }
        let mut answers = Vec::with_capacity(answered.len());
        for receiver in answered {
            answers.push(match receiver {
                Ok(receiver) => receiver.await.unwrap_or(Err(AppendError::Stopped)),
                Err(error) => Err(error),
            });
        }
        Ok(answers)
    }
}
