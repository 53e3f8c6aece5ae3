//! Reading beside the consumers: pages, and replays on top of them.

use std::time::Duration;

use futures_util::FutureExt;
use omni_events::SubjectPattern;

use super::{
    Suite, Time, config, consumer, message, messages, next, number, publish, take, within,
};
use crate::{
    Error, EventBus, Message, Read, ReadFrom, Replay, ReplayConfig, ReplayFrom, ReplayUntil, Stream,
};

/// More than any difference between the time here and that of a server.
const MOMENT: Duration = Duration::from_millis(50);

fn patterns(filters: &[&str]) -> Vec<SubjectPattern> {
    filters.iter().map(|filter| SubjectPattern::parse(filter).expect("a pattern")).collect()
}

fn number_of(message: &Message) -> u64 {
    (message.id.as_u128() >> 64) as u64
}

/// Reads page by page up to the end.
async fn read(bus: &EventBus, mut read: Read) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let page = within(bus.read(&read)).await.expect("a page");
        assert!(page.messages.len() <= read.max, "{} of {}", page.messages.len(), read.max);
        for pulled in page.messages {
            assert_eq!((pulled.stream, pulled.attempt), (read.stream, 1));
            numbers.push(number_of(&pulled.message));
        }
        match page.next {
            Some(next) => read.from = ReadFrom::Sequence(next),
            None => return numbers,
        }
    }
}

/// A replay of everything some filters select.
pub(super) fn all(filters: &[&str]) -> ReplayConfig {
    ReplayConfig {
        filters: patterns(filters),
        from: ReplayFrom::First,
        until: ReplayUntil::Now,
        rate: None,
    }
}

/// Takes a replay to its end.
pub(super) async fn rest(mut replay: Replay) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(replayed) = within(replay.next()).await.expect("a message") {
        numbers.push(number_of(&replayed.message));
    }
    assert_eq!(replay.progress().remaining, 0);
    assert!(within(replay.next()).await.expect("it stays at the end").is_none());
    numbers
}

/// A stream can be read from a sequence or a time on, by filters, and its consumers do not notice.
pub async fn pages_are_read(suite: &Suite) {
    let bus = suite.open().await;
    let mut member = consumer(&bus, config("live", &["custom.>"])).await;
    let subject = |number| if number % 3 == 0 { "custom.third._._" } else { "custom.a._._" };
    publish(&bus, (1..=300).map(|number| message(subject(number), number)).collect()).await;
    let held = take(&mut member, 2).await;
    suite.time.pass(MOMENT).await;
    let between = suite.time.clock().now();
    suite.time.pass(MOMENT).await;
    publish(&bus, (301..=350).map(|number| message(subject(number), number)).collect()).await;
    let from =
        |from, filter| Read { stream: Stream::Custom, from, filters: patterns(&[filter]), max: 70 };
    let everything = from(ReadFrom::Sequence(1), "custom.>");
    assert_eq!(read(&bus, everything).await, (1..=350).collect::<Vec<_>>());
    let thirds = from(ReadFrom::Sequence(200), "custom.third.>");
    assert_eq!(read(&bus, thirds).await, (201..=350).step_by(3).collect::<Vec<_>>());
    let late = from(ReadFrom::Time(between), "custom.>");
    assert_eq!(read(&bus, late).await, (301..=350).collect::<Vec<_>>());
    for beyond in [ReadFrom::Sequence(351), ReadFrom::Time(between + Duration::from_hours(1))] {
        assert_eq!(read(&bus, from(beyond, "custom.>")).await, Vec::<u64>::new());
    }
    let empty = Read { stream: Stream::Media, ..from(ReadFrom::Sequence(1), ">") };
    assert_eq!(read(&bus, empty).await, Vec::<u64>::new());
    let third = next(&mut member).await;
    assert_eq!((number(&third), third.attempt), (3, 1), "the consumer goes on where it was");
    drop(held);
}

/// A replay gives out several streams in the order of publishing, and ends with what was there when it was opened.
pub async fn replays_merge_streams(suite: &Suite) {
    let bus = suite.open().await;
    let subjects = ["custom.a._._", "media.a._._", "message.a.whatsapp.wa-1"];
    for number in 1..=9 {
        publish(&bus, vec![message(subjects[number as usize % 3], number)]).await;
        suite.time.pass(Duration::from_millis(5)).await;
    }
    suite.time.pass(MOMENT).await;
    let mut replay = bus.replay(all(&["custom.>", "media.>", "message.>"])).expect("it opens");
    assert_eq!(replay.progress().replayed, 0);
    suite.time.pass(MOMENT).await;
    publish(&bus, messages("custom.a._._", 10..=20)).await;
    let first = within(replay.next()).await.expect("a message").expect("one");
    assert_eq!((first.stream, first.sequence), (Stream::Media, 1));
    let progress = replay.progress();
    assert_eq!((progress.replayed, progress.at), (1, Some(first.published_at)));
    assert!(progress.remaining >= 8, "{progress:?}");
    assert_eq!(rest(replay).await, (2..=9).collect::<Vec<_>>());
    suite.time.pass(MOMENT).await;
    let everything = bus.replay(all(&["*.a.>"])).expect("it opens");
    assert_eq!(rest(everything).await.len(), 20);
}

/// A replay begins and ends at sequences and times, and reads any number of pages.
pub async fn replays_keep_their_bounds(suite: &Suite) {
    let bus = suite.open().await;
    publish(&bus, messages("custom.a._._", 1..=700)).await;
    suite.time.pass(MOMENT).await;
    let first = suite.time.clock().now();
    suite.time.pass(MOMENT).await;
    publish(&bus, messages("custom.b._._", 701..=710)).await;
    suite.time.pass(MOMENT).await;
    let second = suite.time.clock().now();
    suite.time.pass(MOMENT).await;
    publish(&bus, messages("custom.c._._", 711..=720)).await;
    let (from, until) = (ReplayFrom::First, ReplayUntil::Time(second + Duration::from_hours(1)));
    let bounds = [
        (from, until, 1..=720),
        (from, ReplayUntil::Time(second), 1..=710),
        (ReplayFrom::Time(first), ReplayUntil::Time(second), 701..=710),
        (ReplayFrom::Time(second), until, 711..=720),
        (ReplayFrom::Sequence(600), ReplayUntil::Sequence(703), 600..=703),
        (ReplayFrom::Sequence(5), ReplayUntil::Sequence(5), 5..=5),
        (ReplayFrom::Sequence(719), ReplayUntil::Sequence(9_000), 719..=720),
    ];
    for (from, until, expected) in bounds {
        let replay = bus.replay(ReplayConfig { from, until, ..all(&["custom.>"]) });
        let numbers = rest(replay.expect("it opens")).await;
        assert_eq!(numbers, expected.collect::<Vec<_>>(), "{from:?} {until:?}");
    }
    for (from, until) in [
        (ReplayFrom::Sequence(8), ReplayUntil::Sequence(7)),
        (ReplayFrom::Sequence(721), until),
        (ReplayFrom::Time(second), ReplayUntil::Time(first)),
    ] {
        let replay = bus.replay(ReplayConfig { from, until, ..all(&["custom.>"]) });
        assert_eq!(rest(replay.expect("it opens")).await, Vec::<u64>::new(), "{from:?} {until:?}");
    }
}

/// A replay waits between events as its rate says, and one that is cancelled while it waits loses nothing.
pub async fn replays_keep_their_rate(suite: &Suite) {
    let bus = suite.open().await;
    publish(&bus, messages("custom.a._._", 1..=5)).await;
    suite.time.pass(MOMENT).await;
    let rated = ReplayConfig { rate: Some(10.0), ..all(&["custom.>"]) };
    let mut replay = bus.replay(rated).expect("it opens");
    if let Time::Manual(clock) = &suite.time {
        for expected in 1..=2 {
            let replayed = within(replay.next()).await.expect("a message").expect("one");
            assert_eq!(number_of(&replayed.message), expected);
            assert!(replay.next().now_or_never().is_none(), "too early");
            clock.advance(Duration::from_millis(99));
            assert!(replay.next().now_or_never().is_none(), "still too early");
            clock.advance(Duration::from_millis(1));
        }
        clock.advance(Duration::from_mins(1));
        assert_eq!(within(replay.next()).await.expect("a message").expect("one").sequence, 3);
        assert!(replay.next().now_or_never().is_none(), "a pause is not caught up");
        return;
    }
    let clock = suite.time.clock();
    let earliest = clock.elapsed() + Duration::from_millis(400);
    assert_eq!(rest(replay).await, [1, 2, 3, 4, 5]);
    assert!(clock.elapsed() >= earliest, "faster than its rate");
}

/// A replay that cannot make sense is refused.
pub async fn odd_replays_are_refused(suite: &Suite) {
    let bus = suite.open().await;
    for odd in [
        all(&[]),
        ReplayConfig { rate: Some(0.0), ..all(&[">"]) },
        ReplayConfig { rate: Some(f64::NAN), ..all(&[">"]) },
    ] {
        let refused = bus.replay(odd);
        assert!(matches!(refused, Err(Error::Replay { .. })), "{refused:?}");
    }
    let refused = bus.replay(all(&["customer.>"]));
    assert!(matches!(refused, Err(Error::UnknownDomain { .. })), "{refused:?}");
}

/// The identity outlives a restart, so that a change of it says that something was lost.
pub async fn the_identity_stays(suite: &Suite) {
    let bus = suite.open().await;
    let identity = bus.identity().await.expect("an identity");
    assert!(!identity.is_empty());
    publish(&bus, messages("custom.a._._", [1])).await;
    let bus = suite.reopen(bus).await;
    assert_eq!(bus.identity().await.expect("an identity"), identity);
}
