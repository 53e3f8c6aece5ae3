//! How many events the log takes in, and beside it how many the same engine takes by hand.
//!
//! By hand: transactions of 64 rows, each a key and the bytes of a payload, into a table without any other index. The log
//! also writes its columns, indexes, keys and captures, and publishes every event on the bus.

use std::{
    path::Path,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use omni_event_log::{Draft, EventLog};
use omni_events::EventType;
use omni_store::Location;
use tokio::task::JoinSet;

use crate::{
    book::Book,
    events::Events,
    meter::{Meter, Rate},
    place::{self, Database, Place},
    product::Product,
};

/// Callers that append at once, each one event at a time; rows of a transaction by hand.
const CALLERS: usize = 64;
/// So many different events are written in advance; more than the caches next to a core hold.
const WRITTEN: u64 = 8192;

/// What comes with an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Nothing but its payload, as a program appends it.
    Plain,
    /// Everything that deliveries and messages have: keys, captures, provider ids, persons, instances, texts.
    Whole,
}

impl Mix {
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Whole];

    fn figure(self) -> &'static str {
        match self {
            Self::Plain => "append",
            Self::Whole => "append_whole",
        }
    }
}

/// Drafts without end: taking one is a copy with a delivery id of its own.
pub(crate) struct Drafts {
    mix: Mix,
    events: Events,
    written: Vec<Draft>,
    next: AtomicU64,
}

impl Drafts {
    pub(crate) fn new(events: &Events, mix: Mix) -> Self {
        let mut written: Vec<_> = (0..WRITTEN).map(|number| events.draft(number)).collect();
        if mix == Mix::Plain {
            for draft in &mut written {
                let (org, payload) = (draft.metadata.org.clone(), draft.payload.clone());
                // Of a type of one's own: a message would be read for what it says.
                let event_type = EventType::parse("custom.order.paid").unwrap();
                *draft = Draft::new(org, event_type, "api", payload);
            }
        }
        Self { mix, events: events.clone(), written, next: AtomicU64::new(WRITTEN) }
    }

    fn take(&self) -> Draft {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut draft = self.written[(number % WRITTEN) as usize].clone();
        self.events.rename(&mut draft, number);
        draft
    }

    fn body(&self, number: i64) -> &[u8] {
        self.written[number as usize % self.written.len()].payload.as_bytes()
    }
}

/// One round on one database: by hand, then the log.
pub(crate) async fn round(
    database: Database,
    (folder, server): (&Path, Option<&str>),
    drafts: &Arc<Drafts>,
    time: Duration,
    book: &mut Book,
) {
    let place = Place::new(database, folder, server).await;
    let raw = by_hand(&place.location, drafts, time).await;
    place.remove().await;
    let place = Place::new(database, folder, server).await;
    let ours = log(&place, drafts, time).await;
    place.remove().await;
    let (name, figure) = (database.name(), drafts.mix.figure());
    book.pair(
        &format!("{name}_{figure}_vs_raw"),
        (&format!("{name}_{figure}_per_s"), ours),
        (&format!("{name}_{figure}_raw_per_s"), raw),
    );
}

/// Appends so many events in a process that is to be measured later.
pub(crate) async fn warm_up(log: &EventLog, events: &Events, count: u64) {
    let drafts = Arc::new(Drafts::new(events, Mix::Whole));
    let mut tasks = JoinSet::new();
    for _ in 0..CALLERS {
        let (log, drafts) = (log.clone(), Arc::clone(&drafts));
        tasks.spawn(async move {
            for _ in 0..count / CALLERS as u64 {
                log.append(drafts.take()).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
}

async fn log(place: &Place, drafts: &Arc<Drafts>, time: Duration) -> Rate {
    let server = process(&place.location).await;
    let mut product = Product::open(&place.location, place.folder.path()).await;
    let running = product.run();
    let meter = Arc::new(Meter::default());
    let mut tasks = JoinSet::new();
    for _ in 0..CALLERS {
        let (meter, drafts, log) = (Arc::clone(&meter), Arc::clone(drafts), product.log.clone());
        tasks.spawn(async move {
            while !meter.is_over() {
                assert!(!log.append(drafts.take()).await.unwrap().repeat);
                meter.add(1);
            }
        });
    }
    let rate = meter.run(time, server, tasks).await;
    assert_eq!(product.log.stats().appended, meter.done());
    running.end(product).await;
    rate
}

async fn by_hand(location: &Location, drafts: &Arc<Drafts>, time: Duration) -> Rate {
    let server = process(location).await;
    let meter = Arc::new(Meter::default());
    let mut tasks = JoinSet::new();
    let (counted, drafts) = (Arc::clone(&meter), Arc::clone(drafts));
    match location.clone() {
        Location::Sqlite(path) => {
            tasks.spawn_blocking(move || sqlite_by_hand(&path, &drafts, &counted));
        }
        Location::Postgres(url) => {
            tasks.spawn(async move { postgres_by_hand(&url, &drafts, &counted).await });
        }
    }
    meter.run(time, server, tasks).await
}

/// With the settings of the product.
fn sqlite_by_hand(path: &Path, drafts: &Drafts, meter: &Meter) {
    let mut lite = rusqlite::Connection::open(path).unwrap();
    lite.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = wal; PRAGMA synchronous = full;
         PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8192;
         CREATE TABLE raw (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;",
    )
    .unwrap();
    let mut number = 0;
    while !meter.is_over() {
        let transaction = lite.transaction().unwrap();
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO raw (number, body) VALUES (?, ?)").unwrap();
            for _ in 0..CALLERS {
                insert.execute((number, drafts.body(number))).unwrap();
                number += 1;
            }
        }
        transaction.commit().unwrap();
        meter.add(CALLERS);
    }
}

/// One statement for the rows of a transaction, which is the quickest way in.
async fn postgres_by_hand(url: &str, drafts: &Drafts, meter: &Meter) {
    let client = place::connect(url).await;
    let table = "CREATE TABLE raw (number BIGINT PRIMARY KEY, body BYTEA NOT NULL)";
    client.batch_execute(table).await.unwrap();
    let insert = "INSERT INTO raw SELECT * FROM unnest($1::bigint[], $2::bytea[])";
    let insert = client.prepare(insert).await.unwrap();
    let mut number = 0;
    while !meter.is_over() {
        let numbers: Vec<i64> = (number..number + CALLERS as i64).collect();
        let bodies: Vec<&[u8]> = numbers.iter().map(|number| drafts.body(*number)).collect();
        client.execute(&insert, &[&numbers, &bodies]).await.unwrap();
        number += CALLERS as i64;
        meter.add(CALLERS);
    }
}

async fn process(location: &Location) -> Option<u32> {
    match location {
        Location::Sqlite(_) => None,
        Location::Postgres(url) => Some(place::server_process(url).await),
    }
}
