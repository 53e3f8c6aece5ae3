//! What was sent and what was acknowledged, in memory and on disk. It is the truth against which a
//! killed server is audited, so it is written before it is relied on.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use crate::load::error::Error;

/// Numbers sent, numbers acknowledged, and the file with both.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: BufWriter<File>,
    next: u64,
    /// To be sent again, oldest first: sent once, but the server died before it answered.
    again: VecDeque<u64>,
    /// On the wire now.
    open: BTreeSet<u64>,
    /// Of what was never acknowledged: how many acknowledgements there were when it was first sent.
    sent_after: HashMap<u64, usize>,
    acks: Vec<Ack>,
    /// Places in `acks` by number.
    acknowledged: HashMap<u64, usize>,
    first_ack: Option<Instant>,
    resent: u64,
    refused: u64,
    contradictions: u64,
}

/// The first acknowledgement of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) event_id: String,
    /// How many acknowledgements there were when the number was first sent: those events are older.
    pub(crate) sent_after: usize,
}

impl Ledger {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            file: BufWriter::new(File::create(path)?),
            next: 1,
            again: VecDeque::new(),
            open: BTreeSet::new(),
            sent_after: HashMap::new(),
            acks: Vec::new(),
            acknowledged: HashMap::new(),
            first_ack: None,
            resent: 0,
            refused: 0,
            contradictions: 0,
        })
    }

    /// The number to send now: one that was never answered, or else a new one.
    pub(crate) fn take(&mut self) -> Result<u64, Error> {
        if let Some(number) = self.take_again()? {
            return Ok(number);
        }
        let number = self.next;
        self.next += 1;
        self.send(number)?;
        Ok(number)
    }

    /// A number that was never answered, if there is one.
    pub(crate) fn take_again(&mut self) -> Result<Option<u64>, Error> {
        let Some(number) = self.again.pop_front() else { return Ok(None) };
        self.resent += 1;
        self.send(number)?;
        Ok(Some(number))
    }

    fn send(&mut self, number: u64) -> Result<(), Error> {
        self.open.insert(number);
        self.sent_after.entry(number).or_insert(self.acks.len());
        Ok(writeln!(self.file, "sent {number}")?)
    }

    /// The server answered with an event id.
    pub(crate) fn acknowledge(&mut self, number: u64, event_id: String) -> Result<(), Error> {
        self.open.remove(&number);
        writeln!(self.file, "acknowledged {number} {event_id}")?;
        self.first_ack.get_or_insert_with(Instant::now);
        if let Some(place) = self.acknowledged.get(&number) {
            self.contradictions += u64::from(self.acks[*place].event_id != event_id);
            return Ok(());
        }
        let sent_after = self.sent_after.remove(&number).unwrap_or_default();
        self.acknowledged.insert(number, self.acks.len());
        self.acks.push(Ack { event_id, sent_after });
        Ok(())
    }

    /// The server is dead: what was open must be sent again. Syncs the file.
    pub(crate) fn end_round(&mut self) -> Result<(), Error> {
        let open = std::mem::take(&mut self.open);
        self.again.extend(open);
        self.file.flush()?;
        Ok(self.file.get_ref().sync_data()?)
    }

    /// The server refused for now; the number goes back.
    pub(crate) fn put_back(&mut self, number: u64) {
        self.open.remove(&number);
        self.again.push_back(number);
        self.refused += 1;
    }

    /// Every acknowledgement, in the order in which they came.
    pub(crate) fn acks(&self) -> &[Ack] {
        &self.acks
    }

    /// Begins to wait for a first acknowledgement.
    pub(crate) fn watch(&mut self) {
        self.first_ack = None;
    }

    /// When the first acknowledgement came since [`Ledger::watch`].
    pub(crate) fn first_ack(&self) -> Option<Instant> {
        self.first_ack
    }

    /// How often the server said "not now".
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// How often something was sent a second time.
    pub(crate) fn resent(&self) -> u64 {
        self.resent
    }

    /// Numbers that were given two different event ids.
    pub(crate) fn contradictions(&self) -> u64 {
        self.contradictions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_answered_is_sent_again_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::create(&path).unwrap();
        assert_eq!((ledger.take().unwrap(), ledger.take().unwrap()), (1, 2));
        ledger.acknowledge(2, "b".into()).unwrap();
        ledger.end_round().unwrap();
        assert_eq!((ledger.take().unwrap(), ledger.take().unwrap()), (1, 3));
        assert_eq!(ledger.resent(), 1);
        ledger.acknowledge(1, "a".into()).unwrap();
        ledger.end_round().unwrap();
        assert_eq!(ledger.take_again().unwrap(), Some(3));
        assert_eq!(ledger.take_again().unwrap(), None);
        let ack = |event_id: &str, sent_after| Ack { event_id: event_id.into(), sent_after };
        assert_eq!(ledger.acks(), [ack("b", 0), ack("a", 0)], "the first sending counts");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.starts_with("sent 1\nsent 2\nacknowledged 2 b\nsent 1\n"), "{text}");
    }

    #[test]
    fn two_ids_for_one_delivery_are_a_contradiction() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::create(&folder.path().join("ledger")).unwrap();
        let number = ledger.take().unwrap();
        ledger.acknowledge(number, "a".into()).unwrap();
        ledger.acknowledge(number, "a".into()).unwrap();
        assert_eq!(ledger.contradictions(), 0);
        ledger.acknowledge(number, "b".into()).unwrap();
        assert_eq!(ledger.contradictions(), 1);
    }
}
