//! When what was handed out is forgotten, and when what is kept back is kept alive.

use chrono::DateTime;

use super::*;
use crate::{Message, Stream};

const ACK_WAIT: Duration = Duration::from_secs(30);

fn ordered() -> Ordered {
    let config = ConsumerConfig { ack_wait: ACK_WAIT, ..ConsumerConfig::new("a", vec![]) };
    Ordered::new(&config, &OrderingKey::Subject, 0).unwrap()
}

fn pulled(sequence: u64) -> Pulled {
    let id = uuid::Uuid::from_u128(sequence.into());
    let message = Message { id, subject: "custom.a._._".into(), data: "{}".into() };
    let published_at = DateTime::UNIX_EPOCH;
    Pulled { message, stream: Stream::Custom, sequence, published_at, attempt: 1 }
}

fn taken(ordered: &Ordered, epoch: u64) -> Vec<u64> {
    let look = ordered.take(epoch, Duration::ZERO, 10).unwrap();
    look.pulled.iter().map(|pulled| pulled.sequence).collect()
}

#[test]
fn what_the_backend_has_forgotten_is_not_handed_out() {
    let ordered = ordered();
    ordered.offer(0, 0, vec![pulled(1), pulled(2)]);
    assert_eq!(taken(&ordered, 1), [] as [u64; 0], "another process has it now");
    ordered.offer(0, 1, vec![pulled(1), pulled(2)]);
    assert_eq!(taken(&ordered, 1), [1]);
    ordered.offer(0, 2, vec![pulled(2), pulled(3)]);
    assert_eq!(taken(&ordered, 2), [2], "1 is out no longer");
    assert!(ordered.beat(3, ACK_WAIT).is_empty());
}

#[test]
fn what_was_pulled_before_or_during_a_move_is_not_taken_in() {
    let ordered = ordered();
    let moves = || ordered.demand.borrow().moves;
    let before = moves();
    ordered.offer(before, 0, vec![pulled(1)]);
    let _want = ordered.want(1);
    assert_eq!(ordered.demand.borrow().open(), 1);
    let moving = ordered.moving();
    assert_eq!(ordered.demand.borrow().open(), 0, "nothing is pulled meanwhile");
    ordered.offer(before, 0, vec![pulled(2)]);
    assert_eq!(taken(&ordered, 0), [] as [u64; 0]);
    ordered.offer(moves(), 0, vec![pulled(3)]);
    drop(moving);
    ordered.offer(before, 0, vec![pulled(4)]);
    assert_eq!(taken(&ordered, 0), [] as [u64; 0]);
    assert_eq!(ordered.demand.borrow().open(), 1);
    ordered.offer(moves(), 0, vec![pulled(5)]);
    assert_eq!(taken(&ordered, 0), [5]);
}

#[test]
fn what_is_wanted_is_pulled_once() {
    let ordered = ordered();
    let open = || ordered.demand.borrow().open();
    let (one, two) = (ordered.want(1), ordered.want(5));
    assert_eq!(open(), 6);
    drop(two);
    assert_eq!(open(), 1, "who gives up wants nothing");
    ordered.demand.send_modify(Demand::serve);
    assert_eq!(open(), 0);
    let again = ordered.want(2);
    drop(one);
    assert_eq!(open(), 2, "what was wanted before is settled");
    drop(again);
    assert_eq!(open(), 0);
}

#[test]
fn what_is_kept_back_is_kept_alive_every_third_of_the_ack_wait() {
    let ordered = ordered();
    ordered.offer(0, 0, (1..=3).map(pulled).collect());
    assert_eq!(taken(&ordered, 0), [1]);
    let beat = |seconds| {
        let mut alive = ordered.beat(0, Duration::from_secs(seconds));
        alive.sort_by_key(|settlement| settlement.sequence);
        alive.into_iter().map(|settlement| settlement.sequence).collect::<Vec<_>>()
    };
    assert_eq!(beat(0), [2, 3]);
    assert_eq!(beat(9), [] as [u64; 0]);
    assert_eq!(beat(10), [2, 3]);
    assert_eq!(ordered.beat_at(), Duration::from_secs(20));
}
