//! `omni-load kill`: the server is killed under load at random moments, again and again, on one
//! data directory; then everything that was acknowledged must be there, once.
//!
//! What was sent but not answered before a kill is sent again after it with the same delivery id,
//! as GitHub does, so a commit whose answer was lost must be recognised.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_clock::{Clock, Random, SystemClock};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::load::KillOptions;
use crate::load::audit::{self, EMITTED, Verdict};
use crate::load::drive::{self, Ticks};
use crate::load::error::Error;
use crate::load::http::Connection;
use crate::load::ledger::Ledger;
use crate::load::receiver::Receiver;
use crate::load::report::{self, Figure};
use crate::load::server::Server;
use crate::load::target::{self, Target};

/// Events a second that are offered until the kill.
const RATE: u64 = 2000;
/// The server lives this long at least under load, and at most `LIFE_MIN + LIFE_SPREAD`.
const LIFE_MIN: f64 = 0.05;
const LIFE_SPREAD: f64 = 1.45;
/// All events must have an outcome this long after the last start.
const SETTLE_MAX: Duration = Duration::from_mins(1);

type Shared = Arc<Mutex<Ledger>>;

pub(crate) async fn run(kill: &KillOptions) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let done = campaign(kill, folder.path()).await;
    if done.is_err() {
        // What is in it explains the failure.
        eprintln!("kept for inspection: {}", folder.keep().display());
    }
    done
}

async fn campaign(kill: &KillOptions, folder: &Path) -> Result<(), Error> {
    let seed = kill.seed.unwrap_or_else(|| Random::from_entropy().next_u64());
    let random = Random::seeded(seed);
    let receiver = Receiver::start().await?;
    let ledger = Arc::new(Mutex::new(Ledger::create(&folder.join("ledger.txt"))?));
    let mut target = None::<Target>;
    let mut recoveries = Vec::new();
    for round in 1..=kill.rounds {
        let server = Server::start(&kill.options, folder).await?;
        let aim = match target.take() {
            None => set_up(&server, &random, &receiver).await?,
            Some(known) => {
                recoveries.push(server.ready_after);
                known.at(server.addr)
            }
        };
        let life = Duration::from_secs_f64(LIFE_MIN + LIFE_SPREAD * random.fraction());
        one_life(kill, server, &aim, &ledger, life).await?;
        eprintln!(
            "kill: round {round}/{}: lived {:.2} s, {} acknowledged so far",
            kill.rounds,
            life.as_secs_f64(),
            lock(&ledger).acknowledged().len()
        );
        target = Some(aim);
    }
    let server = Server::start(&kill.options, folder).await?;
    recoveries.push(server.ready_after);
    let Some(aim) = target else { return Err(Error::new("no round was run")) };
    send_rest(&aim.at(server.addr), &ledger).await?;
    let counts = server.settle(SETTLE_MAX).await?;
    eprintln!("kill: {} events, {} with an outcome", counts.events, counts.outcomes);
    let held = audit::read_all(server.addr).await?;
    let (verdict, resent) = {
        let ledger = lock(&ledger);
        let mut verdict = audit::audit(ledger.acknowledged(), &held, &receiver.effects());
        verdict.dup_events += ledger.contradictions();
        (verdict, ledger.resent())
    };
    let clean = verdict.is_clean();
    if clean {
        server.stop()?;
    }
    recoveries.sort_unstable();
    publish(kill, &verdict, resent, &recoveries, seed)?;
    if clean { Ok(()) } else { Err(Error::new("the server broke a promise, see above")) }
}

async fn set_up(server: &Server, random: &Random, receiver: &Receiver) -> Result<Target, Error> {
    let target = Target::new(server.addr, random);
    target.create_source().await?;
    target.create_automation(&automation(receiver)).await?;
    Ok(target)
}

fn automation(receiver: &Receiver) -> Value {
    json!({
        "name": "load", "triggerEventType": "custom.webhook.github.push",
        "triggerConditions": [{ "field": "payload.effect", "operator": "eq", "value": true }],
        "actions": [
            { "type": "webhook", "config": { "url": format!("http://{}/effect", receiver.addr) } },
            { "type": "emit_event",
              "config": { "eventType": EMITTED, "payload": { "number": "{{ payload.number }}" } } },
        ],
    })
}

/// Loads the server and kills it when its life is over.
async fn one_life(
    kill: &KillOptions,
    mut server: Server,
    target: &Target,
    ledger: &Shared,
    life: Duration,
) -> Result<(), Error> {
    let dying = CancellationToken::new();
    let ticks = drive::pace(kill.options.rate.unwrap_or(RATE), None)?;
    let mut tasks = JoinSet::new();
    for _ in 0..kill.options.connections {
        let work = Work {
            target: target.clone(),
            ledger: Arc::clone(ledger),
            ticks: Arc::clone(&ticks),
            dying: dying.clone(),
        };
        tasks.spawn(work.run());
    }
    drop(ticks);
    SystemClock::new().sleep(life).await;
    // First the word, then the deed: from here on, errors of connections are expected.
    dying.cancel();
    server.kill()?;
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    lock(ledger).end_round()
}

/// One connection of the load.
struct Work {
    target: Target,
    ledger: Shared,
    ticks: Ticks,
    dying: CancellationToken,
}

impl Work {
    async fn run(self) -> Result<(), Error> {
        match self.send_until_dead().await {
            Err(error) if !self.dying.is_cancelled() => {
                Err(error.during("before the server was killed"))
            }
            _ => Ok(()),
        }
    }

    async fn send_until_dead(&self) -> Result<(), Error> {
        let mut connection = Connection::open(self.target.addr).await?;
        loop {
            tokio::select! {
                biased;
                () = self.dying.cancelled() => return Ok(()),
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
async fn send_rest(target: &Target, ledger: &Shared) -> Result<(), Error> {
    let mut connection = Connection::open(target.addr).await?;
    loop {
        let number = lock(ledger).take_again()?;
        let Some(number) = number else { return lock(ledger).end_round() };
        deliver(target, &mut connection, ledger, number).await?;
    }
}

fn publish(
    kill: &KillOptions,
    verdict: &Verdict,
    resent: u64,
    recoveries: &[Duration],
    seed: u64,
) -> Result<(), Error> {
    let millis = |at: usize| recoveries.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    let (p50, max) = (millis(recoveries.len() / 2), millis(recoveries.len().saturating_sub(1)));
    let count = |name, count: u64| Figure::new(format!("kill: {name}"), count as f64, "");
    let none = |name, number| count(name, number).at_most(0.0);
    let figures = [
        count("rounds", u64::from(kill.rounds)),
        count("acknowledged", verdict.acknowledged),
        none("lost", verdict.lost),
        none("stuck", verdict.stuck),
        none("deliveries that became two events", verdict.dup_events),
        none("effects under two keys or emitted twice", verdict.dup_effects),
        none("effects that did not happen", verdict.missing_effects),
        count("effects repeated under their key", verdict.redelivered),
        count("deliveries sent again", resent),
        Figure::new("kill: recovery p50", p50, "ms"),
        Figure::new("kill: recovery max", max, "ms"),
    ];
    report::publish(&figures, kill.options.json.as_deref())?;
    println!(
        "acked {} · lost {} · dup-effects {} · redelivered {} · stuck {} · \
         recovery {p50:.0}/{max:.0} ms · seed {seed}",
        verdict.acknowledged,
        verdict.lost,
        verdict.dup_events + verdict.dup_effects + verdict.missing_effects,
        verdict.redelivered,
        verdict.stuck,
    );
    Ok(())
}

fn lock(ledger: &Shared) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
