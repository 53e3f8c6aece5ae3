//! What may be said of a type besides its schema, and what holds for the types that say nothing.

use omni_event_bus::Stream;
use omni_events::{EventType, Org};
use omni_schema::{Compatibility, Policy};
use omni_store::{
    schemas,
    schemas::{Change, SettingsRow, TypeRow},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Registry, TypeInfo, Validation, error::busy, register::TRIES, routes};

/// Longest description in bytes: a list of all types has them all.
const DESCRIPTION_MAX: usize = 4096;

/// What may be said of a type besides its schema; what is not said stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeOptions {
    /// What it tells, in one sentence.
    pub description: Option<String>,
    /// How strictly payloads are checked; a new type enforces its schema.
    pub validation: Option<Validation>,
    /// Which changes of its schema are let through; a new type goes by its organisation.
    pub compatibility: Option<Compatibility>,
    /// How its versions are compared; a new type goes by its organisation.
    pub policy: Option<Policy>,
    /// The stream its events are to go to, to be kept for longer or shorter; that of its domain is no choice.
    pub stream: Option<Stream>,
    /// What is taken back, unless it is said anew: it is then as if it had never been said.
    pub reset: Vec<Said>,
}

/// Something that was said of a type and can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// What it tells; none then.
    Description,
    /// Which changes are let through; those of the organisation then.
    Compatibility,
    /// How versions are compared; as the organisation has it then.
    Policy,
    /// Where its events go; to the stream of its domain then.
    Stream,
}

/// What holds for the types of an organisation that say nothing themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Which changes of a schema are let through.
    #[serde(default)]
    pub compatibility: Compatibility,
    /// How versions are compared.
    #[serde(default)]
    pub policy: Policy,
}

impl TypeOptions {
    /// Whether they can be kept.
    pub(crate) fn check(&self, event_type: &EventType) -> Result<(), Error> {
        let Some(description) = &self.description else { return Ok(()) };
        let refused =
            |reason| Err(Error::Description { event_type: event_type.as_str().to_owned(), reason });
        if description.len() > DESCRIPTION_MAX {
            return refused("is longer than 4096 bytes; say it in one sentence");
        }
        if description.contains('\0') {
            return refused("holds a zero character, which databases do not keep");
        }
        Ok(())
    }

    /// Writes what was said into a row.
    pub(crate) fn apply(&self, row: &mut TypeRow, event_type: &EventType) {
        for said in &self.reset {
            match said {
                Said::Description => row.description = None,
                Said::Compatibility => row.compatibility = None,
                Said::Policy => row.policy = None,
                Said::Stream => row.stream = None,
            }
        }
        if let Some(description) = &self.description {
            row.description = Some(description.clone());
        }
        if let Some(validation) = self.validation {
            validation.as_str().clone_into(&mut row.validation);
        }
        if let Some(compatibility) = self.compatibility {
            row.compatibility = Some(compatibility.as_str().to_owned());
        }
        if let Some(policy) = self.policy {
            row.policy = Some(policy.as_str().to_owned());
        }
        if let Some(stream) = self.stream {
            row.stream = routes::may_differ(event_type, stream).then(|| stream.as_str().to_owned());
            row.streams = routes::remember(&row.streams, row.stream.as_deref());
        }
    }
}

impl Registry {
    /// Changes what is said of a type besides its schema; it gets no new version.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a type that is not there, [`Error::Closed`] for one that comes with the product,
    /// [`Error::StreamTaken`] when another organisation sends the type to another stream, [`Error::Description`] for a
    /// description that cannot be kept, [`Error::Busy`] when others change the type all the time.
    pub async fn configure(
        &self,
        org: &Org,
        event_type: &EventType,
        options: &TypeOptions,
    ) -> Result<TypeInfo, Error> {
        self.refresh().await?;
        self.may_define(org, event_type, options.stream)?;
        options.check(event_type)?;
        for _ in 0..TRIES {
            let before = self.live(org, event_type).await?;
            let mut row = before.clone();
            options.apply(&mut row, event_type);
            if row != before {
                row.updated_at = self.clock().now();
                let change = Change { row, schema: None, changed_by: None };
                match schemas::put(&mut *self.store().write().await?, &change).await {
                    Err(omni_store::Error::Exists { .. }) => continue,
                    other => drop(other?),
                }
            }
            self.refresh().await?;
            let name = event_type.as_str();
            return self.get(org, name).ok_or_else(|| Error::unknown(name));
        }
        Err(busy(event_type))
    }

    /// What holds for the types of an organisation that say nothing themselves.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn settings(&self, org: &Org) -> Result<Settings, Error> {
        let row = schemas::settings(&mut *self.store().read().await?, org.as_str()).await?;
        Ok(row.map_or_else(Settings::default, |row| Settings {
            compatibility: Compatibility::from_name(&row.compatibility).unwrap_or_default(),
            policy: Policy::from_name(&row.policy).unwrap_or_default(),
        }))
    }

    /// Says what holds for the types of an organisation that say nothing themselves.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn set_settings(&self, org: &Org, new: Settings) -> Result<(), Error> {
        let row = SettingsRow {
            org: org.as_str().to_owned(),
            compatibility: new.compatibility.as_str().to_owned(),
            policy: new.policy.as_str().to_owned(),
            updated_at: self.clock().now(),
        };
        Ok(schemas::set_settings(&mut *self.store().write().await?, &row).await?)
    }

    /// The row of a type that is there.
    pub(crate) async fn live(&self, org: &Org, event_type: &EventType) -> Result<TypeRow, Error> {
        let name = event_type.as_str();
        let row = schemas::get(&mut *self.store().read().await?, org.as_str(), name).await?;
        row.filter(|row| row.deleted_at.is_none()).ok_or_else(|| Error::unknown(name))
    }
}
