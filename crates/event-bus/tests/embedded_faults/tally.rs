//! Comparing what the script was told with what its bus holds afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use omni_event_bus::{
    ConsumerConfig, EmbeddedOptions, EventBus, Message, Read, ReadFrom, Start, Stream,
};
use omni_events::SubjectPattern;
use uuid::Uuid;

use crate::run::Run;

/// The id of a message that the script does not publish.
const MARK: u128 = 1 << 100;

/// What became of the messages of some runs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) points: usize,
    pub(crate) acked: usize,
    /// With a receipt and not there, or neither settled nor handed out again.
    pub(crate) lost: usize,
    /// In the stream twice.
    pub(crate) duplicate: usize,
    /// Settled, and handed out again: allowed, for a settlement does not wait for the disk.
    pub(crate) redelivered: usize,
    /// Handed out before an earlier one, or with a sequence that leaves a gap.
    pub(crate) out_of_order: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.points += other.points;
        self.acked += other.acked;
        self.lost += other.lost;
        self.duplicate += other.duplicate;
        self.redelivered += other.redelivered;
        self.out_of_order += other.out_of_order;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { points, acked, lost, duplicate, redelivered, out_of_order } = self;
        write!(
            f,
            "points {points} · acked {acked} · lost {lost} · duplicate effects {duplicate} · \
             redelivered {redelivered} · out of order {out_of_order}"
        )
    }
}

/// What the ledger says.
#[derive(Default)]
struct Ledger {
    /// Message number to sequence.
    receipts: BTreeMap<u128, u64>,
    settled: BTreeSet<u64>,
    rejected: BTreeSet<u64>,
}

impl Ledger {
    fn of(run: &Run) -> Self {
        let mut ledger = Self::default();
        for line in &run.lines {
            let words: Vec<_> = line.split(' ').collect();
            match words.as_slice() {
                ["receipt", number, sequence] => {
                    let (number, sequence) = (number.parse().unwrap(), sequence.parse().unwrap());
                    ledger.receipts.insert(number, sequence);
                }
                ["settle", sequence] => drop(ledger.settled.insert(sequence.parse().unwrap())),
                ["reject", sequence] => drop(ledger.rejected.insert(sequence.parse().unwrap())),
                _ => {}
            }
        }
        ledger
    }
}

fn everything() -> Vec<SubjectPattern> {
    vec![SubjectPattern::parse("custom.>").unwrap()]
}

/// Opens the bus that a run has left, and counts.
pub(crate) async fn of(run: &Run) -> Tally {
    let ledger = Ledger::of(run);
    let mut tally = Tally { points: 1, acked: ledger.receipts.len(), ..Tally::default() };
    let bus = EventBus::embedded(&run.bus, EmbeddedOptions::default()).await.unwrap();
    let stored = stored(&bus).await;
    for (number, sequence) in &ledger.receipts {
        tally.lost += usize::from(stored.get(sequence) != Some(number));
    }
    tally.duplicate = stored.len() - stored.values().collect::<BTreeSet<_>>().len();
    tally.out_of_order =
        (1..).zip(stored.keys()).filter(|(place, sequence)| place != *sequence).count();
    // Whoever has no receipt asks again, and whoever has one gets the same.
    for (number, sequence) in &ledger.receipts {
        let receipts = bus.publish_raw(vec![message(*number)]).await.unwrap();
        let same = receipts[0].duplicate && receipts[0].sequence == *sequence;
        tally.duplicate += usize::from(!same);
    }
    let again = delivered(&bus).await;
    tally.out_of_order += again.windows(2).filter(|pair| pair[0] >= pair[1]).count();
    let again: BTreeSet<_> = again.into_iter().collect();
    let dead = bus.dead_letters(100).await.unwrap();
    let dead: BTreeSet<_> = dead.into_iter().map(|dead| dead.sequence).collect();
    for sequence in stored.keys() {
        let done = ledger.settled.contains(sequence)
            || (ledger.rejected.contains(sequence) && dead.contains(sequence));
        tally.redelivered += usize::from(done && again.contains(sequence));
        tally.lost += usize::from(!done && !again.contains(sequence));
    }
    bus.drain().await.unwrap();
    tally
}

fn message(number: u128) -> Message {
    let id = Uuid::from_u128(number);
    Message { id, subject: "custom.a._._".into(), data: vec![b'x'; 1000].into() }
}

/// Sequence to message number.
async fn stored(bus: &EventBus) -> BTreeMap<u64, u128> {
    let from = ReadFrom::Sequence(1);
    let read = Read { stream: Stream::Custom, from, filters: everything(), max: 200 };
    let page = bus.read(&read).await.unwrap();
    assert_eq!(page.next, None);
    page.messages.into_iter().map(|p| (p.sequence, p.message.id.as_u128())).collect()
}

/// What the consumer of the script is handed out again, in order.
async fn delivered(bus: &EventBus) -> Vec<u64> {
    let config =
        ConsumerConfig { start: Start::First, ..ConsumerConfig::new("script", everything()) };
    let mut consumer = bus.consumer(config).await.unwrap();
    let mark = bus.publish_raw(vec![message(MARK)]).await.unwrap()[0].sequence;
    let mut sequences = Vec::new();
    while sequences.last() != Some(&mark) {
        let batch = consumer.next_batch(100);
        let batch = tokio::time::timeout(Duration::from_secs(20), batch).await.unwrap();
        sequences.extend(batch.iter().map(|delivery| delivery.sequence));
        bus.ack_all(batch).await;
    }
    sequences.pop();
    sequences
}
