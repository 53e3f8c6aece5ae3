//! Registering a type. It must stay true that nothing is stored which `check` could not work with, that no change is
//! stored which was not held against the version it follows, and that no organisation changes what others rely on.

use omni_event_bus::Stream;
use omni_events::{EventType, Org};
use omni_schema::{Compatibility, Policy, Schema};
use omni_store::{
    schemas,
    schemas::{Change, TypeRow, VersionRow},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    Compared, Error, Registry, Said, Settings, TypeInfo, TypeOptions, Validation, entry::Entry,
    error::busy, off_thread, routes::may_differ,
};

/// How often a change is tried when others change the same type at the same moment.
pub(crate) const TRIES: usize = 16;
/// Most earlier versions that a transitive mode looks at.
const VERSIONS_MAX: i64 = 200;

/// A type that an organisation defines, or a new version of it.
#[derive(Clone, Debug)]
pub struct NewType {
    /// The type, under `custom.` or `system.`.
    pub event_type: EventType,
    /// JSON Schema of the payload; `true` takes everything.
    pub schema: Value,
    /// What else is said of it.
    pub options: TypeOptions,
    /// Who defines it.
    pub created_by: Option<String>,
}

/// What registering a type did.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// What it did.
    pub outcome: Outcome,
    /// The type as it now is.
    #[serde(flatten)]
    pub info: TypeInfo,
    /// What was compared; findings that the mode lets through are in it.
    pub compared: Compared,
}

/// What registering a type did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The type is new.
    Created,
    /// It has a new version.
    NewVersion,
    /// Its schema is what it was; the rest was changed.
    Configured,
    /// Nothing is different.
    Unchanged,
}

/// What registering a type would do.
struct Plan {
    /// The type as it is, unless it is not there.
    live: Option<TypeRow>,
    newest: Option<VersionRow>,
    /// The type as it is to be.
    row: TypeRow,
    outcome: Outcome,
}

impl Registry {
    /// Stores a type as its next version, unless its newest version has the same schema. It is in force here when this
    /// returns, and in other processes when they hear of it or after ten seconds.
    ///
    /// # Errors
    /// [`Error::Closed`] for a type that comes with the product or is in a domain that is closed, [`Error::Schema`] for a
    /// schema that cannot be used, [`Error::Incompatible`] when it breaks what the mode of the type protects,
    /// [`Error::StreamTaken`] when another organisation sends the type to another stream, [`Error::Description`] for a
    /// description that cannot be kept, [`Error::Busy`] when others change the type all the time.
    pub async fn register(&self, org: &Org, new: NewType) -> Result<Registered, Error> {
        self.refresh().await?;
        self.may_define(org, &new.event_type, new.options.stream)?;
        new.options.check(&new.event_type)?;
        let schema = usable(&new.event_type, new.schema.clone()).await?;
        for _ in 0..TRIES {
            if let Some(registered) = self.try_to_register(org, &new, &schema).await? {
                self.refresh().await?;
                return Ok(registered);
            }
        }
        Err(busy(&new.event_type))
    }

    /// Nothing when somebody else changed the type meanwhile.
    async fn try_to_register(
        &self,
        org: &Org,
        new: &NewType,
        schema: &Schema,
    ) -> Result<Option<Registered>, Error> {
        let name = new.event_type.as_str();
        let Some(Plan { live, newest, mut row, outcome }) = self.plan(org, new, schema).await?
        else {
            return Ok(None);
        };
        let is_same = matches!(outcome, Outcome::Configured | Outcome::Unchanged);
        let compared = self.hold_against(org, live.as_ref(), schema, &new.options).await?;
        if !is_same && !compared.compatible {
            let event_type = name.to_owned();
            return Err(Error::Incompatible { event_type, compared: Box::new(compared) });
        }
        if outcome != Outcome::Unchanged {
            row.updated_at = self.clock().now();
            let schema = (!is_same).then(|| new.schema.to_string());
            let change = Change { row, schema, changed_by: new.created_by.clone() };
            match schemas::put(&mut *self.store().write().await?, &change).await {
                Err(omni_store::Error::Exists { .. }) => return Ok(None),
                other => row = other?,
            }
        }
        // What is stored, which the same schema in other writing is not.
        let stored = newest.filter(|_| is_same).map(|newest| newest.schema);
        let text = stored.unwrap_or_else(|| new.schema.to_string());
        Ok(Some(Registered { outcome, info: Entry::of(row, Some(text)).info(), compared }))
    }

    /// Says what registering a type would do if nothing refused it: a few rows are read, and nothing is compared.
    ///
    /// # Errors
    /// As [`Registry::register`], but never [`Error::Incompatible`].
    pub async fn outcome(&self, org: &Org, new: &NewType) -> Result<Outcome, Error> {
        self.refresh().await?;
        self.may_define(org, &new.event_type, new.options.stream)?;
        new.options.check(&new.event_type)?;
        let schema = usable(&new.event_type, new.schema.clone()).await?;
        for _ in 0..TRIES {
            if let Some(plan) = self.plan(org, new, &schema).await? {
                return Ok(plan.outcome);
            }
        }
        Err(busy(&new.event_type))
    }

    /// Nothing when somebody else changed the type meanwhile.
    async fn plan(&self, org: &Org, new: &NewType, schema: &Schema) -> Result<Option<Plan>, Error> {
        let name = new.event_type.as_str();
        let before = schemas::get(&mut *self.store().read().await?, org.as_str(), name).await?;
        let live = before.clone().filter(|row| row.deleted_at.is_none());
        let newest = self.earlier(org, live.as_ref(), false).await?.into_iter().next();
        if newest.as_ref().map(|newest| newest.version) != live.as_ref().map(|row| row.latest) {
            return Ok(None);
        }
        let is_same = newest.as_ref().is_some_and(|newest| says(newest, schema));
        let mut row = live.clone().unwrap_or_else(|| self.fresh(org, new, before.as_ref()));
        new.options.apply(&mut row, &new.event_type);
        let outcome = match &live {
            None => Outcome::Created,
            Some(_) if !is_same => Outcome::NewVersion,
            Some(live) if *live != row => Outcome::Configured,
            Some(_) => Outcome::Unchanged,
        };
        Ok(Some(Plan { live, newest, row, outcome }))
    }

    /// Says what a schema would break if it became the next version of a type. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Closed`] for a type that the organisation cannot register, [`Error::Schema`] for a schema that cannot be
    /// used, or when the store cannot be read.
    pub async fn compare(
        &self,
        org: &Org,
        event_type: &EventType,
        schema: Value,
        options: &TypeOptions,
    ) -> Result<Compared, Error> {
        self.may_define(org, event_type, None)?;
        let schema = usable(event_type, schema).await?;
        let name = event_type.as_str();
        let mut conn = self.store().read().await?;
        let row = schemas::get(&mut conn, org.as_str(), name).await?;
        drop(conn);
        let live = row.filter(|row| row.deleted_at.is_none());
        self.hold_against(org, live.as_ref(), &schema, options).await
    }

    async fn hold_against(
        &self,
        org: &Org,
        live: Option<&TypeRow>,
        schema: &Schema,
        options: &TypeOptions,
    ) -> Result<Compared, Error> {
        let Settings { compatibility, policy } = self.settings(org).await?;
        let kept = |said| live.filter(|_| !options.reset.contains(&said));
        let own = |row: &TypeRow| row.compatibility.as_deref().and_then(Compatibility::from_name);
        let own = kept(Said::Compatibility).and_then(own);
        let compatibility = options.compatibility.or(own).unwrap_or(compatibility);
        let own = |row: &TypeRow| row.policy.as_deref().and_then(Policy::from_name);
        let policy = options.policy.or_else(|| kept(Said::Policy).and_then(own)).unwrap_or(policy);
        let versions = self.earlier(org, live, compatibility.is_transitive()).await?;
        let schema = schema.clone();
        off_thread(move || Compared::of(&schema, &versions, (compatibility, policy))).await
    }

    /// The newest version, or all of them.
    async fn earlier(
        &self,
        org: &Org,
        live: Option<&TypeRow>,
        all: bool,
    ) -> Result<Vec<VersionRow>, Error> {
        let Some(row) = live else {
            return Ok(Vec::new());
        };
        let limit = if all { VERSIONS_MAX } else { 1 };
        let mut conn = self.store().read().await?;
        Ok(schemas::versions(&mut conn, org.as_str(), &row.event_type, (None, limit)).await?)
    }

    /// A type of which nothing was said; of one that was deleted only its numbers go on.
    fn fresh(&self, org: &Org, new: &NewType, gone: Option<&TypeRow>) -> TypeRow {
        let (org, event_type) = (org.as_str(), new.event_type.as_str());
        let validation = Validation::default().as_str();
        let mut row = TypeRow::new(org, event_type, validation, self.clock().now());
        row.created_by.clone_from(&new.created_by);
        if let Some(gone) = gone {
            (row.latest, row.revision) = (gone.latest, gone.revision);
            row.streams.clone_from(&gone.streams);
        }
        row
    }

    /// Whether an organisation may define this type, and send its events there.
    pub(crate) fn may_define(
        &self,
        org: &Org,
        event_type: &EventType,
        stream: Option<Stream>,
    ) -> Result<(), Error> {
        let name = event_type.as_str();
        let closed = |reason| Err(Error::Closed { event_type: name.to_owned(), reason });
        if !event_type.domain().is_open() {
            return closed("only names that begin with `custom.` or `system.` are open");
        }
        if self.get(org, name).is_some_and(|known| known.built_in) {
            return closed("it comes with the product");
        }
        let wanted = stream.filter(|stream| may_differ(event_type, *stream));
        match (wanted, self.chosen_by_others(org, name)) {
            (Some(wanted), Some(stream)) if wanted != stream => {
                Err(Error::StreamTaken { event_type: name.to_owned(), stream })
            }
            _ => Ok(()),
        }
    }
}

/// Looks at a schema off the threads that serve requests.
pub(crate) async fn usable(event_type: &EventType, schema: Value) -> Result<Schema, Error> {
    let looked_at = off_thread(move || Schema::new(schema)).await?;
    looked_at.map_err(|reason| Error::Schema { event_type: event_type.as_str().to_owned(), reason })
}

/// Whether a version has this schema, however it was written.
fn says(version: &VersionRow, schema: &Schema) -> bool {
    serde_json::from_str::<Value>(&version.schema).is_ok_and(|known| schema.says_the_same(&known))
}
