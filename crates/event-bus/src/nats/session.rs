//! What everything on one bus has in common: the connection, the names, the settings, the state.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client,
    jetstream::{self, Context},
};
use omni_clock::{Clock, Random};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};
use tokio_util::sync::CancellationToken;

use super::{
    NatsOptions,
    connect::Recipe,
    errors,
    health::Monitor,
    names::Names,
    probe::{Server, probe},
    streams,
};
use crate::{Error, Limits};

/// How long a missing stream is left missing.
const HEAL_AFTER: Duration = Duration::from_millis(500);

/// One session with the server. The connection is made again by itself when it is lost.
#[derive(Debug)]
pub(crate) struct Session {
    /// For all but publishing; what is sent while it is lost is sent when it is back.
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    pub(crate) names: Names,
    pub(crate) limits: Limits,
    pub(crate) replicas: usize,
    pub(crate) server: Server,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<Random>,
    pub(crate) monitor: Monitor,
    /// Cancelled when the bus is drained or dropped.
    pub(crate) closing: CancellationToken,
    /// The servers, for people.
    pub(crate) shown: String,
    /// Read while something is published, written while streams are made: what is published in order must not find
    /// its stream missing at first and there later.
    gate: Arc<RwLock<()>>,
    /// How often streams were made again.
    healed: AtomicU64,
}

impl Session {
    /// Connects, asks the server what it is, and makes the streams.
    pub(crate) async fn open(options: NatsOptions, recipe: &Recipe) -> Result<Self, Error> {
        let NatsOptions { prefix, replicas, limits, clock, random, .. } = options;
        let names = Names::new(prefix.as_deref())
            .map_err(|reason| Error::Connect { url: recipe.shown.clone(), reason })?;
        let monitor = Monitor::new();
        let client = recipe.connect(&monitor).await?;
        let jetstream = jetstream::new(client.clone());
        let server = probe(&client, &jetstream, &recipe.shown).await?;
        let session = Self {
            client,
            jetstream,
            names,
            limits,
            replicas,
            server,
            clock,
            random,
            monitor,
            closing: CancellationToken::new(),
            shown: recipe.shown.clone(),
            gate: Arc::default(),
            healed: AtomicU64::new(0),
        };
        streams::ensure(&session).await?;
        Ok(session)
    }

    /// Fails when the connection is lost, for questions that should not wait until it is back.
    pub(crate) fn reachable(&self) -> Result<(), Error> {
        if self.closing.is_cancelled() {
            return Err(Error::Closed);
        }
        if self.monitor.is_up() {
            return Ok(());
        }
        Err(errors::lost())
    }

    /// Held while something is published.
    pub(crate) async fn publishing(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.gate).read_owned().await
    }

    /// A number that changes when streams are made again; for [`Session::heal`].
    pub(crate) fn healed(&self) -> u64 {
        self.healed.load(Ordering::Acquire)
    }

    /// Makes missing streams and buckets again, unless somebody did so since `seen` was read.
    ///
    /// For whoever finds that one is missing. It waits until nothing is being published.
    pub(crate) async fn heal(&self, seen: u64) -> Result<(), Error> {
        let _gate = self.gate.write().await;
        if self.healed() != seen {
            return Ok(());
        }
        // A server removes the files of a deleted stream after it has said so, and with them those of a new stream of that
        // name if it is made too soon.
        self.clock.sleep(HEAL_AFTER).await;
        self.reachable()?;
        tokio::select! {
            ensured = streams::ensure(self) => ensured?,
            () = self.monitor.lost() => self.reachable()?,
        }
        self.healed.store(seen + 1, Ordering::Release);
        Ok(())
    }

    /// Lets running publishers finish, sends what waits, and closes. Consumers must have stopped before.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        let _gate = self.gate.write().await;
        self.closing.cancel();
        if !self.monitor.is_up() {
            // What waits cannot be sent; settlements that are lost bring their messages back.
            return Ok(());
        }
        self.client.flush().await.map_err(Error::backend("send the last settlements"))
    }
}
