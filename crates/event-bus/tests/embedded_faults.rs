//! What is left when the process is killed at a sync or a write, and when the disk fails: nothing acknowledged is lost.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "tests that report what became of every message")]

#[path = "embedded_faults/run.rs"]
mod run;
#[path = "embedded_faults/tally.rs"]
mod tally;

use tempfile::TempDir;

use self::{run::Run, tally::Tally};

/// Kills the script at each call of a kind, or at a tenth of them, and says what became of it.
async fn killed_at(call: &str) {
    let (mut sum, mut killed) = (Tally::default(), 0);
    for prepared in [false, true] {
        let points = run::points(call, prepared).await;
        for point in run::chosen(points) {
            let directory = TempDir::new().unwrap();
            let inject = format!("{call}:signal=KILL:when={point}");
            let run = Run::new(directory.path(), prepared, &inject).await;
            // Timers make a few calls more or less, so the last points may not be reached.
            killed += usize::from(!run.finished);
            sum.add(tally::of(&run).await);
        }
    }
    println!("killed at {call}: {sum}");
    assert_eq!((sum.lost, sum.duplicate, sum.out_of_order), (0, 0, 0), "{sum}");
    assert!(killed > sum.points / 2 && sum.acked > 0, "{sum}, killed at {killed}");
}

#[tokio::test]
async fn a_kill_at_any_sync_loses_nothing() {
    killed_at("fdatasync").await;
}

#[tokio::test]
async fn a_kill_at_any_write_loses_nothing() {
    killed_at("pwrite64").await;
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged() {
    let points = run::points("fdatasync", true).await;
    for point in [4, points / 2, points - 4] {
        let directory = TempDir::new().unwrap();
        // Once: the syncs after it say that all is well, and must not be believed.
        let run =
            Run::new(directory.path(), true, &format!("fdatasync:error=EIO:when={point}")).await;
        let refused = run.lines.iter().position(|line| line.starts_with("refused"));
        let after = &run.lines[refused.expect("a refused message")..];
        assert!(after.iter().all(|line| !line.starts_with("receipt")), "{after:?}");
        assert!(after.iter().any(|line| line.starts_with("health Degraded")), "{after:?}");
        assert_eq!(after.last().map(String::as_str), Some("not drained"));
        let tally = tally::of(&run).await;
        assert_eq!((tally.lost, tally.duplicate, tally.out_of_order), (0, 0, 0), "{tally}");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let directory = TempDir::new().unwrap();
    let run = Run::new(directory.path(), true, "pwrite64:error=ENOSPC:when=60..70").await;
    let is = |prefix| move |line: &String| line.starts_with(prefix);
    let refused = run.lines.iter().rposition(is("refused")).expect("a refused message");
    let (before, after) = run.lines.split_at(refused + 1);
    assert!(before.iter().any(is("receipt")) && after.iter().any(is("receipt")), "{:?}", run.lines);
    assert!(before.iter().any(is("health Reconnecting")), "{before:?}");
    assert!(after.iter().any(is("health Up")), "{after:?}");
    assert_eq!(run.lines.last().map(String::as_str), Some("drained"));
    let tally = tally::of(&run).await;
    assert_eq!((tally.lost, tally.duplicate, tally.out_of_order), (0, 0, 0), "{tally}");
}

/// The tests above find nothing; so must this one find what was taken away by hand.
#[tokio::test]
async fn the_tally_finds_what_is_lost() {
    let directory = TempDir::new().unwrap();
    let run = Run::new(directory.path(), false, "fdatasync:signal=KILL:when=60000").await;
    assert!(run.finished);
    let database = rusqlite::Connection::open(run.bus.join("bus.db")).unwrap();
    database
        .execute_batch(
            "DELETE FROM stream_custom WHERE seq = 20;
             UPDATE stream_custom SET id = (SELECT id FROM stream_custom WHERE seq = 1) WHERE seq = 2;
             UPDATE consumers SET floor = 50, settled = '[]';",
        )
        .unwrap();
    drop(database);
    let tally = tally::of(&run).await;
    // Two are not there by their receipts, and ten were held by the script and not handed out again.
    assert_eq!(tally.lost, 12, "{tally}");
    assert!(tally.duplicate > 0 && tally.out_of_order > 0, "{tally}");
}
