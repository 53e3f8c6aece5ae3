//! The load of a campaign: connections that send what is due, note every answer, and expect to be cut off only when a
//! fault was announced.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::load::drive::{self, Ticks};
use crate::load::error::Error;
use crate::load::http::Connection;
use crate::load::ledger::Ledger;
use crate::load::target::{self, Target};

pub(crate) type Shared = Arc<Mutex<Ledger>>;

pub(crate) fn lock(ledger: &Shared) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running load.
#[derive(Debug)]
pub(crate) struct Load {
    ending: CancellationToken,
    tasks: JoinSet<Result<(), Error>>,
}

impl Load {
    /// Opens connections and offers `rate` events a second over all of them.
    pub(crate) fn start(
        target: &Target,
        ledger: &Shared,
        connections: u64,
        rate: u64,
    ) -> Result<Self, Error> {
        let ending = CancellationToken::new();
        let ticks = drive::pace(rate, None)?;
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            let work = Work {
                target: target.clone(),
                ledger: Arc::clone(ledger),
                ticks: Arc::clone(&ticks),
                ending: ending.clone(),
            };
            tasks.spawn(work.run());
        }
        Ok(Self { ending, tasks })
    }

    /// From here on errors of connections are expected, and nothing new is sent.
    pub(crate) fn announce_end(&self) {
        self.ending.cancel();
    }

    /// Waits for what is on the wire.
    pub(crate) async fn end(mut self) -> Result<(), Error> {
        self.announce_end();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// One connection of the load.
struct Work {
    target: Target,
    ledger: Shared,
    ticks: Ticks,
    ending: CancellationToken,
}

impl Work {
    async fn run(self) -> Result<(), Error> {
        match self.send_until_the_end().await {
            Err(error) if !self.ending.is_cancelled() => {
                Err(error.during("while the server was to serve"))
            }
            _ => Ok(()),
        }
    }

    async fn send_until_the_end(&self) -> Result<(), Error> {
        let mut connection = Connection::open(self.target.addr).await?;
        loop {
            tokio::select! {
                biased;
                () = self.ending.cancelled() => return Ok(()),
                tick = drive::next(&self.ticks) => if tick.is_none() { return Ok(()) },
            }
            let number = lock(&self.ledger).take()?;
            deliver(&self.target, &mut connection, &self.ledger, number).await?;
        }
    }
}

/// Sends one number. An answer of "busy" puts it back; any other answer than success is an error.
async fn deliver(
    target: &Target,
    connection: &mut Connection,
    ledger: &Shared,
    number: u64,
) -> Result<(), Error> {
    let answer = connection.ask(&target.request(number)).await?;
    if matches!(answer.second_word(), "429" | "503") {
        lock(ledger).put_back(number);
        return Ok(());
    }
    lock(ledger).acknowledge(number, target::event_id(answer.success()?)?)
}

/// Sends what was never answered, so that in the end everything sent is acknowledged.
pub(crate) async fn send_rest(target: &Target, ledger: &Shared) -> Result<(), Error> {
    let mut connection = Connection::open(target.addr).await?;
    loop {
        let number = lock(ledger).take_again()?;
        let Some(number) = number else { return lock(ledger).end_round() };
        deliver(target, &mut connection, ledger, number).await?;
    }
}
