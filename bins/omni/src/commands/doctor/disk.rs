//! How much room the disk of a folder has.

use std::path::Path;

use rustix::fs::statvfs;

use super::{Line, Verdict};

/// Less free room than this, in bytes, is little.
const FREE_MIN: u64 = 1 << 30;
/// Less than this is nearly none: a commit may fail at any moment.
const FREE_LEAST: u64 = 100 << 20;

pub(super) fn line(data_dir: &Path) -> Line {
    let place = data_dir.display();
    let next = "make room, or shorten what is kept of raw payloads";
    match statvfs(data_dir) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{:.1} GiB free at {place}", free as f64 / (1_u64 << 30) as f64);
            let verdict = match free {
                free if free < FREE_LEAST => Verdict::Fail,
                free if free < FREE_MIN => Verdict::Warn,
                _ => Verdict::Ok,
            };
            super::line("disk", verdict, &found, (verdict > Verdict::Ok).then_some(next))
        }
        Err(error) => {
            let found = format!("{place}: {error}");
            super::line("disk", Verdict::Warn, &found, Some("check --data-dir"))
        }
    }
}
