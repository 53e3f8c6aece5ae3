//! `omni-load schedules`: ten thousand schedules. What they cost while none is due, and how late they fire when all are.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike as _, SecondsFormat, TimeDelta, Timelike as _, Utc};
use hdrhistogram::Histogram;
use omni_clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::load::Options;
use crate::load::error::Error;
use crate::load::http::{Connection, Message, rest};
use crate::load::report::{self, Figure, histogram, millis};
use crate::load::server::Server;

/// How many schedules there are, as in the bars.
const COUNT: u64 = 10_000;
/// How long the server is watched while nothing is due.
const QUIET: Duration = Duration::from_secs(20);
/// What a server does after so many definitions were saved is over after this.
const REST: Duration = Duration::from_secs(5);
/// All are due within this.
const MINUTE: Duration = Duration::from_mins(1);
/// From the last definition that is saved to the first instant, at least.
const LEAD: Duration = Duration::from_secs(5);
/// Every fire has come so long after its instant, or is counted as lost.
const LATE_MAX: Duration = Duration::from_mins(1);
/// Events of a page.
const PAGE: usize = 500;
/// The type of all events of a part is this with its name behind.
const TYPE: &str = "custom.bench";

pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let clock = SystemClock::new();

    eprintln!("schedules: saving {COUNT} that are due next year …");
    let far = clock.now() + TimeDelta::days(330);
    let saving = Instant::now();
    save(&server, options.connections, |index| definition(index, far, "far", Spread::Minute), true)
        .await?;
    let saving = saving.elapsed();
    server.settle(LATE_MAX).await?;
    clock.sleep(REST).await;

    eprintln!("schedules: nothing is due, {} s …", QUIET.as_secs());
    let (cpu, watched) = (server.cpu_micros()?, Instant::now());
    clock.sleep(QUIET).await;
    let cpu = server.cpu_micros()? - cpu;
    let idle = cpu as f64 / watched.elapsed().as_micros() as f64 * 100.0;

    let spread = part(&server, options, Spread::Minute, saving).await?;
    let at_once = part(&server, options, Spread::Second, saving).await?;
    server.stop()?;

    let per_second = COUNT as f64 / saving.as_secs_f64();
    let mut figures = vec![
        Figure::new("schedules: saved", per_second, "/s"),
        Figure::new("schedules: server CPU, none due", idle, "% core").at_most(5.0),
    ];
    for (name, is_minute, (lateness, cpu)) in
        [("in one minute", true, spread), ("at one second", false, at_once)]
    {
        let late = |what| format!("schedules: {COUNT} {name}, late {what}");
        let p99 = Figure::new(late("p99"), millis(&lateness, 99.0), "ms");
        let cpu = cpu as f64 / COUNT as f64;
        figures.extend([
            Figure::new(late("p50"), millis(&lateness, 50.0), "ms"),
            // How long the fires of one second take is only told: the bar is for a minute.
            if is_minute { p99.at_most(250.0) } else { p99 },
            Figure::new(late("max"), lateness.max() as f64 / 1000.0, "ms"),
            Figure::new(format!("schedules: {COUNT} {name}, server CPU"), cpu, "µs/fire"),
        ]);
    }
    report::publish(&figures, options.json.as_deref())
}

/// How the instants lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// Evenly over a minute: to the millisecond for those of kind `once`, to the second for cron.
    Minute,
    /// All at the same second.
    Second,
}

/// Makes all schedules due and answers how late each fired, in microseconds, and the CPU time that it took.
async fn part(
    server: &Server,
    options: &Options,
    spread: Spread,
    saving: Duration,
) -> Result<(Histogram<u64>, u64), Error> {
    let clock = SystemClock::new();
    // Saving took so long the first time.
    let lead = saving * 2 + LEAD;
    let base = whole_second(clock.now() + TimeDelta::from_std(lead).unwrap_or_default());
    let kind = if spread == Spread::Minute { "minute" } else { "second" };
    eprintln!("schedules: all {COUNT} due in one {kind}, from {base} on …");
    save(server, options.connections, |index| definition(index, base, kind, spread), false).await?;
    if clock.now() + TimeDelta::seconds(1) > base {
        return Err(Error::new("saving took so long that the first instants have passed"));
    }
    let until = base - clock.now() - TimeDelta::milliseconds(500);
    clock.sleep(until.to_std().unwrap_or_default()).await;
    let cpu = server.cpu_micros()?;
    let fires = if spread == Spread::Minute { MINUTE } else { Duration::ZERO };
    let end = clock.elapsed() + fires + LATE_MAX;
    clock.sleep(fires).await;
    let held = loop {
        let held = server.settle(LATE_MAX).await?;
        let found =
            rest(server.addr, &format!("/api/events?type={TYPE}.{kind}&limit=1"), None).await?;
        let has_some = found.get("items").and_then(Value::as_array).is_some_and(|i| !i.is_empty());
        let expected = if spread == Spread::Minute { COUNT } else { 2 * COUNT };
        if (has_some && held.events >= expected) || clock.elapsed() > end {
            break held;
        }
        clock.sleep(Duration::from_millis(250)).await;
    };
    let cpu = server.cpu_micros()? - cpu;
    let lateness = read(server, kind, base, spread).await?;
    eprintln!("schedules: {} events in all, each schedule fired once", held.events);
    Ok((lateness, cpu))
}

/// Half of them are cron expressions in different zones, half are single instants.
fn definition(index: u64, base: DateTime<Utc>, kind: &str, spread: Spread) -> Value {
    let at = instant(index, base, spread);
    let mut definition = json!({
        "name": name(index), "eventType": format!("{TYPE}.{kind}"),
        "payload": { "n": index, "at": "{{ fire.nominal }}" },
    });
    if is_cron(index) {
        let (month, day) = (at.month(), at.day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        definition["kind"] = json!("cron");
        definition["schedule"] = json!(format!("{second} {minute} {hour} {day} {month} *"));
    } else {
        definition["kind"] = json!("once");
        definition["at"] = json!(at.to_rfc3339_opts(SecondsFormat::Millis, true));
    }
    definition
}

fn name(index: u64) -> String {
    format!("s{index:05}")
}

fn is_cron(index: u64) -> bool {
    index.is_multiple_of(2)
}

/// When a schedule is due.
fn instant(index: u64, base: DateTime<Utc>, spread: Spread) -> DateTime<Utc> {
    if spread == Spread::Second {
        return base;
    }
    let into = TimeDelta::milliseconds((index * 60_000 / COUNT) as i64);
    let at = base + into;
    if is_cron(index) { whole_second(at) } else { at }
}

fn whole_second(time: DateTime<Utc>) -> DateTime<Utc> {
    time.with_nanosecond(0).unwrap_or(time)
}

/// Creates or replaces all of them over several connections.
async fn save(
    server: &Server,
    connections: u64,
    definition: impl Fn(u64) -> Value,
    is_new: bool,
) -> Result<(), Error> {
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(
        (0..COUNT).map(|index| request(server, index, &definition(index), is_new)).collect(),
    );
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (addr, requests, next) = (server.addr, Arc::clone(&requests), Arc::clone(&next));
        tasks.spawn(async move {
            let mut connection = Connection::open(addr).await?;
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                connection.ask(request).await.and_then(Message::success)?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done?.map_err(|error| error.during("saving schedules"))?;
    }
    Ok(())
}

fn request(server: &Server, index: u64, definition: &Value, is_new: bool) -> Vec<u8> {
    let (addr, body) = (server.addr, definition.to_string());
    let line = if is_new {
        "POST /api/schedules".to_owned()
    } else {
        format!("PUT /api/schedules/{}", name(index))
    };
    format!(
        "{line} HTTP/1.1\r\nHost: {addr}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads all events of a part. An error unless each schedule fired exactly once, for its instant and not before it.
async fn read(
    server: &Server,
    kind: &str,
    base: DateTime<Utc>,
    spread: Spread,
) -> Result<Histogram<u64>, Error> {
    let mut lateness = histogram()?;
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/events?type={TYPE}.{kind}&limit={PAGE}{cursor}");
        let page = rest(server.addr, &path, None).await?;
        for event in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            let index = event.pointer("/payload/n").and_then(Value::as_u64);
            let wrong = || Error::new(format!("an event of no schedule: {event}"));
            let index = index.ok_or_else(wrong)?;
            *seen.entry(name(index)).or_default() += 1;
            let (nominal, received) = (time(event, "time")?, time(event, "receivedAt")?);
            if nominal != instant(index, base, spread) || received < nominal {
                let due = instant(index, base, spread);
                return Err(Error::new(format!("{} is due at {due}: {event}", name(index))));
            }
            let late = (received - nominal).num_microseconds().unwrap_or(i64::MAX);
            lateness.saturating_record(late.unsigned_abs());
        }
        match page.get("nextCursor").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let twice = seen.values().filter(|count| **count > 1).count();
    let lost = COUNT - seen.len() as u64;
    if lost > 0 || twice > 0 {
        let what =
            format!("{lost} of {COUNT} schedules did not fire, {twice} fired more than once");
        return Err(server.failure(&what));
    }
    Ok(lateness)
}

fn time(event: &Value, member: &str) -> Result<DateTime<Utc>, Error> {
    let text = event.get(member).and_then(Value::as_str).unwrap_or_default();
    let parsed = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    parsed.map_err(|error| Error::new(format!("{member} {text:?} of an event: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_fill_one_minute_and_fit_their_definitions() {
        let base = DateTime::parse_from_rfc3339("2026-11-21T10:00:30Z").unwrap().to_utc();
        let all: Vec<_> = (0..COUNT).map(|index| instant(index, base, Spread::Minute)).collect();
        assert_eq!(all[0], base);
        assert!(all.iter().all(|at| *at >= base && *at < base + TimeDelta::minutes(1)));
        assert!(all.iter().max() > Some(&(base + TimeDelta::milliseconds(59_900))));
        let cron = definition(2000, base, "minute", Spread::Minute);
        assert_eq!(cron["schedule"], "42 0 10 21 11 *");
        let once = definition(9999, base, "minute", Spread::Minute);
        assert_eq!(once["at"], "2026-11-21T10:01:29.994Z");
        assert_eq!(definition(7, base, "second", Spread::Second)["at"], "2026-11-21T10:00:30.000Z");
    }
}
