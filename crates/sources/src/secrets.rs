//! The secrets of a source: the one that counts, those that still count for a while, and the second one.
//!
//! What must stay true: a secret is only in memory and sealed in the store; nothing here is serialised unsealed or printed.
//! What was sealed by an older release still opens.

mod sealed;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use omni_crypto::Secret;

pub(crate) use self::sealed::{open, seal};

/// Most secrets of one source: each is tried for a request, and two overlap where all is well.
pub(crate) const HELD_MAX: usize = 5;

/// Everything that a source proves its requests with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    /// Newest first. Some may count no longer: they are kept so that the owner can be told that one of them was used.
    pub(crate) held: Vec<Held>,
    /// The token of a greeting, or a part of what is signed.
    pub(crate) second: Option<Secret>,
}

/// One secret and when it counts.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// What it is called where it may not be shown.
    pub(crate) id: String,
    pub(crate) secret: Secret,
    /// When it came; not known of what an older release has stored.
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) not_before: Option<DateTime<Utc>>,
    pub(crate) not_after: Option<DateTime<Utc>>,
    /// When it last proved a request here, in seconds since 1970; 0 for never. Only in memory: a write for every request
    /// would cost more than the request.
    pub(crate) last_used: Arc<AtomicI64>,
}

/// Why a secret cannot be added: as many as may be held still count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Secrets {
    /// One secret that counts for ever, or none.
    pub(crate) fn one(secret: Option<Secret>) -> Self {
        let held = |secret| Held::new("1".to_owned(), secret, None);
        Self { held: secret.map(held).into_iter().collect(), second: None }
    }

    /// Those that count at this time.
    pub(crate) fn active(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(move |held| held.counts(now))
    }

    /// Those that count at this time, as if they had always counted: for a request that came before they did.
    pub(crate) fn of(&self, now: DateTime<Utc>) -> Self {
        let always = |held: &Held| Held { not_before: None, not_after: None, ..held.clone() };
        Self { held: self.active(now).map(always).collect(), second: self.second.clone() }
    }

    /// Notes that a secret proved a request.
    pub(crate) fn used(&self, id: &str, now: DateTime<Utc>) {
        if let Some(held) = self.held.iter().find(|held| held.id == id) {
            held.last_used.store(now.timestamp(), Ordering::Relaxed);
        }
    }

    /// Takes over when the same secrets were last used.
    pub(crate) fn remember(&mut self, before: &Self) {
        for held in &mut self.held {
            if let Some(same) = before.held.iter().find(|same| same.id == held.id) {
                held.last_used = Arc::clone(&same.last_used);
            }
        }
    }

    /// Puts one secret in the place of all.
    pub(crate) fn replace(&mut self, secret: Secret, now: DateTime<Utc>) {
        let id = self.next_id();
        self.held = vec![Held::new(id, secret, Some(now))];
    }

    /// Adds a secret; those before it count until the overlap ends.
    pub(crate) fn rotate(
        &mut self,
        secret: Secret,
        now: DateTime<Utc>,
        overlap: TimeDelta,
    ) -> Result<(), TooMany> {
        let end = now + overlap;
        for held in &mut self.held {
            held.not_after = Some(held.not_after.map_or(end, |before| before.min(end)));
        }
        let id = self.next_id();
        self.held.insert(0, Held::new(id, secret, Some(now)));
        // What counts no longer goes first, the oldest of it.
        while self.held.len() > HELD_MAX {
            let over =
                self.held.iter().rposition(|held| held.not_after.is_some_and(|to| to <= now));
            self.held.remove(over.ok_or(TooMany)?);
        }
        Ok(())
    }

    fn next_id(&self) -> String {
        let highest = self.held.iter().filter_map(|held| held.id.parse::<u32>().ok()).max();
        highest.unwrap_or(0).saturating_add(1).to_string()
    }
}

impl Held {
    pub(crate) fn new(id: String, secret: Secret, created_at: Option<DateTime<Utc>>) -> Self {
        let last_used = Arc::default();
        Self { id, secret, created_at, not_before: None, not_after: None, last_used }
    }

    pub(crate) fn counts(&self, now: DateTime<Utc>) -> bool {
        self.not_before.is_none_or(|from| from <= now) && self.not_after.is_none_or(|to| now < to)
    }

    /// When it last proved a request in this process.
    pub(crate) fn last_used_at(&self) -> Option<DateTime<Utc>> {
        match self.last_used.load(Ordering::Relaxed) {
            0 => None,
            seconds => DateTime::from_timestamp(seconds, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn ids(secrets: &Secrets, now: i64) -> Vec<&str> {
        secrets.active(at(now)).map(|held| held.id.as_str()).collect()
    }

    #[test]
    fn the_old_secret_counts_until_the_overlap_ends() {
        let mut secrets = Secrets::one(Some(secret("old")));
        secrets.rotate(secret("new"), at(100), TimeDelta::seconds(50)).unwrap();
        assert_eq!(ids(&secrets, 149), ["2", "1"]);
        assert_eq!(ids(&secrets, 150), ["2"]);
        secrets.rotate(secret("third"), at(110), TimeDelta::seconds(500)).unwrap();
        assert_eq!(ids(&secrets, 149), ["3", "2", "1"], "a longer overlap brings nothing back");
        assert_eq!(ids(&secrets, 150), ["3", "2"]);
        secrets.rotate(secret("now"), at(120), TimeDelta::zero()).unwrap();
        assert_eq!(ids(&secrets, 120), ["4"]);
        assert_eq!(secrets.held.len(), 4, "what is over is remembered");
        secrets.replace(secret("fresh"), at(130));
        assert_eq!((ids(&secrets, 0), secrets.held.len()), (vec!["5"], 1));
    }

    #[test]
    fn five_are_held_and_those_that_are_over_go_first() {
        let mut secrets = Secrets::default();
        let long = TimeDelta::seconds(1000);
        for number in 0..5 {
            secrets.rotate(secret("s"), at(number), long).unwrap();
        }
        assert_eq!(secrets.clone().rotate(secret("s"), at(9), long), Err(TooMany));
        secrets.rotate(secret("s"), at(1001), long).unwrap();
        let held: Vec<&str> = secrets.held.iter().map(|held| held.id.as_str()).collect();
        assert_eq!(held, ["6", "5", "4", "3", "2"]);
    }

    #[test]
    fn for_an_older_request_those_of_now_count() {
        let mut secrets = Secrets::one(Some(secret("wrong")));
        secrets.rotate(secret("right"), at(100), TimeDelta::zero()).unwrap();
        let of_now = secrets.of(at(200));
        assert_eq!(ids(&of_now, 0), ["2"]);
    }
}
