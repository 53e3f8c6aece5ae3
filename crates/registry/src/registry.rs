//! The handle: types by organisation, in memory, replaced as a whole when they are read again.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use jsonschema::Validator;
use omni_clock::Clock;
use omni_event_bus::Stream;
use omni_events::{Domain, EventType, Org, Payload};
use omni_store::{Store, schemas, schemas::SchemaRow};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    Error, Refresher, Refused, Routes, Validation, Violation, nearby, routes, schema, seed,
};

/// The owner of the built-in types, which all organisations share; no organisation can have this name.
pub(crate) const SHARED: &str = "*";

/// Every event type that is known here. Clones share one cache.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    types: ArcSwap<Types>,
    /// The revision of the table that `types` was read at, or later.
    revision: AtomicI64,
    /// Held while rereading, so that an older reading never replaces a newer one.
    reloading: tokio::sync::Mutex<()>,
    unknown_custom: AtomicU64,
    routes: watch::Sender<Routes>,
}

/// Owner → type → its latest version.
type Types = HashMap<String, HashMap<String, Arc<Entry>>>;

struct Entry {
    info: TypeInfo,
    /// None when checks are off, or the stored schema does not compile.
    validator: Option<Validator>,
}

/// What is known about one event type.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeInfo {
    /// The type.
    pub event_type: String,
    /// What it tells, in one sentence.
    pub description: Option<String>,
    /// The latest version of its schema.
    pub version: i32,
    /// JSON Schema of the payload.
    pub schema: Value,
    /// How strictly payloads are checked.
    pub validation: Validation,
    /// Whether it comes with the product and is shared by all organisations.
    pub built_in: bool,
    /// The stream its owner wants its events in, if not that of its domain; [`Registry::stream_of`] says where they go.
    #[serde(skip)]
    pub stream: Option<Stream>,
}

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
            routes: watch::Sender::default(),
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
        let version = entry.info.version;
        // The tree is built only here: most events have no schema and stay bytes.
        let warnings = match &entry.validator {
            Some(validator) => schema::violations(validator, &payload.to_value()),
            None => Vec::new(),
        };
        if entry.info.validation == Validation::Enforce && !warnings.is_empty() {
            let event_type = event_type.as_str().to_owned();
            return Err(Refused::Invalid { event_type, version, violations: warnings });
        }
        Ok(Checked { schema_version: Some(version), warnings })
    }

    fn unregistered(&self, types: &Types, event_type: &EventType) -> Result<Checked, Refused> {
        if event_type.domain() == Domain::Custom {
            self.0.unknown_custom.fetch_add(1, Ordering::Relaxed);
            return Ok(Checked::default());
        }
        let known = types.get(SHARED).into_iter().flatten().map(|(name, _)| name.as_str());
        Err(Refused::UnknownType {
            near: nearby::near(event_type.as_str(), known),
            event_type: event_type.as_str().to_owned(),
        })
    }

    /// The types an organisation can use, by name.
    pub fn types(&self, org: &Org) -> Vec<TypeInfo> {
        let types = self.0.types.load();
        let owned = types.get(org.as_str()).into_iter().flatten();
        let mut all: Vec<&Arc<Entry>> = owned
            .filter(|(name, _)| !types.get(SHARED).is_some_and(|shared| shared.contains_key(*name)))
            .chain(types.get(SHARED).into_iter().flatten())
            .map(|(_, entry)| entry)
            .collect();
        all.sort_unstable_by(|a, b| a.info.event_type.cmp(&b.info.event_type));
        all.into_iter().map(|entry| entry.info.clone()).collect()
    }

    /// One type, if the organisation can use it.
    pub fn get(&self, org: &Org, event_type: &str) -> Option<TypeInfo> {
        find(&self.0.types.load(), org, event_type).map(|entry| entry.info.clone())
    }

    /// How many events of `custom.` types without a schema were taken since the start.
    pub fn unknown_custom(&self) -> u64 {
        self.0.unknown_custom.load(Ordering::Relaxed)
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
        others.find_map(|(_, owned)| owned.get(event_type)?.info.stream)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// Reads the types again if any changed.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let mut conn = self.0.store.read().await?;
        let revision = schemas::revision(&mut conn).await?;
        drop(conn);
        if revision == self.0.revision.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.reload().await
    }

    /// Reads all types again; what did not change keeps its compiled validator.
    async fn reload(&self) -> Result<(), Error> {
        let _one_at_a_time = self.0.reloading.lock().await;
        let mut conn = self.0.store.read().await?;
        // The revision comes first: a change between the two reads is then read once more, not missed.
        let revision = schemas::revision(&mut conn).await?;
        let rows = schemas::all(&mut conn).await?;
        drop(conn);
        let routes = Routes::of(&rows);
        let before = self.0.types.load_full();
        let mut types = Types::new();
        for row in latest(rows) {
            let known = before.get(&row.org).and_then(|owned| owned.get(&row.event_type));
            let entry = match known {
                Some(entry) if entry.is(&row) => Arc::clone(entry),
                _ => Arc::new(Entry::of(&row)),
            };
            types.entry(row.org).or_default().insert(row.event_type, entry);
        }
        self.0.types.store(Arc::new(types));
        self.0.routes.send_if_modified(|known| {
            let changed = *known != routes;
            *known = routes;
            changed
        });
        self.0.revision.store(revision, Ordering::Relaxed);
        Ok(())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types: usize = self.0.types.load().values().map(HashMap::len).sum();
        f.debug_struct("Registry").field("types", &types).finish_non_exhaustive()
    }
}

impl Entry {
    fn of(row: &SchemaRow) -> Self {
        let validation = Validation::stored(&row.validation);
        let schema: Value = serde_json::from_str(&row.schema).unwrap_or(Value::Bool(true));
        let validator = match (validation, schema::compile(&schema)) {
            (Validation::Off, _) => None,
            (_, Ok(validator)) => Some(validator),
            (_, Err(reason)) => {
                // Only possible when a row was written past this crate: refusing its events would lose them.
                let (event_type, version) = (&row.event_type, row.version);
                tracing::error!(event_type, version, reason, "stored schema is not checked");
                None
            }
        };
        let info = TypeInfo {
            event_type: row.event_type.clone(),
            description: row.description.clone(),
            version: row.version,
            schema,
            validation,
            built_in: row.org == SHARED,
            stream: routes::chosen(row),
        };
        Self { info, validator }
    }

    /// Whether this was made of such a row; a version's schema never changes, the rest may.
    fn is(&self, row: &SchemaRow) -> bool {
        self.info.version == row.version
            && self.info.validation == Validation::stored(&row.validation)
            && self.info.description == row.description
            && self.info.stream == routes::chosen(row)
    }
}

/// A built-in type comes first, so that no tenant can loosen what all others rely on.
fn find<'a>(types: &'a Types, org: &Org, event_type: &str) -> Option<&'a Arc<Entry>> {
    let of = |owner: &str| types.get(owner).and_then(|owned| owned.get(event_type));
    of(SHARED).or_else(|| of(org.as_str()))
}

/// Of each type of each owner, the row with the highest version.
fn latest(rows: Vec<SchemaRow>) -> impl Iterator<Item = SchemaRow> {
    let mut latest: HashMap<(String, String), SchemaRow> = HashMap::new();
    for row in rows {
        let key = (row.org.clone(), row.event_type.clone());
        match latest.get(&key) {
            Some(kept) if kept.version >= row.version => {}
            _ => drop(latest.insert(key, row)),
        }
    }
    latest.into_values()
}
