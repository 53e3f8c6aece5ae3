//! A campaign: the same fault again and again under load, on one data directory; then everything that was acknowledged
//! must be there, once, and in its place.
//!
//! What was sent but not answered is sent again with the same delivery id, as GitHub does, so a commit whose answer was
//! lost must be recognised.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use omni_clock::{Clock, Random, SystemClock};
use serde_json::{Value, json};

use crate::load::audit::{self, EMITTED};
use crate::load::error::Error;
use crate::load::fault::{self, Database, Fault, Ground};
use crate::load::ledger::Ledger;
use crate::load::outcome::Outcome;
use crate::load::receiver::Receiver;
use crate::load::server::Server;
use crate::load::target::Target;
use crate::load::work::{Load, Shared, lock, send_rest};
use crate::load::{CampaignOptions, Options};

/// Events a second that are offered.
const RATE: u64 = 2000;
/// A round lasts this long at least before its fault, and at most `LIFE_MIN + LIFE_SPREAD` seconds.
const LIFE_MIN: f64 = 0.05;
const LIFE_SPREAD: f64 = 1.45;
/// A server that does not work again this long after its ground is back never will.
const RECOVERY_MAX: Duration = Duration::from_mins(1);
/// Between two looks whether it works again.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// All events must have an outcome this long after the last fault.
const SETTLE_MAX: Duration = Duration::from_mins(2);

/// Runs one campaign. What it leaves is kept when it goes wrong.
pub(crate) async fn run(
    options: &CampaignOptions,
    fault: Fault,
    database: Database,
) -> Result<Outcome, Error> {
    let folder = tempfile::tempdir()?;
    let ground = Ground::prepare(fault, database).await;
    let seed = options.seed.unwrap_or_else(|| Random::from_entropy().next_u64());
    let campaign = Campaign {
        options: &options.options,
        rounds: options.rounds,
        fault,
        folder: folder.path(),
        random: Random::seeded(seed),
        receiver: Receiver::start().await?,
        ledger: Arc::new(Mutex::new(Ledger::create(&folder.path().join("ledger.txt"))?)),
        ground,
        target: None,
        recoveries: Vec::new(),
    };
    let done = campaign.run(seed).await;
    if !done.as_ref().is_ok_and(Outcome::is_clean) {
        // What is in it explains the failure.
        eprintln!("kept for inspection: {}", folder.keep().display());
    }
    done
}

struct Campaign<'a> {
    options: &'a Options,
    rounds: u32,
    fault: Fault,
    folder: &'a Path,
    random: Random,
    receiver: Receiver,
    ledger: Shared,
    ground: Ground,
    target: Option<Target>,
    recoveries: Vec<Duration>,
}

impl Campaign<'_> {
    async fn run(mut self, seed: u64) -> Result<Outcome, Error> {
        let mut server = None;
        for round in 1..=self.rounds {
            let running = match server.take() {
                Some(running) => running,
                None => self.start().await?,
            };
            server = self.round(round, running).await?;
            eprintln!(
                "{}: round {round}/{}: {} acknowledged so far",
                self.fault.name(),
                self.rounds,
                lock(&self.ledger).acks().len()
            );
        }
        let server = match server {
            Some(running) => running,
            None => self.start().await?,
        };
        self.finish(server, seed).await
    }

    /// Starts the server, for the first time or after its end.
    async fn start(&mut self) -> Result<Server, Error> {
        let variables = self.ground.variables();
        let server = Server::start(self.options, self.folder, &variables).await?;
        let target = match self.target.take() {
            None => {
                let target = Target::new(server.addr, &self.random);
                target.create_source().await?;
                target.create_automation(&automation(&self.receiver)).await?;
                target
            }
            Some(known) => known.at(server.addr),
        };
        self.target = Some(target);
        Ok(server)
    }

    /// Loads the server, and lets the fault happen.
    async fn round(&mut self, round: u32, mut server: Server) -> Result<Option<Server>, Error> {
        let Some(target) = &self.target else { return Err(Error::new("no server was started")) };
        lock(&self.ledger).watch();
        let rate = self.options.rate.unwrap_or(RATE);
        let load = Load::start(target, &self.ledger, self.options.connections, rate)?;
        let life = LIFE_MIN + LIFE_SPREAD * self.random.fraction();
        SystemClock::new().sleep(Duration::from_secs_f64(life)).await;
        if !self.fault.kills() {
            let back = self.ground.shake(self.fault, round, &self.random).await;
            lock(&self.ledger).watch();
            let recovered = self.wait_recovered(back, &server).await?;
            self.recoveries.push(recovered);
            load.end().await?;
            lock(&self.ledger).end_round()?;
            return Ok(Some(server));
        }
        // First the word, then the deed: from here on, errors of connections are expected.
        load.announce_end();
        server.kill()?;
        load.end().await?;
        let first = lock(&self.ledger).first_ack();
        if round > 1 {
            self.recoveries.push(first.map_or(server.ready_after, |at| at - server.started));
        }
        lock(&self.ledger).end_round()?;
        if self.fault == Fault::BusDeleted {
            fault::delete_bus(self.folder)?;
        }
        Ok(None)
    }

    /// Waits until the server does again what it could not do: acknowledge, or run actions.
    async fn wait_recovered(&self, back: Instant, server: &Server) -> Result<Duration, Error> {
        let clock = SystemClock::new();
        while back.elapsed() < RECOVERY_MAX {
            let first = match self.fault {
                Fault::NatsGone => self.receiver.first_after(back),
                _ => lock(&self.ledger).first_ack(),
            };
            if let Some(first) = first {
                return Ok(first.saturating_duration_since(back));
            }
            clock.sleep(LOOK_EVERY).await;
        }
        let waited = RECOVERY_MAX.as_secs();
        Err(server.failure(&format!("the server did not recover within {waited} s")))
    }

    /// Lets the server come to rest, and compares.
    async fn finish(mut self, server: Server, seed: u64) -> Result<Outcome, Error> {
        let Some(target) = &self.target else { return Err(Error::new("no round was run")) };
        send_rest(target, &self.ledger).await?;
        let counts = server.settle(SETTLE_MAX).await?;
        let name = self.fault.name();
        eprintln!("{name}: {} events, {} with an outcome", counts.events, counts.outcomes);
        let held = audit::read_all(server.addr).await?;
        let mut outcome = {
            let ledger = lock(&self.ledger);
            let mut verdict = audit::audit(ledger.acks(), &held, &self.receiver.effects());
            verdict.dup_events += ledger.contradictions();
            let (resent, refused) = (ledger.resent(), ledger.refused());
            let (recoveries, rounds) = (std::mem::take(&mut self.recoveries), self.rounds);
            Outcome { name, rounds, verdict, resent, refused, recoveries, seed }
        };
        outcome.recoveries.sort_unstable();
        if outcome.is_clean() {
            server.stop()?;
        }
        Ok(outcome)
    }
}

/// An action that reaches out, and one that makes another event, for a part of what comes in. Neither is tried again: an
/// outage of our own must not be a failure of theirs.
fn automation(receiver: &Receiver) -> Value {
    json!({
        "name": "load", "triggerEventType": "custom.webhook.github.push",
        "triggerConditions": [{ "field": "payload.effect", "operator": "eq", "value": true }],
        "actions": [
            { "type": "webhook",
              "config": { "url": format!("http://{}/effect", receiver.addr) } },
            { "type": "emit_event",
              "config": { "eventType": EMITTED, "payload": { "number": "{{ payload.number }}" } } },
        ],
    })
}
