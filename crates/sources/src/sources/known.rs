//! The memory: every source compiled, read again only when its row has another version.
//!
//! What must stay true: an older reading never replaces a newer one, and a source whose row did not change stays the very
//! same, because it counts what it takes and refuses.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwap;
use omni_events::Org;
use omni_store::sources::{self, SourceRow, SourceVersion};
use uuid::Uuid;

use super::{Sources, definition};
use crate::{Error, compiled::Compiled};

/// What is in memory.
#[derive(Debug, Default)]
pub(super) struct Known {
    map: ArcSwap<Map>,
    /// The revision of the table that all of it was read at, or later.
    revision: AtomicI64,
    /// Held while reading, so that an older reading never replaces a newer one.
    reading: tokio::sync::Mutex<()>,
}

/// Shared per organisation, so that a change copies the names of one organisation only.
type Map = HashMap<Org, Arc<HashMap<Arc<str>, Entry>>>;

#[derive(Clone, Debug)]
struct Entry {
    id: Uuid,
    version: i32,
    /// `None` for one that cannot be used, such as with a secret under another key.
    source: Option<Arc<Compiled>>,
}

/// What is known of a source that somebody sends to.
pub(crate) enum Found {
    /// There is no such source, or it is disabled.
    Nothing,
    /// There is one, but it cannot be used until somebody repairs it.
    Broken,
    /// There is one.
    Ready(Arc<Compiled>),
}

impl Known {
    pub(super) fn count(&self) -> usize {
        self.map.load().values().map(|named| named.len()).sum()
    }
}

impl Sources {
    /// Looks a source up in memory.
    pub(crate) fn find(&self, org: &Org, name: &str) -> Found {
        match self.0.known.map.load().get(org).and_then(|named| named.get(name)) {
            Some(Entry { source: None, .. }) => Found::Broken,
            Some(Entry { source: Some(source), .. }) if source.enabled => {
                Found::Ready(Arc::clone(source))
            }
            Some(_) | None => Found::Nothing,
        }
    }

    /// The source of this name as it is in memory, also a disabled one.
    pub(super) fn compiled(&self, org: &Org, name: &str) -> Option<Arc<Compiled>> {
        self.0.known.map.load().get(org)?.get(name)?.source.clone()
    }

    /// All sources of an organisation that can be used, by name.
    pub(super) fn all_compiled(&self, org: &Org) -> Vec<Arc<Compiled>> {
        let map = self.0.known.map.load();
        let named = map.get(org).into_iter().flat_map(|named| named.values());
        let mut all: Vec<Arc<Compiled>> = named.filter_map(|entry| entry.source.clone()).collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Reads what changed if anything did.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let mut conn = self.0.store.read().await?;
        let revision = sources::revision(&mut conn).await?;
        drop(conn);
        if revision == self.0.known.revision.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.reload().await
    }

    /// Reads what changed, found by the versions of all.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        let _one_at_a_time = self.0.known.reading.lock().await;
        let mut conn = self.0.store.read().await?;
        // The revision comes first: a change between the two reads is then read once more, not missed.
        let revision = sources::revision(&mut conn).await?;
        let versions = sources::versions(&mut conn).await?;
        let before = self.0.known.map.load_full();
        let is_known = |version: &&SourceVersion| same(&before, version).is_some();
        let (kept, changed): (Vec<_>, Vec<_>) = versions.iter().partition(is_known);
        let changed: Vec<Uuid> = changed.into_iter().map(|version| version.id).collect();
        let mut rows = Vec::new();
        for some in changed.chunks(sources::SOME) {
            rows.extend(sources::some(&mut conn, some).await?);
        }
        drop(conn);
        let mut map: HashMap<Org, HashMap<Arc<str>, Entry>> = HashMap::new();
        for version in kept {
            let Some((org, name, entry)) = same(&before, version) else { continue };
            map.entry(org.clone()).or_default().insert(Arc::clone(name), entry.clone());
        }
        for row in rows {
            let Ok(org) = Org::parse(&row.org) else { continue };
            let entry = self.entry(&org, &row);
            map.entry(org).or_default().insert(row.name.into(), entry);
        }
        let map = map.into_iter().map(|(org, named)| (org, Arc::new(named))).collect();
        self.0.known.map.store(Arc::new(map));
        self.0.known.revision.store(revision, Ordering::Relaxed);
        Ok(())
    }

    /// Reads one source after a change through this handle.
    ///
    /// The write is done and cannot be taken back, so a failure here only delays what other replicas see late anyway.
    pub(super) async fn reload_one(&self, org: &Org, name: &str) {
        let read = async {
            let _one_at_a_time = self.0.known.reading.lock().await;
            let row = self.row(org, name).await?;
            let mut map = Map::clone(&self.0.known.map.load());
            let named = Arc::make_mut(map.entry(org.clone()).or_default());
            match row {
                None => drop(named.remove(name)),
                Some(row) => {
                    let old = named.get(name);
                    if old.is_none_or(|old| (old.id, old.version) != (row.id, row.version)) {
                        let entry = self.entry(org, &row);
                        named.insert(name.into(), entry);
                    }
                }
            }
            self.0.known.map.store(Arc::new(map));
            Ok::<(), Error>(())
        };
        if let Err(error) = read.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "sources not reread");
        }
    }

    fn entry(&self, org: &Org, row: &SourceRow) -> Entry {
        let prepared = || -> Result<Compiled, Error> {
            let definition = definition(row)?;
            let mut secrets = self.secrets(org, row)?;
            let before = self.compiled(org, &row.name);
            if let Some(before) = &before {
                secrets.remember(&before.secrets);
            }
            let mut source = Compiled::new(org, &definition, secrets).map_err(Error::Invalid)?;
            if let Some(before) = &before {
                source.succeed(before);
            }
            Ok(source)
        };
        let source = prepared().map(Arc::new).inspect_err(|error| {
            let (org, source) = (org.as_str(), &row.name);
            let error = error as &dyn std::error::Error;
            tracing::error!(org, source, error, "source takes no requests until it is repaired");
        });
        Entry { id: row.id, version: row.version, source: source.ok() }
    }
}

/// The entry of a source, if it has this version in memory.
fn same<'m>(map: &'m Map, version: &SourceVersion) -> Option<(&'m Org, &'m Arc<str>, &'m Entry)> {
    let org = Org::parse(&version.org).ok()?;
    let (org, named) = map.get_key_value(&org)?;
    let (name, entry) = named.get_key_value(version.name.as_str())?;
    ((entry.id, entry.version) == (version.id, version.version)).then_some((org, name, entry))
}
