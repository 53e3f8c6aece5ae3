//! The end of a writer: what a clean stop says, so that the next start has nothing to take over.

use std::sync::Arc;

use omni_store::outbox;

use crate::log::Parts;

/// A publisher that has ended. Confirm it once the bus has everything on its disk.
///
/// Dropping it instead is safe: the next process then publishes the last moments again, and the bus drops the repeats.
#[derive(Debug)]
pub struct Closing {
    pub(crate) parts: Arc<Parts>,
    pub(crate) writer: i64,
    /// Up to where is published, or `None` when something is left for the next process.
    pub(crate) published: Option<i64>,
}

impl Closing {
    /// Ends the writer of this process. Nothing happens when it has left something unpublished.
    ///
    /// # Errors
    /// When the store fails; then the next process takes over as after a crash.
    pub async fn confirm(self) -> Result<(), omni_store::Error> {
        let Some(published) = self.published else { return Ok(()) };
        let now = self.parts.clock.now();
        let mut conn = self.parts.store.write().await?;
        outbox::set_published(&mut conn, self.writer, published, now).await?;
        outbox::retire(&mut conn, self.writer, now).await?;
        Ok(())
    }
}
