//! Writes the built-in types into the store, so that every replica and every tool reads one list.
//!
//! Runs at every start and writes only what changed: a new release that adds a field makes a new version.

use omni_clock::Clock;
use omni_events::payload::CoreType;
use omni_store::{
    Conn, Store, schemas,
    schemas::{Change, TypeRow},
};
use serde_json::Value;

use crate::{Error, Validation, register::TRIES, registry::SHARED};

pub(crate) async fn core_types(store: &Store, clock: &dyn Clock) -> Result<(), Error> {
    let mut conn = store.write().await?;
    for core in omni_events::payload::core_types() {
        let mut tries = TRIES;
        while let Err(error) = seed(&mut conn, &core, clock).await {
            // Another process, starting at the same moment, was faster.
            tries -= 1;
            if tries == 0 || !matches!(error, omni_store::Error::Exists { .. }) {
                return Err(error.into());
            }
        }
    }
    Ok(())
}

async fn seed(
    conn: &mut Conn,
    core: &CoreType,
    clock: &dyn Clock,
) -> Result<(), omni_store::Error> {
    let known = schemas::get(conn, SHARED, core.event_type).await?;
    let newest = schemas::versions(conn, SHARED, core.event_type, (None, 1)).await?;
    let is_same = newest.first().is_some_and(|newest| {
        serde_json::from_str::<Value>(&newest.schema).is_ok_and(|known| known == core.schema)
    });
    let now = clock.now();
    let enforce = Validation::Enforce.as_str();
    let fresh = || TypeRow::new(SHARED, core.event_type, enforce, now);
    let mut row = known.clone().unwrap_or_else(fresh);
    row.description = Some(core.description.to_owned());
    enforce.clone_into(&mut row.validation);
    row.deleted_at = None;
    if is_same && known.as_ref() == Some(&row) {
        return Ok(());
    }
    row.updated_at = now;
    let schema = (!is_same).then(|| core.schema.to_string());
    schemas::put(conn, &Change { row, schema, changed_by: None }).await.map(drop)
}
