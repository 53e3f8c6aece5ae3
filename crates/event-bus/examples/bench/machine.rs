//! The machine: what it is, how quick its disk is, and how busy others keep it.

use std::{
    fs::{self, File},
    io::Write,
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
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // A tick is a hundredth of a second.
    Duration::from_millis(ticks * 10)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}
