//! What a log answers when it is full, how large it is then, and how quickly it starts.

use std::{path::Path, time::Instant};

use fastrand::Rng;
use omni_event_bus::EventBus;
use omni_store::Store;

use crate::{
    book::{self, Book},
    events::Events,
    fill::Filled,
    place::{Database, Place},
    probe::{self, Probe},
    product::Product,
    questions::Question,
};

/// How often a question is asked, each time about something else.
const ASKED: usize = 500;
/// Not counted: caches warm up.
const FIRST: usize = 50;
/// How often a start is timed.
const STARTS: usize = 5;
/// Events of a replay, of one organisation; of as many of ten it has seven.
const REPLAYED: u64 = 1_000_000;

/// Everything that is measured on a full store.
pub(crate) async fn measure(
    database: Database,
    (folder, server): (&Path, Option<&str>),
    (events, count): (&Events, u64),
    book: &mut Book,
) {
    let name = database.name();
    let place = Place::new(database, folder, server).await;
    let mut filled = Filled::plan(events, count);
    let started = Instant::now();
    {
        let store = Store::open(&place.location).await.unwrap();
        filled.fill(name, &store).await;
    }
    book.note(&format!("{name}_fill"), "events/s", count as f64 / started.elapsed().as_secs_f64());
    place.settle().await;
    let bytes = place.size().await;
    for (relation, bytes) in place.sizes().await {
        println!("{relation:38} {:>12.1} MB", bytes as f64 / 1e6);
    }
    book.note(&format!("{name}_bytes_per_event"), "bytes", bytes as f64 / count as f64);
    let [payloads, events] = filled.raw_bytes.map(|raw| bytes as f64 / raw as f64);
    book.note(&format!("{name}_bytes_per_payload_byte"), "ratio", payloads);
    book.note(&format!("{name}_bytes_per_raw_byte"), "ratio", events);
    for _ in 0..STARTS {
        let started = probe::ask(Probe::Start, &place, filled.now);
        book.note(&format!("{name}_cold_start_ms"), "ms", started.start_ms);
    }
    questions(name, &place, &filled, book).await;
    let until = filled.at(count.min(REPLAYED * 10 / 7));
    let replayed = probe::ask(Probe::Replay, &place, until);
    book.note(&format!("{name}_replay"), "events/s", replayed.per_second);
    book.note(&format!("{name}_replayed"), "events", replayed.replayed as f64);
    book.note(&format!("{name}_replay_extra_rss"), "MiB", replayed.extra_mib);
    book.note(&format!("{name}_replay_extra_anonymous"), "MiB", replayed.extra_anonymous_mib);
    place.remove().await;
}

async fn questions(name: &str, place: &Place, filled: &Filled, book: &mut Book) {
    let product = Product::over(&place.location, EventBus::temporary().await).await;
    let mut rng = Rng::with_seed(filled.count);
    for question in Question::ALL {
        let (mut waits, mut rows) = (book::histogram(), 0);
        for asked in 0..FIRST + ASKED {
            let about = question.about(filled, &mut rng);
            let started = Instant::now();
            rows += question.ask(&product.log, &about).await;
            if asked >= FIRST {
                book::record(&mut waits, started.elapsed());
            }
        }
        let label = question.name();
        book.latency(&format!("{name}_{label}"), &waits);
        book.note(&format!("{name}_{label}_rows"), "rows", rows as f64 / (FIRST + ASKED) as f64);
    }
}
