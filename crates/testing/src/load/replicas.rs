//! `omni-load replicas`: three servers fire a thousand schedules from one database while they are killed in turns; every
//! instant must have become exactly one event.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use omni_clock::{Clock as _, Random, SystemClock};
use serde_json::{Value, json};

use crate::load::CampaignOptions;
use crate::load::error::Error;
use crate::load::fault::{Database, Fault, Ground};
use crate::load::http::{Connection, rest};
use crate::load::report::{self, Figure};
use crate::load::server::Server;

const REPLICAS: usize = 3;
const SCHEDULES: u64 = 1000;
/// Each schedule fires so often.
const INTERVAL_MS: u64 = 5000;
/// A round lasts this long at least before a server is killed, and at most `LIFE_MIN + LIFE_SPREAD` seconds.
const LIFE_MIN: f64 = 0.2;
const LIFE_SPREAD: f64 = 2.3;
/// Every event must have an outcome this long after the last fire.
const SETTLE_MAX: Duration = Duration::from_mins(2);
/// Events of a page.
const PAGE: usize = 500;
const TYPE: &str = "custom.bench.replicas";

/// Which instants of a schedule became events, and how many each.
type Fires = BTreeMap<DateTime<Utc>, u64>;

pub(crate) async fn run(options: &CampaignOptions) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    // The replicas share a database and a bus, as they do at scale.
    let ground = Ground::prepare(Fault::NatsGone, Database::Postgres).await;
    let done = campaign(options, folder.path(), &ground).await;
    if done.is_err() {
        eprintln!("kept for inspection: {}", folder.keep().display());
    }
    done
}

async fn campaign(options: &CampaignOptions, folder: &Path, ground: &Ground) -> Result<(), Error> {
    let seed = options.seed.unwrap_or_else(|| Random::from_entropy().next_u64());
    let (random, clock) = (Random::seeded(seed), SystemClock::new());
    let start = async |replica: usize| {
        let own = folder.join(format!("replica-{replica}"));
        std::fs::create_dir_all(&own)?;
        Server::start(&options.options, &own, &ground.variables()).await
    };
    let mut servers = Vec::new();
    for replica in 0..REPLICAS {
        servers.push(start(replica).await?);
    }
    eprintln!("replicas: saving {SCHEDULES} schedules …");
    save(&servers[0], Save::New).await?;
    let saved = clock.now();
    for round in 1..=options.rounds {
        let life = LIFE_MIN + LIFE_SPREAD * random.fraction();
        clock.sleep(Duration::from_secs_f64(life)).await;
        let victim = (random.next_u64() % REPLICAS as u64) as usize;
        servers[victim].kill()?;
        servers[victim] = start(victim).await?;
        eprintln!("replicas: round {round}/{}: killed replica {victim}", options.rounds);
    }
    clock.sleep(Duration::from_millis(INTERVAL_MS)).await;
    let killed = clock.now();
    // What is decided when they are switched off is still fired.
    save(&servers[0], Save::Off).await?;
    servers[0].settle(SETTLE_MAX).await?;
    let fires = read(&servers[1]).await?;
    for server in servers {
        server.stop()?;
    }
    judge(options, seed, &fires, saved, killed)
}

/// Says what came of it; an error unless each instant between the two times fired once.
fn judge(
    options: &CampaignOptions,
    seed: u64,
    fires: &BTreeMap<u64, Fires>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), Error> {
    let (mut missing, mut twice, mut right) = (0, 0, 0);
    for schedule in 0..SCHEDULES {
        let none = Fires::new();
        let fires = fires.get(&schedule).unwrap_or(&none);
        twice += fires.values().filter(|count| **count > 1).count() as u64;
        let due = instants(schedule, from, until);
        let lost = due.iter().filter(|at| !fires.contains_key(at)).count() as u64;
        missing += lost;
        right += due.len() as u64 - lost;
    }
    let figure =
        |what: &str, count: u64| Figure::new(format!("replicas: {what}"), count as f64, "");
    let figures = [
        figure("servers", REPLICAS as u64),
        figure("schedules", SCHEDULES),
        figure("kills", u64::from(options.rounds)),
        figure("instants fired", right),
        figure("instants that did not fire", missing).at_most(0.0),
        figure("instants that fired twice", twice).at_most(0.0),
    ];
    report::publish(&figures, options.options.json.as_deref())?;
    eprintln!("replicas: seed {seed}");
    if missing + twice > 0 {
        return Err(Error::new("an instant did not fire exactly once, see above"));
    }
    Ok(())
}

/// The instants of a schedule after one time and not after another.
fn instants(schedule: u64, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let (interval, phase) = (INTERVAL_MS as i64, phase(schedule) as i64);
    let number = |time: DateTime<Utc>| (time.timestamp_millis() - phase).div_euclid(interval);
    (number(from) + 1..=number(until))
        .filter_map(|number| DateTime::from_timestamp_millis(number * interval + phase))
        .collect()
}

/// They are spread evenly, so that a replica that dies always has some in hand.
fn phase(schedule: u64) -> u64 {
    schedule * INTERVAL_MS / SCHEDULES
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Save {
    New,
    Off,
}

async fn save(server: &Server, save: Save) -> Result<(), Error> {
    let mut connection = Connection::open(server.addr).await?;
    for schedule in 0..SCHEDULES {
        let (line, body) = match save {
            Save::New => ("POST /api/schedules".to_owned(), definition(schedule).to_string()),
            Save::Off => (format!("POST /api/schedules/r{schedule:04}/disable"), String::new()),
        };
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            server.addr,
            body.len()
        );
        let answer = connection.ask(request.as_bytes()).await?;
        answer.success().map_err(|error| error.during("saving schedules"))?;
    }
    Ok(())
}

fn definition(schedule: u64) -> Value {
    json!({
        "name": format!("r{schedule:04}"), "kind": "interval", "intervalMs": INTERVAL_MS,
        "phaseMs": phase(schedule), "catchup": "all", "overlap": "allowAll",
        "eventType": TYPE, "payload": { "n": schedule },
    })
}

async fn read(server: &Server) -> Result<BTreeMap<u64, Fires>, Error> {
    let mut fires: BTreeMap<u64, Fires> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/events?type={TYPE}&limit={PAGE}{cursor}");
        let page = rest(server.addr, &path, None).await?;
        for event in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            let schedule = event.pointer("/payload/n").and_then(Value::as_u64);
            let at = event.get("time").and_then(Value::as_str);
            let at = at.and_then(|at| DateTime::parse_from_rfc3339(at).ok());
            let (Some(schedule), Some(at)) = (schedule, at) else {
                return Err(Error::new(format!("an event of no schedule: {event}")));
            };
            *fires.entry(schedule).or_default().entry(at.to_utc()).or_default() += 1;
        }
        match page.get("nextCursor").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(fires),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_those_of_the_definition() {
        let time = |ms| DateTime::from_timestamp_millis(ms).unwrap();
        let base = 1_800_000_000_000;
        assert_eq!(
            instants(10, time(base), time(base + 2 * INTERVAL_MS as i64)),
            [time(base + 50), time(base + 5050)]
        );
        assert_eq!(instants(0, time(base), time(base + 5000)), [time(base + 5000)]);
        assert_eq!(phase(SCHEDULES - 1), 4995);
    }
}
