//! Writes the built-in types into the store, so that every replica and every tool reads one list.
//!
//! Runs at every start and writes only what changed: a new release that adds a field makes a new version.

use omni_clock::Clock;
use omni_store::{Conn, Store, schemas, schemas::SchemaRow};

use crate::{Error, Validation, registry::SHARED};

/// How often a type is tried when another process, starting at the same moment, was faster.
const TRIES: usize = 5;

pub(crate) async fn core_types(store: &Store, clock: &dyn Clock) -> Result<(), Error> {
    let mut conn = store.write().await?;
    for core in omni_events::payload::core_types() {
        let row = SchemaRow {
            org: SHARED.to_owned(),
            event_type: core.event_type.to_owned(),
            version: 1,
            schema: core.schema.to_string(),
            description: Some(core.description.to_owned()),
            stream: None,
            validation: Validation::Enforce.as_str().to_owned(),
            created_by: None,
            created_at: clock.now(),
        };
        insert(&mut conn, &row).await?;
    }
    Ok(())
}

/// Stores the next version of a type, whoever else does the same at this moment; answers the version it has.
pub(crate) async fn insert(conn: &mut Conn, row: &SchemaRow) -> Result<i32, omni_store::Error> {
    for _ in 1..TRIES {
        match schemas::insert_if_changed(conn, row).await {
            Err(omni_store::Error::Exists { .. }) => {}
            other => return other,
        }
    }
    schemas::insert_if_changed(conn, row).await
}
