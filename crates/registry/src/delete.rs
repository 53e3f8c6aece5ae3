//! Deleting a type: first so that it can come back, then for good. Events of it stay what they are.

use omni_events::{EventType, Org};
use omni_store::{schemas, schemas::Change};

use crate::{Error, Registry, error::busy, register::TRIES};

impl Registry {
    /// Deletes a type. Its versions can still be read, its events are those of an unknown type from now on, and
    /// registering it again goes on with the next version.
    ///
    /// Whether somebody still relies on it is for the caller to ask.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a type that is not there, [`Error::Closed`] for one that comes with the product.
    pub async fn delete(&self, org: &Org, event_type: &EventType) -> Result<(), Error> {
        self.refresh().await?;
        self.may_define(org, event_type, None)?;
        for _ in 0..TRIES {
            let mut row = self.live(org, event_type).await?;
            let now = self.clock().now();
            (row.deleted_at, row.updated_at) = (Some(now), now);
            let change = Change { row, schema: None, changed_by: None };
            match schemas::put(&mut *self.store().write().await?, &change).await {
                Err(omni_store::Error::Exists { .. }) => {}
                other => {
                    other?;
                    return self.refresh().await;
                }
            }
        }
        Err(busy(event_type))
    }

    /// Deletes the versions of a type that was deleted before, for good. The numbers they had are not given again.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a type that never was, [`Error::NotDeleted`] for one that is still there.
    pub async fn purge(&self, org: &Org, event_type: &EventType) -> Result<(), Error> {
        let name = event_type.as_str();
        for _ in 0..TRIES {
            let row = schemas::get(&mut *self.store().read().await?, org.as_str(), name).await?;
            let row = row.ok_or_else(|| Error::unknown(name))?;
            if row.deleted_at.is_none() {
                return Err(Error::NotDeleted { event_type: name.to_owned() });
            }
            match schemas::purge(&mut *self.store().write().await?, &row).await {
                Err(omni_store::Error::Exists { .. }) => {}
                other => {
                    other?;
                    return self.refresh().await;
                }
            }
        }
        Err(busy(event_type))
    }
}
