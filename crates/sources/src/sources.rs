//! The handle: definitions in the store, compiled sources in memory.
//!
//! A request never waits for the store to find its source. After a change through this handle the memory is current
//! when the call returns; a change through another replica is seen by the [`Refresher`].

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwap;
use omni_clock::{Clock, Random};
use omni_crypto::{Sealer, Secret};
use omni_events::Org;
use omni_store::{Store, quarantine, sources, sources::SourceRow};

use crate::{Definition, Error, Problem, Quarantined, Refresher, Source, compiled::Compiled};

/// How often an unconditional update is tried again when somebody else was faster.
const UPDATE_TRIES: usize = 4;

/// The sources of all organisations. Clones share one memory.
#[derive(Clone)]
pub struct Sources(Arc<Inner>);

struct Inner {
    store: Store,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    known: ArcSwap<Known>,
    /// The revision of the table that `known` was read at, or later.
    revision: AtomicI64,
    /// Held while rereading, so that an older reading never replaces a newer one.
    reloading: tokio::sync::Mutex<()>,
}

/// Organisation → name → source; `None` for one that cannot be used, such as with a secret under another key.
type Known = HashMap<Org, HashMap<String, Option<Arc<Compiled>>>>;

/// What is known of a source that somebody sends to.
pub(crate) enum Found {
    /// There is no such source, or it is disabled.
    Nothing,
    /// There is one, but it cannot be used until somebody repairs it.
    Broken,
    /// There is one.
    Ready(Arc<Compiled>),
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
        let sources = Self(Arc::new(Inner {
            store,
            sealer,
            clock,
            random,
            known: ArcSwap::default(),
            revision: AtomicI64::new(0),
            reloading: tokio::sync::Mutex::default(),
        }));
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
        let secret = definition.secret.clone();
        Compiled::new(org, &definition, secret.clone()).map_err(Error::Invalid)?;
        let now = self.0.clock.now();
        let row = SourceRow {
            id: self.0.random.uuid_v7(now),
            org: org.as_str().to_owned(),
            name: definition.name.clone(),
            version: 1,
            enabled: definition.enabled,
            definition: json(&definition)?,
            sealed_secret: secret
                .map(|secret| self.seal(org, &definition.name, &secret))
                .transpose()?,
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
        self.reload_after_write().await;
        Source::of(org, row)
    }

    /// Reads one source.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn get(&self, org: &Org, name: &str) -> Result<Option<Source>, Error> {
        self.row(org, name).await?.map(|row| Source::of(org, row)).transpose()
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
        // Sorted here: databases order `-` and `_` each in their own way, and a page must follow the last.
        rows.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let wanted =
            rows.into_iter().filter(|row| after.is_none_or(|after| row.name.as_str() > after));
        let limit = usize::try_from(limit).unwrap_or(0);
        wanted.take(limit).map(|row| Source::of(org, row)).collect()
    }

    /// Replaces the definition of a source; without a secret in it the stored one stays. `None` if there is none.
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
        let mut current = 0;
        for _ in 0..UPDATE_TRIES {
            let Some(row) = self.row(org, name).await? else { return Ok(None) };
            current = row.version;
            if if_version.is_some_and(|wanted| wanted != current) {
                return Err(Error::Stale { current });
            }
            let row = self.changed(org, row, &definition)?;
            let mut conn = self.0.store.write().await?;
            let updated = sources::update(&mut conn, &row, current).await?;
            drop(conn);
            if updated {
                self.reload_after_write().await;
                return Source::of(org, row).map(Some);
            }
        }
        Err(Error::Stale { current })
    }

    /// Makes the row that replaces one.
    fn changed(
        &self,
        org: &Org,
        row: SourceRow,
        definition: &Definition,
    ) -> Result<SourceRow, Error> {
        if definition.name != row.name {
            let message =
                "the name of a source cannot change: its events carry it; make a new source";
            return Err(Error::Invalid(vec![Problem::at("/name", message)]));
        }
        let (sealed_secret, secret) = match (&definition.secret, row.sealed_secret) {
            (Some(secret), _) => (Some(self.seal(org, &row.name, secret)?), Some(secret.clone())),
            (None, Some(sealed)) => {
                let secret = self.unseal(org, &row.name, &sealed)?;
                (Some(sealed), Some(secret))
            }
            (None, None) => (None, None),
        };
        Compiled::new(org, definition, secret).map_err(Error::Invalid)?;
        Ok(SourceRow {
            version: row.version.saturating_add(1),
            enabled: definition.enabled,
            definition: json(definition)?,
            sealed_secret,
            updated_at: self.0.clock.now(),
            ..row
        })
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
            self.reload_after_write().await;
        }
        Ok(deleted)
    }

    /// Lists what a source refused lately, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn quarantine(
        &self,
        org: &Org,
        name: &str,
        limit: i64,
    ) -> Result<Vec<Quarantined>, Error> {
        let mut conn = self.0.store.read().await?;
        let rows = quarantine::list(&mut conn, org.as_str(), name, limit).await?;
        Ok(rows.into_iter().map(Quarantined::from).collect())
    }

    /// The loop that follows the changes of other replicas; run one per process.
    pub fn refresher(&self) -> Refresher {
        Refresher::new(self.clone())
    }

    /// Looks a source up in memory.
    pub(crate) fn find(&self, org: &Org, name: &str) -> Found {
        let known = self.0.known.load();
        match known.get(org).and_then(|named| named.get(name)) {
            Some(None) => Found::Broken,
            Some(Some(source)) if source.enabled => Found::Ready(Arc::clone(source)),
            Some(Some(_)) | None => Found::Nothing,
        }
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

    /// Reads the sources again if any changed.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let mut conn = self.0.store.read().await?;
        let revision = sources::revision(&mut conn).await?;
        drop(conn);
        if revision == self.0.revision.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.reload().await
    }

    async fn reload(&self) -> Result<(), Error> {
        let _one_at_a_time = self.0.reloading.lock().await;
        let mut conn = self.0.store.read().await?;
        // The revision comes first: a change between the two reads is then read once more, not missed.
        let revision = sources::revision(&mut conn).await?;
        let rows = sources::all(&mut conn).await?;
        drop(conn);
        let mut known = Known::new();
        for row in rows {
            let Ok(org) = Org::parse(&row.org) else { continue };
            let source = self.compile(&org, &row);
            known.entry(org).or_default().insert(row.name, source);
        }
        self.0.known.store(Arc::new(known));
        self.0.revision.store(revision, Ordering::Relaxed);
        Ok(())
    }

    /// The write is done and cannot be taken back, so a failure here only delays what other replicas see late anyway.
    async fn reload_after_write(&self) {
        if let Err(error) = self.reload().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "sources not reread");
        }
    }

    fn compile(&self, org: &Org, row: &SourceRow) -> Option<Arc<Compiled>> {
        let prepared = || -> Result<Compiled, Error> {
            let definition = serde_json::from_str(&row.definition)
                .map_err(|source| Error::Unreadable { name: row.name.clone(), source })?;
            let sealed = row.sealed_secret.as_deref();
            let secret = sealed.map(|sealed| self.unseal(org, &row.name, sealed)).transpose()?;
            Compiled::new(org, &definition, secret).map_err(Error::Invalid)
        };
        match prepared() {
            Ok(compiled) => Some(Arc::new(compiled)),
            Err(error) => {
                let (org, source) = (org.as_str(), &row.name);
                let error = &error as &dyn std::error::Error;
                tracing::error!(
                    org,
                    source,
                    error,
                    "source takes no requests until it is repaired"
                );
                None
            }
        }
    }

    async fn row(&self, org: &Org, name: &str) -> Result<Option<SourceRow>, Error> {
        let mut conn = self.0.store.read().await?;
        Ok(sources::get(&mut conn, org.as_str(), name).await?)
    }

    fn seal(&self, org: &Org, name: &str, secret: &Secret) -> Result<Vec<u8>, Error> {
        let nonce = omni_crypto::random_nonce()
            .map_err(|source| Error::Crypto { name: name.to_owned(), source })?;
        Ok(self.0.sealer.seal(secret.expose(), bound_to(org, name).as_bytes(), nonce))
    }

    fn unseal(&self, org: &Org, name: &str, sealed: &[u8]) -> Result<Secret, Error> {
        let opened = self.0.sealer.open(sealed, bound_to(org, name).as_bytes());
        opened.map_err(|source| Error::Crypto { name: name.to_owned(), source })
    }
}

/// What a sealed secret belongs to, so that it opens in no other row; neither part can hold a `|`.
fn bound_to(org: &Org, name: &str) -> String {
    format!("source|{org}|{name}")
}

fn json(definition: &Definition) -> Result<String, Error> {
    serde_json::to_string(definition)
        .map_err(|source| Error::Unreadable { name: definition.name.clone(), source })
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: usize = self.0.known.load().values().map(HashMap::len).sum();
        f.debug_struct("Sources").field("sources", &sources).finish_non_exhaustive()
    }
}
