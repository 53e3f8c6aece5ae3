//! The machine: what it is, how quick its disk is, and how busy others keep it.

use std::{
    fs::{self, File},
    io::Write,
    ops::Range,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::book::{self, Book};

/// Appends per probe of the disk.
const APPENDS: usize = 400;

/// What a reader of figures wants to know about where they come from.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    /// Before and after the run; what exceeds the run itself is others.
    load_before: String,
    load_after: String,
    nats_server: Option<String>,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let processors = read("/proc/cpuinfo");
        let name =
            processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            processor: name.map(|(_, name)| name.to_owned()).unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: load(),
            load_after: String::new(),
            nats_server: None,
        }
    }

    pub(crate) fn finish(&mut self, nats_server: Option<String>) {
        self.load_after = load();
        self.nats_server = nats_server;
    }
}

/// Measures how long the disk takes to have 1 KiB more in a file.
pub(crate) fn probe(folder: &Path, book: &mut Book) {
    let path = folder.join("probe");
    let mut file = File::create(&path).unwrap();
    let mut waits: Histogram<u64> = book::histogram();
    for _ in 0..APPENDS {
        let started = Instant::now();
        file.write_all(&[7; 1024]).unwrap();
        file.sync_data().unwrap();
        book::record(&mut waits, started.elapsed());
    }
    fs::remove_file(path).unwrap();
    book.latency("disk_append_and_fdatasync", &waits);
}

/// Waits until everything written so far is on the disk, whoever wrote it.
pub(crate) fn settle() {
    assert!(Command::new("sync").status().unwrap().success());
}

/// How many processes wanted to run, over one, five and fifteen minutes.
pub(crate) fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Processor time of a process so far, all its threads together.
pub(crate) fn cpu(process: &str) -> Duration {
    let stat = read(&format!("/proc/{process}/stat"));
    ticks(&stat, UTIME..STIME + 1)
}

/// Processor time of a server so far: of its process, of the processes it has started, and of those that have ended.
pub(crate) fn cpu_of_server(pid: u32) -> Duration {
    let own = ticks(&read(&format!("/proc/{pid}/stat")), UTIME..CSTIME + 1);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    // A process that is not there any more has been added to the first.
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let children = stats.filter(|stat| field(stat, PARENT) == Some(u64::from(pid)));
    own + children.map(|stat| ticks(&stat, UTIME..STIME + 1)).sum::<Duration>()
}

/// Places in what stands behind the name in `/proc/PID/stat`.
const PARENT: usize = 1;
const UTIME: usize = 11;
const STIME: usize = 12;
const CSTIME: usize = 14;

/// A tick is a hundredth of a second.
fn ticks(stat: &str, places: Range<usize>) -> Duration {
    let ticks: u64 = places.filter_map(|place| field(stat, place)).sum();
    Duration::from_millis(ticks * 10)
}

fn field(stat: &str, place: usize) -> Option<u64> {
    stat.rsplit(") ").next()?.split(' ').nth(place)?.parse().ok()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}
