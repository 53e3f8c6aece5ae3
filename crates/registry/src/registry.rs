//! The handle: types by organisation, in memory, replaced as a whole when some have changed.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use omni_clock::Clock;
use omni_event_bus::Stream;
use omni_events::{Domain, EventType, Org, Payload};
use omni_schema::Violation;
use omni_store::{Store, schemas};
use tokio::sync::{Semaphore, watch};

use crate::{
    Error, Refresher, Refused, Routes, TypeInfo, Validation, entry::Entry, nearby, routes, seed,
    stored::WALKS_MAX,
};

/// The owner of the built-in types, which all organisations share; no organisation can have this name.
pub(crate) const SHARED: &str = "*";
/// Longest name, in bytes, for which near ones are looked for among all types.
const NEAR_LEN_MAX: usize = 64;

/// Every event type that is known here. Clones share one cache.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    types: ArcSwap<Types>,
    /// The highest revision of all types that were read.
    revision: AtomicI64,
    /// Held while rereading, so that an older reading never replaces a newer one.
    reloading: tokio::sync::Mutex<()>,
    unknown_custom: AtomicU64,
    warned: AtomicU64,
    routes: watch::Sender<Routes>,
    /// Walks through stored events that may go on at once.
    walks: Semaphore,
}

/// Owner → type. A change makes only the types of its owner anew.
type Types = HashMap<String, Arc<HashMap<String, Arc<Entry>>>>;

/// An event that may enter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The version of the schema that was looked at, if the type has one.
    pub schema_version: Option<i32>,
    /// Faults of a type that only warns.
    pub warnings: Vec<Violation>,
}

impl Registry {
    /// Seeds the built-in types into the store and reads all types.
    ///
    /// # Errors
    /// When the store cannot be written or read.
    pub async fn open(store: Store, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        seed::core_types(&store, &*clock).await?;
        let registry = Self(Arc::new(Inner {
            store,
            clock,
            types: ArcSwap::default(),
            revision: AtomicI64::new(0),
            reloading: tokio::sync::Mutex::default(),
            unknown_custom: AtomicU64::new(0),
            warned: AtomicU64::new(0),
            routes: watch::Sender::default(),
            walks: Semaphore::new(WALKS_MAX),
        }));
        registry.reload().await?;
        Ok(registry)
    }

    /// Decides whether an event may enter, by its type and payload. Reads memory only.
    ///
    /// # Errors
    /// [`Refused::UnknownType`] for an unregistered type outside `custom.`, [`Refused::Invalid`] for a payload that
    /// does not fit a type that enforces its schema.
    pub fn check(
        &self,
        org: &Org,
        event_type: &EventType,
        payload: &Payload,
    ) -> Result<Checked, Refused> {
        let types = self.0.types.load();
        let Some(entry) = find(&types, org, event_type.as_str()) else {
            return self.unregistered(&types, event_type);
        };
        let (version, validation) = (entry.row.latest, entry.validation());
        // The tree is built only here: most events have no schema and stay bytes.
        let schema = if validation == Validation::Off { None } else { entry.schema() };
        let warnings = schema
            .map(|schema| schema.validator().violations(&payload.to_value()))
            .unwrap_or_default();
        if validation == Validation::Enforce && !warnings.is_empty() {
            let event_type = event_type.as_str().to_owned();
            return Err(Refused::Invalid { event_type, version, violations: warnings });
        }
        if !warnings.is_empty() {
            self.0.warned.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Checked { schema_version: Some(version), warnings })
    }

    fn unregistered(&self, types: &Types, event_type: &EventType) -> Result<Checked, Refused> {
        if event_type.domain() == Domain::Custom {
            self.0.unknown_custom.fetch_add(1, Ordering::Relaxed);
            return Ok(Checked::default());
        }
        let known = owned(types, SHARED).map(|(name, _)| name.as_str());
        Err(Refused::UnknownType {
            near: nearby::near(event_type.as_str(), known),
            event_type: event_type.as_str().to_owned(),
        })
    }

    /// The types an organisation can use, by name.
    pub fn types(&self, org: &Org) -> Vec<TypeInfo> {
        let types = self.0.types.load();
        let mut all: Vec<&Arc<Entry>> = owned(&types, org.as_str())
            .filter(|(name, _)| !types.get(SHARED).is_some_and(|shared| shared.contains_key(*name)))
            .chain(owned(&types, SHARED))
            .map(|(_, entry)| entry)
            .filter(|entry| !entry.is_deleted())
            .collect();
        all.sort_unstable_by(|a, b| a.row.event_type.cmp(&b.row.event_type));
        all.into_iter().map(|entry| entry.info()).collect()
    }

    /// The types of a namespace that an organisation can use, by name: of `custom.order`, all that begin with
    /// `custom.order.`, and itself.
    pub fn types_in(&self, org: &Org, namespace: &str) -> Vec<TypeInfo> {
        let mut types = self.types(org);
        types.retain(|info| {
            let rest = info.event_type.strip_prefix(namespace);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        types
    }

    /// One type, if the organisation can use it.
    pub fn get(&self, org: &Org, event_type: &str) -> Option<TypeInfo> {
        find(&self.0.types.load(), org, event_type).map(|entry| entry.info())
    }

    /// Names of types that the organisation can use and that come near this one, nearest first: for whoever asked for a
    /// type that is not there.
    pub fn near(&self, org: &Org, event_type: &str) -> Vec<String> {
        // The work grows with the square of the length, and a name that long is no typing error.
        if event_type.len() > NEAR_LEN_MAX {
            return Vec::new();
        }
        let types = self.0.types.load();
        let known = owned(&types, SHARED).chain(owned(&types, org.as_str()));
        let known = known.filter(|(_, entry)| !entry.is_deleted()).map(|(name, _)| name.as_str());
        nearby::near(event_type, known)
    }

    /// How many events of `custom.` types without a schema were taken since the start.
    pub fn unknown_custom(&self) -> u64 {
        self.0.unknown_custom.load(Ordering::Relaxed)
    }

    /// How many events that do not fit the schema of their type were taken since the start, because it only warns.
    pub fn warned(&self) -> u64 {
        self.0.warned.load(Ordering::Relaxed)
    }

    /// The loop that keeps the cache fresh; run one per process.
    pub fn refresher(&self) -> Refresher {
        Refresher::new(self.clone())
    }

    /// The stream that events of a type go to: that of its domain, unless it was registered with another one.
    pub fn stream_of(&self, event_type: &EventType) -> Stream {
        let routes = self.0.routes.borrow();
        routes
            .by_type
            .get(event_type.as_str())
            .copied()
            .unwrap_or_else(|| routes::default(event_type))
    }

    /// The types that go to another stream than that of their domain, now and whenever that changes.
    ///
    /// Hand them to [`EventBus::set_routes`](omni_event_bus::EventBus::set_routes) at the start and after each change.
    pub fn routes(&self) -> watch::Receiver<Routes> {
        self.0.routes.subscribe()
    }

    /// The stream that an organisation other than this one has chosen for a type.
    pub(crate) fn chosen_by_others(&self, org: &Org, event_type: &str) -> Option<Stream> {
        let types = self.0.types.load();
        let mut others = types.iter().filter(|(owner, _)| *owner != org.as_str());
        others.find_map(|(_, owned)| {
            let entry = owned.get(event_type).filter(|entry| !entry.is_deleted())?;
            routes::chosen(&entry.row)
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn walks(&self) -> &Semaphore {
        &self.0.walks
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// Reads the types again if any changed; whoever hears of a change calls it, and [`Refresher`] by the clock.
    ///
    /// # Errors
    /// When the store cannot be read; what is known stays in use.
    pub async fn refresh(&self) -> Result<(), Error> {
        let mut conn = self.0.store.read().await?;
        let revision = schemas::revision(&mut conn).await?;
        drop(conn);
        if revision == self.0.revision.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.reload().await
    }

    /// Reads what changed since it was last read.
    async fn reload(&self) -> Result<(), Error> {
        let _one_at_a_time = self.0.reloading.lock().await;
        let seen = self.0.revision.load(Ordering::Relaxed);
        let mut conn = self.0.store.read().await?;
        let changed = schemas::changed_since(&mut conn, seen).await?;
        drop(conn);
        let Some(newest) = changed.iter().map(|(row, _)| row.revision).max() else {
            return Ok(());
        };
        let mut types = Types::clone(&self.0.types.load());
        let may_reroute = changed.iter().any(|(row, _)| routes::may_matter(row));
        for (row, schema) in changed {
            let owned = Arc::make_mut(types.entry(row.org.clone()).or_default());
            owned.insert(row.event_type.clone(), Arc::new(Entry::of(row, schema)));
        }
        let types = Arc::new(types);
        self.0.types.store(types.clone());
        if may_reroute {
            let all = types.values().flat_map(|owned| owned.values());
            let routes = Routes::of(all.map(|entry| &entry.row));
            self.0.routes.send_if_modified(|known| {
                let changed = *known != routes;
                *known = routes;
                changed
            });
        }
        self.0.revision.store(newest, Ordering::Relaxed);
        Ok(())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types: usize = self.0.types.load().values().map(|owned| owned.len()).sum();
        f.debug_struct("Registry").field("types", &types).finish_non_exhaustive()
    }
}

fn owned<'a>(types: &'a Types, owner: &str) -> impl Iterator<Item = (&'a String, &'a Arc<Entry>)> {
    types.get(owner).into_iter().flat_map(|owned| owned.iter())
}

/// A built-in type comes first, so that no tenant can loosen what all others rely on.
fn find<'a>(types: &'a Types, org: &Org, event_type: &str) -> Option<&'a Arc<Entry>> {
    let of = |owner: &str| {
        let entry = types.get(owner).and_then(|owned| owned.get(event_type));
        entry.filter(|entry| !entry.is_deleted())
    };
    of(SHARED).or_else(|| of(org.as_str()))
}
