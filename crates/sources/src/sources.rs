//! The handle: definitions in the store, compiled sources in memory.
//!
//! A request never waits for the store to find its source. After a change through this handle the memory is current
//! when the call returns; a change through another replica is seen by the [`Refresher`].

mod known;
mod refused;
mod rotation;
mod test;

use std::{fmt, sync::Arc};

use omni_clock::{Clock, Random};
use omni_crypto::Sealer;
use omni_events::Org;
use omni_store::{Store, sources, sources::SourceRow};

use self::known::Known;
pub(crate) use self::{known::Found, refused::event_id};
pub use self::{
    refused::{QuarantineQuery, ReleaseMany, ReleaseRequest, Releases, StillRefused},
    rotation::Rotation,
    test::{CheckReport, Sample, TestReport, TestRequest, WouldBecome},
};
use crate::{
    Definition, Error, Problem, Refresher, Source,
    compiled::Compiled,
    secrets::{self, Secrets},
};

/// How often an unconditional update is tried again when somebody else was faster.
const UPDATE_TRIES: usize = 4;
/// `GET /api/sources/providers` lists the providers, so no source can be read by this name.
const RESERVED: &str = "providers";

/// The sources of all organisations. Clones share one memory.
#[derive(Clone)]
pub struct Sources(Arc<Inner>);

struct Inner {
    store: Store,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    known: Known,
}

impl Sources {
    /// Reads all sources.
    ///
    /// # Errors
    /// When the store cannot be read. A source that cannot be used is reported in the log and does not stop the rest.
    pub async fn open(
        store: Store,
        sealer: Arc<Sealer>,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
    ) -> Result<Self, Error> {
        let known = Known::default();
        let sources = Self(Arc::new(Inner { store, sealer, clock, random, known }));
        sources.reload().await?;
        Ok(sources)
    }

    /// Saves a new source.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault, [`Error::Exists`] for a name that is taken.
    pub async fn create(
        &self,
        org: &Org,
        definition: Definition,
        by: Option<&str>,
    ) -> Result<Source, Error> {
        if definition.name == RESERVED {
            let message = "this name is a part of the API; choose another";
            return Err(Error::Invalid(vec![Problem::at("/name", message)]));
        }
        let now = self.0.clock.now();
        let mut secrets = Secrets::one(definition.secret.clone());
        secrets.second.clone_from(&definition.second_secret);
        for held in &mut secrets.held {
            held.created_at = Some(now);
        }
        Compiled::new(org, &definition, secrets.clone()).map_err(Error::Invalid)?;
        let row = SourceRow {
            id: self.0.random.uuid_v7(now),
            org: org.as_str().to_owned(),
            name: definition.name.clone(),
            version: 1,
            enabled: definition.enabled,
            definition: json(&definition)?,
            sealed_secret: self.seal(org, &definition.name, &secrets)?,
            created_at: now,
            updated_at: now,
            created_by: by.map(str::to_owned),
        };
        let mut conn = self.0.store.write().await?;
        sources::insert(&mut conn, &row).await.map_err(|error| match error {
            omni_store::Error::Exists { name, .. } => Error::Exists(name),
            other => Error::Store(other),
        })?;
        drop(conn);
        self.reload_one(org, &row.name).await;
        self.shown(org, row)
    }

    /// Reads one source.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn get(&self, org: &Org, name: &str) -> Result<Option<Source>, Error> {
        self.row(org, name).await?.map(|row| self.shown(org, row)).transpose()
    }

    /// Lists sources by name, those after `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(
        &self,
        org: &Org,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Source>, Error> {
        let mut conn = self.0.store.read().await?;
        let mut rows = sources::list(&mut conn, org.as_str()).await?;
        drop(conn);
        // Sorted here: databases order `-` and `_` each in their own way, and a page must follow the last.
        rows.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let wanted =
            rows.into_iter().filter(|row| after.is_none_or(|after| row.name.as_str() > after));
        let limit = usize::try_from(limit).unwrap_or(0);
        wanted.take(limit).map(|row| self.shown(org, row)).collect()
    }

    /// Replaces the definition of a source. A secret in it takes the place of all that are stored, at once; without one
    /// they stay. `None` if there is no such source.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault (the name cannot change), [`Error::Stale`] when `if_version` is not its
    /// version any more.
    pub async fn update(
        &self,
        org: &Org,
        name: &str,
        definition: Definition,
        if_version: Option<i32>,
    ) -> Result<Option<Source>, Error> {
        if definition.name != name {
            let message =
                "the name of a source cannot change: its events carry it; make a new source";
            let none = self.row(org, name).await?.is_none();
            let wrong = || Error::Invalid(vec![Problem::at("/name", message)]);
            return if none { Ok(None) } else { Err(wrong()) };
        }
        let now = self.0.clock.now();
        let expected = (if_version, definition.secret.is_some());
        self.change(org, name, expected, |_, secrets| {
            if let Some(secret) = &definition.secret
                && secrets.held.first().is_none_or(|held| held.secret != *secret)
            {
                secrets.replace(secret.clone(), now);
            }
            if definition.second_secret.is_some() {
                secrets.second.clone_from(&definition.second_secret);
            }
            Ok(Some(definition.clone()))
        })
        .await
    }

    /// Lets a source take requests, or not. `None` if there is none.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn set_enabled(
        &self,
        org: &Org,
        name: &str,
        enabled: bool,
    ) -> Result<Option<Source>, Error> {
        self.change(org, name, (None, false), |definition, _| {
            Ok((definition.enabled != enabled)
                .then(|| Definition { enabled, ..definition.clone() }))
        })
        .await
    }

    /// Deletes a source; false if there was none. Its events stay.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn delete(&self, org: &Org, name: &str) -> Result<bool, Error> {
        let mut conn = self.0.store.write().await?;
        let deleted = sources::delete(&mut conn, org.as_str(), name).await?;
        drop(conn);
        if deleted {
            self.reload_one(org, name).await;
        }
        Ok(deleted)
    }

    /// The loop that follows the changes of other replicas; run one per process.
    pub fn refresher(&self) -> Refresher {
        Refresher::new(self.clone())
    }

    /// Changes definition and secrets of a source; again if somebody else was faster. `changed` answers the definition to
    /// save, or nothing to leave all as it is. Secrets that cannot be opened stop it, unless a new one comes in their place.
    async fn change(
        &self,
        org: &Org,
        name: &str,
        (if_version, has_new_secret): (Option<i32>, bool),
        changed: impl Fn(&Definition, &mut Secrets) -> Result<Option<Definition>, Error>,
    ) -> Result<Option<Source>, Error> {
        let mut current = 0;
        for _ in 0..UPDATE_TRIES {
            let Some(row) = self.row(org, name).await? else { return Ok(None) };
            current = row.version;
            if if_version.is_some_and(|wanted| wanted != current) {
                return Err(Error::Stale { current });
            }
            let before = definition(&row)?;
            let mut secrets = match self.secrets(org, &row) {
                Err(_) if has_new_secret => Secrets::default(),
                opened => opened?,
            };
            let Some(after) = changed(&before, &mut secrets)? else {
                return self.shown(org, row).map(Some);
            };
            Compiled::new(org, &after, secrets.clone()).map_err(Error::Invalid)?;
            let row = SourceRow {
                version: row.version.saturating_add(1),
                enabled: after.enabled,
                definition: json(&after)?,
                sealed_secret: self.seal(org, name, &secrets)?,
                updated_at: self.0.clock.now(),
                ..row
            };
            let mut conn = self.0.store.write().await?;
            let updated = sources::update(&mut conn, &row, current).await?;
            drop(conn);
            if updated {
                self.reload_one(org, name).await;
                return self.shown(org, row).map(Some);
            }
        }
        Err(Error::Stale { current })
    }

    async fn row(&self, org: &Org, name: &str) -> Result<Option<SourceRow>, Error> {
        let mut conn = self.0.store.read().await?;
        Ok(sources::get(&mut conn, org.as_str(), name).await?)
    }

    /// What may be shown of a row. Secrets that cannot be opened stop nobody from reading the rest.
    fn shown(&self, org: &Org, row: SourceRow) -> Result<Source, Error> {
        let mut secrets = self.secrets(org, &row).unwrap_or_default();
        if let Some(compiled) = self.compiled(org, &row.name) {
            secrets.remember(&compiled.secrets);
        }
        Source::of(org, row, &secrets)
    }

    fn secrets(&self, org: &Org, row: &SourceRow) -> Result<Secrets, Error> {
        secrets::open(row.sealed_secret.as_deref(), &self.0.sealer, org, &row.name)
            .map_err(|source| Error::Crypto { name: row.name.clone(), source })
    }

    fn seal(&self, org: &Org, name: &str, secrets: &Secrets) -> Result<Option<Vec<u8>>, Error> {
        secrets::seal(secrets, &self.0.sealer, org, name)
            .map_err(|source| Error::Crypto { name: name.to_owned(), source })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn random(&self) -> &Random {
        &self.0.random
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }
}

fn definition(row: &SourceRow) -> Result<Definition, Error> {
    serde_json::from_str(&row.definition)
        .map_err(|source| Error::Unreadable { name: row.name.clone(), source })
}

fn json(definition: &Definition) -> Result<String, Error> {
    serde_json::to_string(definition)
        .map_err(|source| Error::Unreadable { name: definition.name.clone(), source })
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("sources", &self.0.known.count()).finish_non_exhaustive()
    }
}
