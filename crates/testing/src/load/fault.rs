//! What a campaign does to the server, or to what the server stands on, and how it heals again.

use std::path::Path;
use std::time::{Duration, Instant};

use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::testing::NatsServer;
use omni_store::testing::{PostgresServer, Stop};

use crate::load::error::Error;

/// How long what the server stands on is away: from this long to `AWAY_MIN + AWAY_SPREAD` seconds.
const AWAY_MIN: f64 = 0.05;
const AWAY_SPREAD: f64 = 0.95;
/// Every so many outages the NATS server comes back without its data: after the second, so that a short run has it too.
const FORGETS_EVERY: u32 = 5;
const FORGETS_FIRST: u32 = 2;

/// Where the server keeps its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Database {
    /// In its directory.
    Sqlite,
    /// On a PostgreSQL of its own.
    Postgres,
}

/// What is done in every round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server is killed.
    Kill,
    /// The server is killed, and its embedded bus is deleted.
    BusDeleted,
    /// PostgreSQL is restarted: in turns it sends its clients away, and crashes.
    PostgresRestarted,
    /// NATS is killed and comes back, sometimes without its data.
    NatsGone,
}

impl Fault {
    /// What figures and progress are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::BusDeleted => "bus deleted",
            Self::PostgresRestarted => "postgres",
            Self::NatsGone => "nats",
        }
    }

    /// Whether the server itself dies of it.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::Kill | Self::BusDeleted)
    }
}

/// What the server stands on.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    postgres: Option<PostgresServer>,
    nats: Option<NatsServer>,
}

impl Ground {
    /// Starts what a campaign needs.
    pub(crate) async fn prepare(fault: Fault, database: Database) -> Self {
        let mut ground = Self::default();
        if database == Database::Postgres || fault == Fault::PostgresRestarted {
            ground.postgres = Some(PostgresServer::start().await);
        }
        if fault == Fault::NatsGone {
            ground.nats = Some(NatsServer::start().await);
        }
        ground
    }

    /// How the server finds it.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let postgres = self.postgres.iter().map(|server| ("OMNI_DATABASE_URL", server.url()));
        let nats = self.nats.iter().map(|server| ("OMNI_NATS_URL", server.url()));
        postgres.chain(nats).collect()
    }

    /// Takes away what a fault takes away and brings it back; answers when it was back.
    pub(crate) async fn shake(&mut self, fault: Fault, round: u32, random: &Random) -> Instant {
        let away = Duration::from_secs_f64(AWAY_MIN + AWAY_SPREAD * random.fraction());
        if let (Fault::PostgresRestarted, Some(server)) = (fault, &mut self.postgres) {
            server.stop(if round % 2 == 1 { Stop::Fast } else { Stop::Immediate }).await;
            SystemClock::new().sleep(away).await;
            server.start_again().await;
        }
        if let (Fault::NatsGone, Some(server)) = (fault, &mut self.nats) {
            server.kill().await;
            SystemClock::new().sleep(away).await;
            if round % FORGETS_EVERY == FORGETS_FIRST {
                server.delete_data().await;
            }
            server.restart().await;
        }
        Instant::now()
    }
}

/// Deletes the embedded bus of a server that does not run.
pub(crate) fn delete_bus(folder: &Path) -> Result<(), Error> {
    let mut deleted = 0;
    for entry in std::fs::read_dir(folder.join("data"))? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b"bus.") {
            std::fs::remove_file(entry.path())?;
            deleted += 1;
        }
    }
    // Otherwise this would be an ordinary kill, and nobody would notice.
    if deleted == 0 {
        return Err(Error::new("the data directory has no files of the bus to delete"));
    }
    Ok(())
}
