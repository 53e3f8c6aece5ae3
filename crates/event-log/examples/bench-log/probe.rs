//! What only a fresh process can tell: how long it takes to start on a full store, and how much memory a replay takes.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use omni_clock::{Clock, SystemClock};
use omni_event_log::{REPLAY_RATE_MAX, ReplaySelection, ReplaySpec};
use omni_events::Org;
use omni_store::{
    Location,
    events::{Filter, Page},
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{append, events::Events, place::Place, product::Product};

/// A process that has done nothing for so long is idle.
const IDLE: Duration = Duration::from_secs(1);
/// Events that it took in before: idle is a process with full caches, and not one that has never worked.
const WARM_UP: u64 = 64_000;
/// How often a replay is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a fresh process is to find out.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Probe {
    Start,
    Replay,
}

/// What it has found out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// From the first line of the program to the first answer.
    pub(crate) start_ms: f64,
    /// Events that were brought back.
    pub(crate) replayed: u64,
    pub(crate) per_second: f64,
    /// Memory at the most, above what the process had before, in MiB: all of it, and without what is mapped from files.
    pub(crate) extra_mib: f64,
    pub(crate) extra_anonymous_mib: f64,
}

/// Lets a fresh process look at a place; it replays what was received before a moment.
pub(crate) fn ask(probe: Probe, place: &Place, until: DateTime<Utc>) -> Finding {
    let location = match &place.location {
        Location::Sqlite(path) => path.display().to_string(),
        Location::Postgres(url) => url.clone(),
    };
    let probe = clap::ValueEnum::to_possible_value(&probe).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--probe", probe.get_name(), "--location", &location])
        .args(["--until", &until.to_rfc3339(), "--folder"])
        .arg(place.folder.path())
        .output()
        .unwrap();
    let (said, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complaint}");
    serde_json::from_str(&said).unwrap()
}

/// The fresh process: finds out, and prints it.
pub(crate) async fn run(
    probe: Probe,
    (location, folder): (&str, &Path),
    events: &Events,
    until: DateTime<Utc>,
) {
    let started = Instant::now();
    let location = if location.starts_with("postgres") {
        Location::Postgres(location.to_owned())
    } else {
        Location::Sqlite(location.into())
    };
    let folder = TempDir::new_in(folder).unwrap();
    let product = Product::open(&location, folder.path()).await;
    let page = Page { after: None, limit: 50, ascending: false };
    let first = product.log.list(&Org::default(), &Filter::default(), &page).await.unwrap();
    assert!(!first.is_empty());
    let start_ms = started.elapsed().as_secs_f64() * 1e3;
    let mut finding = Finding { start_ms, ..Finding::default() };
    match probe {
        Probe::Start => drop(product),
        Probe::Replay => replay(product, events, until, &mut finding).await,
    }
    println!("{}", serde_json::to_string(&finding).unwrap());
    folder.close().unwrap();
}

/// Replays through the whole log: read from the store, appended as new events, published on the bus. Nobody takes them
/// from there: what automations need is not what is measured.
async fn replay(
    mut product: Product,
    events: &Events,
    until: DateTime<Utc>,
    finding: &mut Finding,
) {
    let (running, clock, stop) = (product.run(), SystemClock::new(), CancellationToken::new());
    let replays = product.log.replays();
    let runner = tokio::spawn(replays.runner().run(stop.clone()));
    append::warm_up(&product.log, events, WARM_UP).await;
    clock.sleep(IDLE).await;
    // From here on the kernel notes the highest.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (idle, idle_anonymous) = (memory("VmRSS:"), memory("RssAnon:"));
    let (mut anonymous, started) = (idle_anonymous, Instant::now());
    let spec = ReplaySpec {
        selection: ReplaySelection { to: Some(until), ..ReplaySelection::default() },
        automation_id: None,
        repeat_effects: false,
        rate_per_second: REPLAY_RATE_MAX,
    };
    let org = Org::default();
    let job = replays.start(&org, &spec, None, None).await.unwrap();
    let row = loop {
        let now = replays.get(&org, job.row.id).await.unwrap().unwrap().row;
        anonymous = memory("RssAnon:").max(anonymous);
        if now.finished_at.is_some() {
            break now;
        }
        clock.sleep(LOOK_EVERY).await;
    };
    assert!(row.error.is_none() && row.failed == 0 && row.done > 0, "{row:?}");
    finding.replayed = row.done as u64;
    finding.per_second = row.done as f64 / started.elapsed().as_secs_f64();
    finding.extra_mib = memory("VmHWM:") - idle;
    finding.extra_anonymous_mib = anonymous - idle_anonymous;
    stop.cancel();
    runner.await.unwrap();
    running.end(product).await;
}

/// A line of `/proc/self/status`, in MiB.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    kib.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
