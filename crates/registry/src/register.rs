//! Registering a type. It must stay true that nothing is stored which `check` could not work with, and that no
//! organisation changes what others rely on.

use omni_event_bus::Stream;
use omni_events::{EventType, Org};
use omni_store::schemas::SchemaRow;
use serde_json::Value;

use crate::{Error, Registry, TypeInfo, Validation, routes::may_differ, schema, seed};

/// A type that an organisation defines, or a new version of it.
#[derive(Clone, Debug)]
pub struct NewType {
    /// The type, under `custom.` or `system.`.
    pub event_type: EventType,
    /// What it tells, in one sentence.
    pub description: Option<String>,
    /// JSON Schema of the payload; `true` takes everything.
    pub schema: Value,
    /// How strictly payloads are checked.
    pub validation: Validation,
    /// The stream its events are to go to, to be kept for longer or shorter; `None` for that of its domain.
    pub stream: Option<Stream>,
    /// Who defines it.
    pub created_by: Option<String>,
}

impl Registry {
    /// Stores a type as its next version, unless its newest version says the same. It is in force here when this returns,
    /// and in other processes after ten seconds at most.
    ///
    /// # Errors
    /// [`Error::Closed`] for a type that comes with the product or is in a domain that is closed, [`Error::Schema`] for a
    /// schema that does not compile, [`Error::StreamTaken`] when another organisation sends the type to another stream.
    pub async fn register(&self, org: &Org, new: NewType) -> Result<TypeInfo, Error> {
        let name = new.event_type.as_str();
        self.refresh().await?;
        self.may_register(org, &new)?;
        if let Err(reason) = schema::compile(&new.schema) {
            return Err(Error::Schema { event_type: name.to_owned(), reason });
        }
        let row = SchemaRow {
            org: org.as_str().to_owned(),
            event_type: name.to_owned(),
            version: 1,
            schema: new.schema.to_string(),
            description: new.description.clone(),
            stream: override_of(&new).map(|stream| stream.as_str().to_owned()),
            validation: new.validation.as_str().to_owned(),
            created_by: new.created_by.clone(),
            created_at: self.clock().now(),
        };
        let mut conn = self.store().write().await?;
        let version = seed::insert(&mut conn, &row).await?;
        drop(conn);
        self.refresh().await?;
        Ok(TypeInfo {
            event_type: name.to_owned(),
            description: new.description.clone(),
            version,
            stream: override_of(&new),
            schema: new.schema,
            validation: new.validation,
            built_in: false,
        })
    }

    fn may_register(&self, org: &Org, new: &NewType) -> Result<(), Error> {
        let event_type = new.event_type.as_str();
        let closed = |reason| Err(Error::Closed { event_type: event_type.to_owned(), reason });
        if !new.event_type.domain().is_open() {
            return closed("only names that begin with `custom.` or `system.` are open");
        }
        if self.get(org, event_type).is_some_and(|known| known.built_in) {
            return closed("it comes with the product");
        }
        match (override_of(new), self.chosen_by_others(org, event_type)) {
            (Some(wanted), Some(stream)) if wanted != stream => {
                Err(Error::StreamTaken { event_type: event_type.to_owned(), stream })
            }
            _ => Ok(()),
        }
    }
}

fn override_of(new: &NewType) -> Option<Stream> {
    new.stream.filter(|stream| may_differ(&new.event_type, *stream))
}
