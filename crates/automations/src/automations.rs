//! The handle: define automations, look up what they did.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use omni_actions::Actions;
use omni_clock::{Clock, Random};
use omni_events::{Org, TypePattern};
use omni_store::{
    Store,
    automations::{self as rows, AutomationRow},
    executions::{self, Filter, Page},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::{
    Automation, Definition, Error, Execution, Refresher,
    cache::Cache,
    compiled::{Compiled, compile},
};

/// How many callers compare whole definitions at once: they may be hostile, and the threads are for others, too.
const COMPARING_MAX: usize = 2;

/// Defines automations and looks up what they did; a clone is cheap and shares everything.
#[derive(Clone, Debug)]
pub struct Automations {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    actions: Arc<Actions>,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    cache: Cache,
    /// Places for what compares whole definitions in threads: explaining, trying out, linting.
    comparing: Arc<Semaphore>,
    /// Everything that an earlier process received, it received until then.
    opened: DateTime<Utc>,
}

impl Automations {
    /// Opens the automations of the store and compiles those that are on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(
        store: Store,
        actions: Arc<Actions>,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
    ) -> Result<Self, Error> {
        let opened = opened(&store, clock.now()).await?;
        let (cache, comparing) = (Cache::empty(), Arc::new(Semaphore::new(COMPARING_MAX)));
        let inner = Inner { store, actions, clock, random, cache, comparing, opened };
        let automations = Self { inner: Arc::new(inner) };
        automations.reload().await?;
        Ok(automations)
    }

    /// The loop that follows changes made by other replicas.
    pub fn refresher(&self) -> Refresher {
        Refresher(self.clone())
    }

    pub(crate) async fn reload(&self) -> Result<(), omni_store::Error> {
        self.inner.cache.reload(&self.inner.store, &self.inner.actions).await
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.inner.cache
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Waits for a place among what compares whole definitions. Keep it until the work has ended, also when nobody waits for
    /// its answer any more.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.inner.comparing.clone().acquire_owned().await.ok()
    }

    pub(crate) fn actions(&self) -> &Actions {
        &self.inner.actions
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// When this process began; every event that another has handled before was received until then.
    pub(crate) fn opened(&self) -> DateTime<Utc> {
        self.inner.opened
    }

    /// Saves a new automation; it is in force when this returns.
    ///
    /// # Errors
    /// When the definition has faults or the name is taken.
    pub async fn create(
        &self,
        org: &Org,
        definition: Definition,
        by: Option<&str>,
    ) -> Result<Automation, Error> {
        let now = self.inner.clock.now().trunc_subsecs(3);
        let automation = Automation {
            id: self.inner.random.uuid_v7(now),
            org: org.clone(),
            version: 1,
            definition,
            created_at: now,
            updated_at: now,
            created_by: by.map(str::to_owned),
        };
        let compiled = self.compiled(automation.clone())?;
        let change = self.inner.cache.change().await;
        let mut conn = self.inner.store.write().await?;
        rows::insert(&mut conn, &to_row(&automation)).await.map_err(named)?;
        drop(conn);
        change.put(&self.inner.store, compiled).await;
        Ok(automation)
    }

    /// Looks an automation up by its id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, org: &Org, id: Uuid) -> Result<Option<Automation>, Error> {
        let mut conn = self.inner.store.read().await?;
        rows::get(&mut conn, org.as_str(), id).await?.map(from_row).transpose()
    }

    /// Looks an automation up by its name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, org: &Org, name: &str) -> Result<Option<Automation>, Error> {
        let mut conn = self.inner.store.read().await?;
        rows::by_name(&mut conn, org.as_str(), name).await?.map(from_row).transpose()
    }

    /// Lists automations by name, from after the given one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(
        &self,
        org: &Org,
        after_name: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Automation>, Error> {
        let mut conn = self.inner.store.read().await?;
        let found = rows::list(&mut conn, org.as_str(), after_name, limit).await?;
        found.into_iter().map(from_row).collect()
    }

    /// Replaces a definition; the version grows and the old one is kept. `None` when there is no such automation.
    ///
    /// # Errors
    /// When the definition has faults, the name is taken, or `if_version` is not the current version.
    pub async fn update(
        &self,
        org: &Org,
        id: Uuid,
        definition: Definition,
        if_version: Option<i32>,
    ) -> Result<Option<Automation>, Error> {
        let Some(current) = self.get(org, id).await? else { return Ok(None) };
        if if_version.is_some_and(|version| version != current.version) {
            return Err(Error::Stale { current: current.version });
        }
        let automation = Automation {
            version: current.version + 1,
            definition,
            updated_at: self.inner.clock.now().trunc_subsecs(3),
            ..current
        };
        let (row, compiled) = (to_row(&automation), self.compiled(automation.clone())?);
        let change = self.inner.cache.change().await;
        let mut conn = self.inner.store.write().await?;
        let changed = rows::update(&mut conn, &row, row.version - 1).await.map_err(named)?;
        drop(conn);
        if !changed {
            drop(change);
            let found = self.get(org, id).await?;
            return found.map_or(Ok(None), |now| Err(Error::Stale { current: now.version }));
        }
        change.put(&self.inner.store, compiled).await;
        Ok(Some(automation))
    }

    /// Switches an automation on or off; its definition and history stay. `None` when there is no such automation.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_enabled(
        &self,
        org: &Org,
        id: Uuid,
        enabled: bool,
    ) -> Result<Option<Automation>, Error> {
        let now = self.inner.clock.now().trunc_subsecs(3);
        let store = &self.inner.store;
        let change = self.inner.cache.change().await;
        let mut conn = store.write().await?;
        let found = rows::set_enabled(&mut conn, org.as_str(), id, enabled, now).await?;
        let row = if found { rows::get(&mut conn, org.as_str(), id).await? } else { None };
        drop(conn);
        let Some(row) = row else { return Ok(None) };
        let automation = from_row(row)?;
        match self.compiled(automation.clone()) {
            Ok(compiled) => change.put(store, compiled).await,
            // Switching off what does not run any more is no reason to complain, and reading it again says what is wrong.
            Err(_) => change.remove(store, id).await,
        }
        Ok(Some(automation))
    }

    /// Deletes an automation; what it did stays. Returns whether it was there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, org: &Org, id: Uuid) -> Result<bool, Error> {
        let store = &self.inner.store;
        let change = self.inner.cache.change().await;
        let mut conn = store.write().await?;
        let found = rows::delete(&mut conn, org.as_str(), id).await?;
        drop(conn);
        if found {
            change.remove(store, id).await;
        }
        Ok(found)
    }

    /// Lists what automations did, newest first unless the page says otherwise.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn executions(
        &self,
        org: &Org,
        filter: &Filter,
        page: &Page,
    ) -> Result<Vec<Execution>, Error> {
        let mut conn = self.inner.store.read().await?;
        let found = executions::list(&mut conn, org.as_str(), filter, page).await?;
        Ok(found.into_iter().map(Execution::from_row).collect())
    }

    /// Looks one execution up.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn execution(&self, org: &Org, id: Uuid) -> Result<Option<Execution>, Error> {
        let mut conn = self.inner.store.read().await?;
        Ok(executions::get(&mut conn, org.as_str(), id).await?.map(Execution::from_row))
    }

    fn compiled(&self, automation: Automation) -> Result<Compiled, Error> {
        compile(automation, &self.inner.actions).map_err(Error::Invalid)
    }
}

/// The clock may have been set back since an earlier process ran; what that one stamped shows in its last sign of life.
async fn opened(store: &Store, now: DateTime<Utc>) -> Result<DateTime<Utc>, omni_store::Error> {
    let mut conn = store.read().await?;
    let writers = omni_store::outbox::writers(&mut conn).await?;
    Ok(writers.iter().map(|writer| writer.heartbeat_at).fold(now, DateTime::max))
}

fn named(error: omni_store::Error) -> Error {
    match error {
        omni_store::Error::Exists { name, .. } => Error::Exists(name),
        other => Error::Store(other),
    }
}

fn to_row(automation: &Automation) -> AutomationRow {
    let definition = &automation.definition;
    AutomationRow {
        id: automation.id,
        org: automation.org.as_str().to_owned(),
        name: definition.name.clone(),
        version: automation.version,
        enabled: definition.enabled,
        priority: definition.priority,
        trigger_event_type: definition.trigger_event_type.as_str().to_owned(),
        definition: serde_json::to_string(definition).unwrap_or_default(),
        created_at: automation.created_at,
        updated_at: automation.updated_at,
        created_by: automation.created_by.clone(),
    }
}

/// The columns win over the document: switching off changes the column only.
pub(crate) fn from_row(row: AutomationRow) -> Result<Automation, Error> {
    let corrupt = |column, reason: String| {
        Error::Store(omni_store::Error::Corrupt { table: "automations", column, reason })
    };
    let mut definition: Definition = serde_json::from_str(&row.definition)
        .map_err(|error| corrupt("definition", error.to_string()))?;
    definition.enabled = row.enabled;
    definition.trigger_event_type = TypePattern::parse(&row.trigger_event_type)
        .map_err(|error| corrupt("trigger_event_type", error.to_string()))?;
    Ok(Automation {
        id: row.id,
        org: Org::parse(&row.org).map_err(|error| corrupt("org", error.to_string()))?,
        version: row.version,
        definition,
        created_at: row.created_at,
        updated_at: row.updated_at,
        created_by: row.created_by,
    })
}
