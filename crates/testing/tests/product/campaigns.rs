//! A part of every campaign, with moments that are the same each time: under load something fails, and what was
//! acknowledged is there, handled, took effect once, and stands in its place. The full count is `cargo xtask campaign`.

use tokio::process::Command;

use crate::process::omni;

/// Runs a campaign of `omni-load`, which fails when a promise was broken.
async fn campaign(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_omni-load"))
        .args(arguments)
        .args(["--seed", "4", "--omni"])
        .arg(omni().as_std().get_program())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let report = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{report}");
    let lines: Vec<_> = report.lines().filter(|line| line.contains("· lost ")).collect();
    assert!(!lines.is_empty(), "{report}");
    for promise in ["lost 0", "dup-effects 0", "out-of-order 0", "stuck 0"] {
        assert!(lines.iter().all(|line| line.contains(promise)), "{report}");
    }
    assert!(!report.contains("acked 0 "), "nothing was put to the test: {report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_minus_nine_loses_nothing() {
    campaign(&["kill", "--rounds", "5"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_minus_nine_loses_nothing_on_postgres() {
    campaign(&["kill", "--rounds", "5", "--database", "postgres"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_or_crash_of_postgres_loses_nothing() {
    campaign(&["postgres", "--rounds", "2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_bus_loses_nothing() {
    campaign(&["bus", "--rounds", "2"]).await;
}
